package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// controlPlanePods are those of a cluster of kind with control planes a and b, and a pod
// that is not static.
func controlPlanePods() []corev1.Pod {
	pod := func(name string, labels map[string]string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Labels: labels, Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}}}
	}
	authenticator := map[string]string{"app.kubernetes.io/name": "authenticator", "k8s-app": "aws-iam-authenticator"}
	dns := pod("coredns-1", map[string]string{"k8s-app": "kube-dns"})
	dns.Annotations = nil
	return []corev1.Pod{
		dns, pod("aws-iam-authenticator-b", authenticator), pod("aws-iam-authenticator-a", authenticator),
		pod("etcd-a", map[string]string{"component": "etcd"}), pod("gone-a", nil),
	}
}

// labWithPods is a lab of provider kind whose API server calls answer for the log of a pod.
func labWithPods(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, pod string)) Info {
	t.Helper()
	const pods = "/api/v1/namespaces/kube-system/pods"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pods, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: controlPlanePods()})
	})
	mux.HandleFunc("GET "+pods+"/{pod}/log", func(w http.ResponseWriter, r *http.Request) { answer(w, r, r.PathValue("pod")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dir := privatetest.Open(t, privatetest.Path(t))
	if err := kubeconfig.Write(dir, kubeconfigFile, administratorContext, &api.Cluster{Server: server.URL}, &api.AuthInfo{}); err != nil {
		t.Fatal(err)
	}
	return Info{Provider: Kind, Kubeconfig: dir.Path(kubeconfigFile)}
}

func podLogOf(t *testing.T, info Info, part string) Log {
	t.Helper()
	logs, err := info.PodLogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if log.Part == part {
			return log
		}
	}
	t.Fatalf("no log of %s: %v", part, logs)
	return Log{}
}

// TestPodLogs lists and prints the logs of the static pods of kind.
func TestPodLogs(t *testing.T) {
	t.Parallel()
	info := labWithPods(t, func(w http.ResponseWriter, r *http.Request, pod string) {
		if pod == "gone-a" {
			http.Error(w, "no such pod", http.StatusNotFound)
			return
		}
		if r.FormValue("timestamps") != "true" || r.FormValue("follow") == "true" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		fmt.Fprintf(w, "2026-11-30T03:00:00.000000001Z one of %s\n2026-11-30T03:00:00.000000001Z two\nno time\n2026-11-30T03:00:01Z the end", pod)
	})
	logs, err := info.PodLogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]string{}
	for _, log := range logs {
		parts[log.Part] = log.Pods
	}
	if diff := cmp.Diff(map[string][]string{"authenticator": {"aws-iam-authenticator-a", "aws-iam-authenticator-b"}, "etcd": {"etcd-a"}, "gone-a": {"gone-a"}}, parts); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var b strings.Builder
	if err := podLogOf(t, info, "etcd").Copy(t.Context(), &b, false); err != nil || b.String() != "one of etcd-a\ntwo\nno time\nthe end\n" {
		t.Errorf("%v: %q", err, b.String())
	}
	b.Reset()
	if err := podLogOf(t, info, "authenticator").Copy(t.Context(), &b, false); err != nil || !strings.HasPrefix(b.String(), "[aws-iam-authenticator-a] one of aws-iam-authenticator-a\n") ||
		!strings.Contains(b.String(), "\n[aws-iam-authenticator-b] one of ") {
		t.Errorf("%v: %q", err, b.String())
	}
	for _, follow := range []bool{false, true} {
		if err := podLogOf(t, info, "gone-a").Copy(t.Context(), io.Discard, follow); err == nil || !strings.HasPrefix(err.Error(), "reading the log of pod gone-a: ") {
			t.Errorf("of a pod that is gone: %v", err)
		}
	}
	for _, none := range []Info{{}, {Provider: Envtest, Kubeconfig: info.Kubeconfig}, {Provider: Kind}} {
		if logs, err := none.PodLogs(t.Context()); len(logs) > 0 || err != nil {
			t.Errorf("%+v has %v, %v", none, logs, err)
		}
	}
	gone := labWithPods(t, nil)
	dir := privatetest.Open(t, filepath.Dir(gone.Kubeconfig))
	if err := kubeconfig.Write(dir, kubeconfigFile, administratorContext, &api.Cluster{Server: "http://127.0.0.1:1"}, &api.AuthInfo{}); err != nil {
		t.Fatal(err)
	}
	if _, err := gone.PodLogs(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "(the logs are in /var/log/pods on the nodes too)") {
		t.Errorf("without an API server: %v", err)
	}
	if _, err := (Info{Provider: Kind, Kubeconfig: "/nowhere"}).PodLogs(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "reading the kubeconfig of the lab: ") {
		t.Errorf("without a kubeconfig: %v", err)
	}
}

// TestFollowPodLog follows the log of a pod whose container restarts: each line is printed
// once, and the end of the stream is not the end of the log.
func TestFollowPodLog(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	info := labWithPods(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.FormValue("follow") != "true" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		switch opened.Add(1) {
		case 1: // the connection breaks within a line
			fmt.Fprint(w, "2026-11-30T03:00:00.1Z one\n2026-11-30T03:00:00.2Z tw")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			http.Error(w, "the container is being created", http.StatusBadRequest)
		case 3:
			if got := r.FormValue("sinceTime"); got != "2026-11-30T03:00:00Z" {
				t.Errorf("since %s", got)
			}
			fmt.Fprint(w, "2026-11-30T03:00:00.1Z one\n2026-11-30T03:00:00.2Z two\n")
		default:
			fmt.Fprint(w, "2026-11-30T03:00:00.2Z two\n2026-11-30T03:00:02Z three\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	log := podLogOf(t, info, "etcd")
	go func() {
		done <- log.Copy(ctx, writer, true)
		_ = writer.Close()
	}()
	const want = "one\ntwo\nthree\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != want {
		t.Errorf("printed %q, %v, want %q", got, err, want)
	}
	interrupt()
	if err := <-done; err != nil {
		t.Errorf("Copy = %v after an interruption, want nil", err)
	}
	if rest, err := io.ReadAll(reader); len(rest) > 0 || err != nil {
		t.Errorf("also printed %q, %v", rest, err)
	}
}

// TestFollowPods checks that a reader that leaves ends the streams of all pods.
func TestFollowPods(t *testing.T) {
	t.Parallel()
	info := labWithPods(t, func(w http.ResponseWriter, r *http.Request, pod string) {
		fmt.Fprintf(w, "2026-11-30T03:00:00Z of %s\n", pod)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	log := podLogOf(t, info, "authenticator")
	go func() { done <- log.Copy(t.Context(), writer, true) }()
	line := make([]byte, len("[aws-iam-authenticator-a] of"))
	if _, err := io.ReadFull(reader, line); err != nil || !strings.HasSuffix(string(line), "] of") {
		t.Errorf("%q, %v", line, err)
	}
	_ = reader.CloseWithError(io.ErrClosedPipe)
	if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Copy = %v", err)
	}
}
