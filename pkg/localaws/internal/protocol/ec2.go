package protocol

import (
	"encoding/xml"
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// EC2 is EC2's variant of the Query protocol: results are [Fields], beside the request
// ID; no result is the return value true.
type EC2 struct{ Version, Namespace string }

// Addresses reports whether a form names an operation in the service's version.
func (e EC2) Addresses(r *api.Request) bool { return e.query().Addresses(r) }

// Read parses the form, from the query and the body.
func (e EC2) Read(r *api.Request, operations []api.Operation) (api.Input, *api.Operation, *api.Error) {
	return e.query().Read(r, operations)
}

func (e EC2) query() Query { return Query{Version: e.Version} }

// Result encodes the result of an operation.
func (e EC2) Result(input api.Input, result any) api.Answer {
	response := Fields{{"requestId", input.Request.ID}}
	if found, ok := result.(Fields); ok {
		response = append(response, found...)
	} else {
		response = append(response, Field{"return", true})
	}
	return encodeXML(http.StatusOK, func(encoder *xml.Encoder) error {
		return encoder.EncodeElement(response, xml.StartElement{
			Name: xml.Name{Local: input.Operation + "Response"},
			Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: e.Namespace}},
		})
	})
}

type ec2Failure struct {
	XMLName xml.Name `xml:"Response"`
	Errors  struct {
		Error struct{ Code, Message string }
	}
	RequestID string `xml:"RequestID"`
}

// Failure encodes an error.
func (e EC2) Failure(r *api.Request, failed *api.Error) api.Answer {
	body := ec2Failure{RequestID: r.ID}
	body.Errors.Error.Code, body.Errors.Error.Message = failed.Code, failed.Message
	return encodeXML(failed.Status, func(encoder *xml.Encoder) error { return encoder.Encode(body) })
}
