package kube

import (
	"cmp"
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
		w.log.Warn("writing an Event failed", "error", err)
	}
}

// Warn queues a warning about a ConfigMap. If the queue is full, the Event is
// dropped: the log has the warning too.
func (w *EventWriter) Warn(configMap *unstructured.Unstructured, reason, message string) {
	w.warn(configMap, "v1", "ConfigMap", reason, message)
}

// WarnOfMapping queues a warning about an IAMIdentityMapping. The Event is in namespace
// kube-system, beside those about aws-auth, since the object has no namespace.
func (w *EventWriter) WarnOfMapping(object metav1.Object, reason, message string) {
	w.warn(object, identityMappings().GroupVersion().String(), "IAMIdentityMapping", reason, message)
}

func (w *EventWriter) warn(object metav1.Object, apiVersion, kind, reason, message string) {
	now := time.Now().UTC()
	involved := map[string]any{"apiVersion": apiVersion, "kind": kind, "name": object.GetName()}
	for field, value := range map[string]string{
		"namespace": object.GetNamespace(), "uid": string(object.GetUID()), "resourceVersion": object.GetResourceVersion(),
	} {
		if value != "" {
			involved[field] = value
		}
	}
	event := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion":     "v1",
		"kind":           "Event",
		"metadata":       map[string]any{"generateName": object.GetName() + ".", "namespace": cmp.Or(object.GetNamespace(), metav1.NamespaceSystem)},
		"involvedObject": involved,
		"reason":         reason,
		"message":        message,
		"type":           "Warning",
		"source":         map[string]any{"component": component},
		"firstTimestamp": now.Format(time.RFC3339),
		"lastTimestamp":  now.Format(time.RFC3339),
		"count":          int64(1),
		// Without these, an Event about an object without a namespace must be in namespace
		// default.
		"eventTime":          now.Format(metav1.RFC3339Micro),
		"action":             "Follow",
		"reportingComponent": component,
		"reportingInstance":  component,
	}}
	select {
	case w.queue <- event:
	default:
		w.log.Warn("an Event was dropped: too many are waiting to be written")
	}
}
