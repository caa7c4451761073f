package webhook

import (
	"io"
	"mime"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxBody bounds the body of a request. The longest token has 16 KiB.
const maxBody = 64 << 10

// bodySize returns the maximum size of the body in bytes, according to the headers.
func bodySize(w http.ResponseWriter, r *http.Request) (int, *failure) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return 0, &failure{http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "a TokenReview must be sent by POST"}
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return 0, &failure{http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, "a TokenReview must be sent as application/json"}
	}
	switch {
	case r.ContentLength > maxBody:
		return 0, tooLarge()
	case r.ContentLength < 0:
		return maxBody, nil
	}
	return int(r.ContentLength), nil
}

func isJSON(contentType string) bool {
	const json = "application/json"
	if contentType == json {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == json
}

// readBody reads a body of known size at once, because over HTTP/2 each piece costs a
// switch between two goroutines.
func readBody(r *http.Request) ([]byte, *failure) {
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, badRequest(errBody)
		}
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, badRequest(errBody)
	case len(body) > maxBody:
		return nil, tooLarge()
	}
	return body, nil
}

func tooLarge() *failure {
	return &failure{http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, "the request is longer than 64 KiB"}
}
