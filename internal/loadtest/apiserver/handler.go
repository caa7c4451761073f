package apiserver

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// maxEvent bounds the Event that a client creates.
const maxEvent = 1 << 20

func (s *Standin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/kube-system/configmaps", s.listOrWatch)
	mux.HandleFunc("GET /api/v1/namespaces/kube-system/configmaps/{name}", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, apierrors.NewNotFound(corev1.Resource("configmaps"), r.PathValue("name")))
	})
	mux.HandleFunc("POST /api/v1/namespaces/kube-system/events", createEvent)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, apierrors.NewForbidden(corev1.Resource("configmaps"), "", nil))
	})
	return mux
}

// createEvent responds as if the Event were created.
func createEvent(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
	if err != nil {
		refuse(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(event)
}

func (s *Standin) listOrWatch(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Get("fieldSelector") != "metadata.name=aws-auth":
		refuse(w, apierrors.NewForbidden(corev1.Resource("configmaps"), "", nil))
	case query.Get("sendInitialEvents") == "true": // client-go then lists, as with an older API server
		refuse(w, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", nil))
	case query.Get("watch") != "":
		s.watch(w, r)
	default:
		awsAuth := s.current()
		respond(w, http.StatusOK, corev1.ConfigMapList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"},
			ListMeta: metav1.ListMeta{ResourceVersion: awsAuth.ResourceVersion},
			Items:    []corev1.ConfigMap{awsAuth},
		})
	}
}

// watch sends edits until the client is gone. A watch without a resource version
// begins with what exists.
func (s *Standin) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	if r.URL.Query().Get("resourceVersion") == "" {
		if was := send(w, watch.Added, s.current()); was.err != nil {
			return
		}
	}
	for {
		select {
		case e := <-s.edits:
			e.sent <- send(w, watch.Modified, s.put(e.data))
		case <-r.Context().Done():
			return
		}
	}
}

func send(w http.ResponseWriter, kind watch.EventType, awsAuth corev1.ConfigMap) sent {
	event, err := json.Marshal(map[string]any{"type": kind, "object": awsAuth})
	if err != nil {
		return sent{err: err}
	}
	at := time.Now()
	if _, err := w.Write(append(event, '\n')); err != nil {
		return sent{err: err}
	}
	return sent{at, http.NewResponseController(w).Flush()}
}

func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	respond(w, int(status.Code), status)
}

func respond(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}
