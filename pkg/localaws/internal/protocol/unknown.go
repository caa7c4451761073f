package protocol

import (
	"encoding/xml"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// Of returns what encodes errors for a request to an unknown service: its client must be
// able to read why there is no answer.
func Of(r *api.Request, service string) api.ErrorEncoder {
	host := "." + strings.ToLower(r.Host)
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		return cbor{}
	case r.Header.Get("X-Amz-Target") != "", strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-"):
		return JSON11{}
	case service == "s3", strings.HasPrefix(service, "s3-"), strings.Contains(host, ".s3."), strings.Contains(host, ".s3-"):
		return s3{}
	case service == "route53", service == "cloudfront", strings.HasPrefix(host, ".route53."), strings.HasPrefix(host, ".cloudfront."):
		return Query{} // their errors have the same form
	}
	if form, err := formOf(r); err == nil && form.Has("Action") && form.Has("Version") {
		return Query{JSON: true}
	}
	return REST{}
}

// s3 is REST with XML, as S3 has it.
type s3 struct{}

type s3Failure struct {
	XMLName       xml.Name `xml:"Error"`
	Code, Message string
	RequestID     string `xml:"RequestId"`
}

// Failure encodes an error.
func (s3) Failure(r *api.Request, e *api.Error) api.Answer {
	answer := encodeXML(e.Status, func(encoder *xml.Encoder) error {
		return encoder.Encode(s3Failure{Code: e.Code, Message: e.Message, RequestID: r.ID})
	})
	answer.ContentType = "application/xml"
	return answer
}

// cbor is RPC with CBOR.
type cbor struct{}

// Failure encodes an error: a map of two texts.
func (cbor) Failure(_ *api.Request, e *api.Error) api.Answer {
	body := []byte{0xa2}
	for _, text := range []string{"__type", e.Code, "message", e.Message} {
		body = append(body, 0x79, byte(len(text)>>8), byte(len(text))) // a text with a length of two bytes
		body = append(body, text...)
	}
	return api.Answer{Status: e.Status, ContentType: "application/cbor", Header: map[string]string{"Smithy-Protocol": "rpc-v2-cbor"}, Body: body}
}
