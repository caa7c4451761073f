package kube

import (
	"context"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// component is the source of our Events.
const component = "aws-iam-authenticator"

// An EventWriter writes Events in the background, so that reporting a problem
// never delays the mappings.
type EventWriter struct {
	client dynamic.Interface
	log    *slog.Logger
	queue  chan *unstructured.Unstructured
}

// NewEventWriter returns a writer that queues Events. [EventWriter.Run] writes them.
func NewEventWriter(client dynamic.Interface, log *slog.Logger) *EventWriter {
	return &EventWriter{client, log, make(chan *unstructured.Unstructured, 64)}
}

// Run writes the queued Events until ctx is done.
func (w *EventWriter) Run(ctx context.Context) {
	for {
		select {
		case event := <-w.queue:
			w.post(ctx, event)
		case <-ctx.Done():
			return
		}
	}
}

func (w *EventWriter) post(ctx context.Context, event *unstructured.Unstructured) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	events := w.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "events"}).Namespace(event.GetNamespace())
	if _, err := events.Create(ctx, event, metav1.CreateOptions{}); err != nil {
		w.log.Warn("writing an Event about aws-auth failed", "error", err)
	}
}

// Warn queues a warning about a ConfigMap. If the queue is full, the Event is
// dropped: the log has the warning too.
func (w *EventWriter) Warn(configMap *unstructured.Unstructured, reason, message string) {
	now := time.Now().UTC().Format(time.RFC3339)
	event := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "Event",
		"metadata":   map[string]any{"generateName": configMap.GetName() + ".", "namespace": configMap.GetNamespace()},
		"involvedObject": map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "namespace": configMap.GetNamespace(), "name": configMap.GetName(),
			"uid": string(configMap.GetUID()), "resourceVersion": configMap.GetResourceVersion(),
		},
		"reason":         reason,
		"message":        message,
		"type":           "Warning",
		"source":         map[string]any{"component": component},
		"firstTimestamp": now,
		"lastTimestamp":  now,
		"count":          int64(1),
	}}
	select {
	case w.queue <- event:
	default:
		w.log.Warn("an Event about aws-auth was dropped: too many are waiting to be written")
	}
}
