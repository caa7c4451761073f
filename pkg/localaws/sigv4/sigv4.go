// Package sigv4 verifies AWS Signature Version 4, in its header and in its query
// (presigned) form, as AWS's services other than S3 do.
//
// It verifies exactly what was signed: the headers that the signature lists, the
// body as received, and the path as sent, encoded once more.
package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	// TimeFormat of X-Amz-Date.
	TimeFormat = "20060102T150405Z"
	// MaxSkew is the maximum distance between a request's time and the verifier's
	// clock, in both directions.
	MaxSkew = 15 * time.Minute
)

// Signature holds a request's claims about who signed it and how. They are unproven
// before [Signature.Verify].
type Signature struct {
	AccessKeyID  string
	Region       string
	Service      string
	SessionToken string
	Time         time.Time
	// Presigned reports that the signature is in the query.
	Presigned bool

	scope            string
	signature        string
	canonicalRequest []byte
}

// Parse parses the signature of a request, whose body is already read. The error is
// [ErrMissing] if there is none, or an [*IncompleteError].
func Parse(r *http.Request, body []byte) (*Signature, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return parseHeader(r, body, header)
	}
	query := parseQuery(r.URL.RawQuery)
	if query.get("X-Amz-Signature") == "" && query.get("X-Amz-Algorithm") == "" {
		return nil, ErrMissing
	}
	return parsePresigned(r, body, query)
}

func parseHeader(r *http.Request, body []byte, header string) (*Signature, error) {
	parameters, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return nil, &IncompleteError{"Authorization header requires algorithm " + algorithm + "."}
	}
	values := map[string]string{}
	for part := range strings.SplitSeq(parameters, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		values[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if values[name] == "" {
			return nil, &IncompleteError{"Authorization header requires '" + name + "' parameter."}
		}
	}
	s := &Signature{signature: values["Signature"], SessionToken: r.Header.Get("X-Amz-Security-Token")}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		return nil, &IncompleteError{"Authorization header requires existence of a 'X-Amz-Date' header."}
	}
	if err := s.setScope(values["Credential"], date); err != nil {
		return nil, err
	}
	signed := strings.Split(values["SignedHeaders"], ";")
	// An unsigned header of AWS could come from anyone.
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Target", "X-Amz-Content-Sha256"} {
		if r.Header.Get(name) != "" && !slices.Contains(signed, strings.ToLower(name)) {
			return nil, &IncompleteError{"Header '" + name + "' must be a 'SignedHeader' in the AWS Authorization."}
		}
	}
	return s, s.canonicalize(r, body, signed, parseQuery(r.URL.RawQuery))
}

func parsePresigned(r *http.Request, body []byte, query query) (*Signature, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "X-Amz-SignedHeaders"} {
		switch query.count(name) {
		case 0:
			return nil, &IncompleteError{"AWS query-string parameters must include '" + name + "'."}
		case 1:
		default:
			return nil, &IncompleteError{"AWS query-string parameter '" + name + "' appears twice."}
		}
	}
	if query.get("X-Amz-Algorithm") != algorithm {
		return nil, &IncompleteError{"AWS query-string parameter 'X-Amz-Algorithm' must be " + algorithm + "."}
	}
	s := &Signature{Presigned: true, signature: query.get("X-Amz-Signature"), SessionToken: query.get("X-Amz-Security-Token")}
	if err := s.setScope(query.get("X-Amz-Credential"), query.get("X-Amz-Date")); err != nil {
		return nil, err
	}
	return s, s.canonicalize(r, body, strings.Split(query.get("X-Amz-SignedHeaders"), ";"), query.without("X-Amz-Signature"))
}

// setScope parses KEYID/yyyymmdd/region/service/aws4_request and the time.
func (s *Signature) setScope(credential, date string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != terminator || slices.Contains(parts, "") {
		return &IncompleteError{"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."}
	}
	at, err := time.Parse(TimeFormat, date)
	if err != nil {
		return &IncompleteError{"Date must be in ISO-8601 'basic format'."}
	}
	if parts[1] != date[:8] {
		return &IncompleteError{"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."}
	}
	s.AccessKeyID, s.Region, s.Service, s.Time = parts[0], parts[2], parts[3], at
	s.scope = strings.Join(parts[1:], "/")
	return nil
}

// canonicalize builds the canonical request: the text that was signed.
func (s *Signature) canonicalize(r *http.Request, body []byte, signed []string, query query) error {
	if !slices.Contains(signed, "host") {
		return &IncompleteError{"'Host' must be a 'SignedHeader' in the AWS Authorization."}
	}
	if !slices.IsSorted(signed) {
		return &IncompleteError{"SignedHeaders must be sorted."}
	}
	var b bytes.Buffer
	b.WriteString(r.Method + "\n" + canonicalPath(r) + "\n" + query.canonical() + "\n")
	for _, name := range signed {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	hash := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hex.EncodeToString(hash[:]))
	s.canonicalRequest = b.Bytes()
	return nil
}

// canonicalPath returns the path as sent, each segment encoded once more.
func canonicalPath(r *http.Request) string {
	path := r.URL.EscapedPath()
	if path == "" {
		return "/"
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = encode(segment)
	}
	return strings.Join(segments, "/")
}

// headerValue returns a header's value with trimmed and collapsed spaces. Go's
// server moves Host and Content-Length from the header to fields of the request.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		host := strings.TrimSuffix(r.Host, ":443")
		return strings.TrimSuffix(host, ":80")
	case "content-length":
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	}
	var values []string
	for _, value := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(values, ",")
}

// Verify returns [ErrMismatch] unless the secret key signed the request.
func (s *Signature) Verify(secretKey string) error {
	hash := sha256.Sum256(s.canonicalRequest)
	stringToSign := algorithm + "\n" + s.Time.Format(TimeFormat) + "\n" + s.scope + "\n" + hex.EncodeToString(hash[:])
	key := []byte("AWS4" + secretKey)
	for part := range strings.SplitSeq(s.scope, "/") {
		key = sum(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(sum(key, stringToSign))), []byte(s.signature)) {
		return ErrMismatch
	}
	return nil
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// CheckTime returns a [*SkewError] if the request's time is too far from now.
func (s *Signature) CheckTime(now time.Time) error {
	if difference := now.Sub(s.Time); difference > MaxSkew || difference < -MaxSkew {
		return &SkewError{Signed: s.Time, Now: now.UTC()}
	}
	return nil
}
