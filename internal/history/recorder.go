package history

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const (
	// maxWaiting is the number of edits that wait to be recorded; of more, the oldest are
	// dropped.
	maxWaiting = 16
	// recordTimeout is the time for recording one edit.
	recordTimeout = 30 * time.Second
)

// A Recorder records the edits that a server sees, in the background: it never delays
// the mappings.
type Recorder struct {
	client dynamic.Interface
	log    *slog.Logger
	queue  chan *unstructured.Unstructured
	failed bool
}

// NewRecorder returns a recorder. [Recorder.Run] does its work.
func NewRecorder(client dynamic.Interface, log *slog.Logger) *Recorder {
	return &Recorder{client: client, log: log, queue: make(chan *unstructured.Unstructured, maxWaiting)}
}

// Observe queues the content of aws-auth. It never waits: if too many are waiting, the
// oldest is dropped, since the last one is what is in force. Calls must not overlap.
func (r *Recorder) Observe(configMap *unstructured.Unstructured) {
	for {
		select {
		case r.queue <- configMap:
			return
		default:
		}
		select {
		case <-r.queue:
			r.log.Warn("an edit of aws-auth is not in the history: too many are waiting to be written")
		default:
		}
	}
}

// Run records what is queued until ctx is done.
func (r *Recorder) Run(ctx context.Context) {
	for {
		select {
		case configMap := <-r.queue:
			r.record(ctx, configMap)
		case <-ctx.Done():
			return
		}
	}
}

// record tries once for each edit. Only the first of several failures is logged, since
// without the ConfigMap or the permission every one fails.
func (r *Recorder) record(ctx context.Context, configMap *unstructured.Unstructured) {
	entry, err := New(configMap, "", time.Now())
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, recordTimeout)
		defer cancel()
		err = Record(limited, r.client, entry)
	}
	if err != nil && !r.failed && ctx.Err() == nil {
		r.log.Warn("edits of aws-auth are not kept in the history: apply the ConfigMap aws-auth-history and the permissions of the manifests", "error", err)
	}
	r.failed = err != nil
}
