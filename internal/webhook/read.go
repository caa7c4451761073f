package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A body is what the body of a request must be.
type body struct {
	// name is its kind with an article.
	name string
	// max is its maximum size in bytes.
	max int
}

// receive reads a body within a budget. The caller releases what the body holds, also
// with a failure.
func (b body) receive(w http.ResponseWriter, r *http.Request, budget *budget, cluster string) (content []byte, held *reservation, bad *failure) {
	size, bad := b.size(w, r)
	if bad != nil {
		return nil, nil, bad
	}
	abort := func() {
		// It fails where there is no connection whose reading could end.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	}
	ctx := r.Context()
	isLarge := budget.large != nil && size > largeReview
	if isLarge {
		size = maxReview
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		stopReading := abort
		abort = func() { cancel(); stopReading() }
	}
	if held = budget.reserve(cluster, size, abort); held == nil {
		return nil, nil, noRoom()
	}
	if isLarge {
		// Only requests that were aborted can still have all buffers.
		if held.buffer = budget.large.get(ctx); held.buffer == nil {
			return nil, held, noRoom()
		}
	}
	if content, bad = b.read(r, held.buffer); !held.received() {
		bad = noRoom()
	}
	return content, held, bad
}

// size returns the maximum size of the body in bytes, according to the headers.
func (b body) size(w http.ResponseWriter, r *http.Request) (int, *failure) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return 0, &failure{http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, b.name + " must be sent by POST"}
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return 0, &failure{http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, b.name + " must be sent as application/json"}
	}
	switch {
	case r.ContentLength > int64(b.max):
		return 0, b.tooLarge()
	case r.ContentLength < 0:
		return b.max, nil
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

// read reads a body of known size at once, because over HTTP/2 each piece costs a
// switch between two goroutines. A large body is read into a buffer.
func (b body) read(r *http.Request, large *buffer) ([]byte, *failure) {
	if large == nil && r.ContentLength >= 0 {
		content := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, content); err != nil {
			return nil, badRequest(errBody)
		}
		return content, nil
	}
	content := new(bytes.Buffer)
	if large != nil {
		content = bytes.NewBuffer(large[:0])
	}
	n, err := content.ReadFrom(io.LimitReader(r.Body, int64(b.max)+1))
	switch {
	case err != nil:
		return nil, badRequest(errBody)
	case n > int64(b.max):
		return nil, b.tooLarge()
	}
	return content.Bytes(), nil
}

func (b body) tooLarge() *failure {
	return &failure{http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, fmt.Sprintf("the request is longer than %d KiB", b.max>>10)}
}
