package webhook

import (
	"errors"
	"fmt"
)

// A review contains the fields of a TokenReview that the webhook needs. They are the
// same in v1 and v1beta1.
type review struct {
	apiVersion, token string
}

var (
	errBody      = errors.New("the request could not be read")
	errNotReview = errors.New("the request is not the JSON of a TokenReview")
	errTrailing  = errors.New("trailing data after the TokenReview")
	errKind      = errors.New("the request's kind is not TokenReview")
	errVersion   = errors.New("the request's apiVersion is neither authentication.k8s.io/v1 nor authentication.k8s.io/v1beta1")
)

// decodeReview decodes one TokenReview and rejects trailing data. Its errors do not
// quote the body, which can contain a token.
//
// It uses encoding/json only for unusual values, because encoding/json reads every
// byte twice and takes longer than everything else that a cached token needs.
// Unlike encoding/json, it matches field names exactly and rejects a repeated field,
// so that no two readers find different tokens in one body.
func decodeReview(body []byte) (review, error) {
	var apiVersion, kind, spec, token field
	s := scanner{rest: body}
	err := s.object(func(name []byte) error {
		switch string(name) {
		case "apiVersion":
			return apiVersion.readText(&s)
		case "kind":
			return kind.readText(&s)
		case "spec":
			return spec.read(&s, func() error {
				return s.object(func(name []byte) error {
					if string(name) == "token" {
						return token.readText(&s)
					}
					return s.skip()
				})
			})
		}
		return s.skip()
	})
	switch {
	case err != nil:
		return review{}, fmt.Errorf("%w: %w", errNotReview, err)
	case !s.atEnd():
		return review{}, errTrailing
	case kind.text != "TokenReview":
		return review{}, errKind
	case apiVersion.text != "authentication.k8s.io/v1" && apiVersion.text != "authentication.k8s.io/v1beta1":
		return review{}, errVersion
	}
	return review{apiVersion.text, token.text}, nil
}

// A field of an object. Null means absent.
type field struct {
	seen bool
	text string
}

func (f *field) read(s *scanner, value func() error) error {
	if f.seen {
		return errRepeated
	}
	f.seen = true
	if s.null() {
		return nil
	}
	return value()
}

func (f *field) readText(s *scanner) error {
	return f.read(s, func() error {
		content, err := s.bytes()
		f.text = string(content)
		return err
	})
}
