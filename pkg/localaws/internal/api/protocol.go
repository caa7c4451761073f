package api

import (
	"net/http"
	"net/url"
	"strconv"
)

// A Protocol is one of AWS's wire protocols. It is the same for every service, and
// holds no state.
type Protocol interface {
	// Addresses reports whether a request can only be for the service, whatever its
	// host and its signature.
	Addresses(*Request) bool
	// Read finds the operation that a request is for, and reads its parameters. On
	// an error, the input names the operation that was asked for, and the operation
	// may be nil.
	Read(*Request, []Operation) (Input, *Operation, *Error)
	// Result encodes the result of an operation.
	Result(input Input, result any) Answer
	ErrorEncoder
}

// An ErrorEncoder is what a protocol needs to refuse requests.
type ErrorEncoder interface {
	// Failure encodes an error.
	Failure(*Request, *Error) Answer
}

// A Request is a request with its body and the ID that its answer has.
type Request struct {
	*http.Request
	ID      string
	Content []byte
}

// An Answer is an HTTP response.
type Answer struct {
	Status      int
	ContentType string
	Header      map[string]string
	Body        []byte
}

// An Input is what a request asks for, as far as its protocol knows.
type Input struct {
	Request *Request
	// Operation is the name of an operation, which may not exist.
	Operation string
	// Parameters are all parameters, nested, for the trail; they may be secret.
	Parameters map[string]any
	// Form are the parameters of a Query service.
	Form Form
	// Path are the segments in place of a route's braces, and Query the parameters
	// in the URL, of a REST service. Its body is the request's content.
	Path  map[string]string
	Query url.Values
}

// A Form holds the parameters of a call to a Query service.
type Form url.Values

// FormOf returns the form of an input, for [Definition.Decode].
func FormOf(input Input) (Form, error) { return input.Form, nil }

// Get returns a parameter; empty if it is missing.
func (f Form) Get(name string) string { return url.Values(f).Get(name) }

// Has reports whether a parameter is present.
func (f Form) Has(name string) bool { return url.Values(f).Has(name) }

// List returns Name.1, Name.2, … or, with the suffix, Name.1.Suffix and so on.
func (f Form) List(name, suffix string) []string {
	var values []string
	for i := 1; f.Has(name + "." + strconv.Itoa(i) + suffix); i++ {
		values = append(values, f.Get(name+"."+strconv.Itoa(i)+suffix))
	}
	return values
}
