package protocol

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// encodeXML encodes what a service returned, which always encodes.
func encodeXML(status int, write func(*xml.Encoder) error) api.Answer {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	encoder := xml.NewEncoder(&b)
	if err := errors.Join(write(encoder), encoder.Close()); err != nil {
		return unencodable(err)
	}
	return api.Answer{Status: status, ContentType: "text/xml", Body: b.Bytes()}
}

// encodeJSON encodes what a service returned, which always encodes.
func encodeJSON(status int, value any) api.Answer {
	body, err := json.Marshal(value)
	if err != nil {
		return unencodable(err)
	}
	return api.Answer{Status: status, ContentType: "application/json", Body: body}
}

func unencodable(err error) api.Answer {
	return api.Answer{Status: http.StatusInternalServerError, ContentType: "text/plain", Body: []byte("encoding the response: " + err.Error())}
}

// Members is a list of the Query protocol, which XML contains empty or not.
type Members[T any] struct {
	Member []T `xml:"member"`
}

// MembersOf returns a list.
func MembersOf[T any](list []T) Members[T] { return Members[T]{list} }

// Items is a list in EC2's XML.
type Items[T any] struct {
	Item []T `xml:"item"`
}

// ItemsOf returns a list.
func ItemsOf[T any](list []T) Items[T] { return Items[T]{list} }

// Fields are the elements of a response in XML, in order.
type Fields []Field

// A Field is one element.
type Field struct {
	Name  string
	Value any
}

// Element returns a field.
func Element(name string, value any) Field { return Field{name, value} }

// MarshalXML writes an element for every field.
func (f Fields) MarshalXML(encoder *xml.Encoder, start xml.StartElement) error {
	if err := encoder.EncodeToken(start); err != nil {
		return err
	}
	for _, field := range f {
		if err := encoder.EncodeElement(field.Value, xml.StartElement{Name: xml.Name{Local: field.Name}}); err != nil {
			return err
		}
	}
	return encoder.EncodeToken(start.End())
}

// A Timestamp is RFC 3339 in XML and seconds since 1970 in JSON.
type Timestamp time.Time

// MarshalText encodes it for XML.
func (t Timestamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05Z")), nil
}

// MarshalJSON encodes it for JSON.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Time(t).Unix(), 10), nil
}
