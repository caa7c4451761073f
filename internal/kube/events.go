package kube

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// component is the source of our Events.
const component = "aws-iam-authenticator"

// An eventWriter writes Events by and by, so that reporting a problem never
// delays what the ConfigMap says.
type eventWriter struct {
	client rest.Interface
	log    *slog.Logger
	queue  chan *corev1.Event
}

func newEventWriter(client rest.Interface, log *slog.Logger) *eventWriter {
	return &eventWriter{client, log, make(chan *corev1.Event, 64)}
}

func (w *eventWriter) run(ctx context.Context) {
	for {
		select {
		case event := <-w.queue:
			w.post(ctx, event)
		case <-ctx.Done():
			return
		}
	}
}

func (w *eventWriter) post(ctx context.Context, event *corev1.Event) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := w.client.Post().Namespace(event.Namespace).Resource("events").Body(event).Do(ctx).Error(); err != nil {
		w.log.Warn("writing an Event about aws-auth failed", "error", err)
	}
}

// write queues an Event; with the queue full it is dropped, for it is in the
// log too.
func (w *eventWriter) write(configMap *corev1.ConfigMap, problem awsauth.Problem) {
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: ConfigMapName + ".", Namespace: configMap.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: configMap.Namespace, Name: configMap.Name,
			UID: configMap.UID, ResourceVersion: configMap.ResourceVersion,
		},
		Reason:         string(problem.Code),
		Message:        problem.String(),
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
