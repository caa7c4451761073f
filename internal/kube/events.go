package kube

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// component is the source of our Events.
const component = "aws-iam-authenticator"

// An EventWriter writes Events in the background, so that reporting a problem
// never delays what the ConfigMap says.
type EventWriter struct {
	client rest.Interface
	log    *slog.Logger
	queue  chan *corev1.Event
}

// NewEventWriter makes a writer that queues Events; [EventWriter.Run] writes
// them.
func NewEventWriter(client rest.Interface, log *slog.Logger) *EventWriter {
	return &EventWriter{client, log, make(chan *corev1.Event, 64)}
}

// Run writes what is queued until ctx is done.
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

func (w *EventWriter) post(ctx context.Context, event *corev1.Event) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := w.client.Post().Namespace(event.Namespace).Resource("events").Body(event).Do(ctx).Error(); err != nil {
		w.log.Warn("writing an Event about aws-auth failed", "error", err)
	}
}

// Warn queues a warning about a ConfigMap. With the queue full the Event is
// dropped: what it says is in the log too.
func (w *EventWriter) Warn(configMap *corev1.ConfigMap, reason, message string) {
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: configMap.Name + ".", Namespace: configMap.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: configMap.Namespace, Name: configMap.Name,
			UID: configMap.UID, ResourceVersion: configMap.ResourceVersion,
		},
		Reason:         reason,
		Message:        message,
		Type:           corev1.EventTypeWarning,
		Source:         corev1.EventSource{Component: component},
		FirstTimestamp: now,
		LastTimestamp:  now,
		Count:          1,
	}
	select {
	case w.queue <- event:
	default:
		w.log.Warn("an Event about aws-auth was dropped: too many are waiting to be written")
	}
}
