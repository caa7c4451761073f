package webhook

import (
	"errors"
	"fmt"

	"github.com/kube-iam/authenticator/internal/jsonscan"
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
func decodeReview(body []byte) (review, error) {
	apiVersion, kind, token := jsonscan.Text("apiVersion"), jsonscan.Text("kind"), jsonscan.Text("token")
	err := jsonscan.Read(body, apiVersion, kind, jsonscan.Object("spec", token))
	switch {
	case errors.Is(err, jsonscan.ErrTrailing):
		return review{}, errTrailing
	case err != nil:
		return review{}, fmt.Errorf("%w: %w", errNotReview, err)
	case kind.Text != "TokenReview":
		return review{}, errKind
	case apiVersion.Text != "authentication.k8s.io/v1" && apiVersion.Text != "authentication.k8s.io/v1beta1":
		return review{}, errVersion
	}
	return review{apiVersion.Text, token.Text}, nil
}
