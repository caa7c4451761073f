package configmap_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) {
	// klog, which client-go logs with, has one goroutine that never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"))
}

// An apiServer lists one ConfigMap or none, and sends the watch events of a test. The
// e2e suite has a real API server.
type apiServer struct {
	url    string
	events chan string

	mu     sync.Mutex
	list   []corev1.ConfigMap
	posted []corev1.Event
	wrote  chan struct{}
}

func newAPIServer(t *testing.T, list ...corev1.ConfigMap) *apiServer {
	t.Helper()
	s := &apiServer{list: list, events: make(chan string, 16), wrote: make(chan struct{}, 16)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/events"):
		var event corev1.Event
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &event)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.posted = append(s.posted, event)
		s.mu.Unlock()
		fmt.Fprintf(w, "%s", body)
		s.wrote <- struct{}{}
	case r.URL.Query().Get("fieldSelector") != "metadata.name=aws-auth" || r.URL.Path != "/api/v1/namespaces/kube-system/configmaps":
		http.Error(w, "asked for more than aws-auth: "+r.URL.String(), http.StatusForbidden)
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	default:
		_ = json.NewEncoder(w).Encode(corev1.ConfigMapList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: s.list,
		})
	}
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("sendInitialEvents") == "true" { // like an API server that is too old for it
		http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`, http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case event := <-s.events:
			fmt.Fprintln(w, event)
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *apiServer) send(t *testing.T, kind string, configMap corev1.ConfigMap) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "object": configMap})
	if err != nil {
		t.Fatal(err)
	}
	s.events <- string(text)
}

func awsAuth(version, uid string, data map[string]string) corev1.ConfigMap {
	return corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: "kube-system", ResourceVersion: version, UID: types.UID(uid)},
		Data:       data,
	}
}

func bobIs(username string) map[string]string {
	return map[string]string{"mapUsers": "- userarn: arn:aws:iam::231144931069:user/bob\n  username: " + username + "\n"}
}

// follow returns a source that follows a server's aws-auth until the test ends.
func follow(t *testing.T, s *apiServer) (source *configmap.ConfigMap, read <-chan struct{}) {
	t.Helper()
	return followWithLog(t, s, slog.DiscardHandler)
}

func config(url string, log *slog.Logger) configmap.Config {
	return configmap.Config{REST: &rest.Config{Host: url}, Options: awsauth.Options{Source: "EKSConfigMap", Partition: "aws"}, Log: log}
}

// logReadings returns a log, and a channel that gets a value for each reading.
func logReadings(to slog.Handler) (*slog.Logger, <-chan struct{}) {
	return sourcetest.Log(to, "read aws-auth", "aws-auth was deleted", "there is no ConfigMap")
}

func followWithLog(t *testing.T, s *apiServer, to slog.Handler) (source *configmap.ConfigMap, read <-chan struct{}) {
	t.Helper()
	log, read := logReadings(to)
	source, err := configmap.New(config(s.url, log))
	if err != nil {
		t.Fatal(err)
	}
	if source.Current().Table != nil {
		t.Error("a table is in force before anything is read")
	}
	sourcetest.Follow(t, source)
	return source, read
}

func TestSource(t *testing.T) {
	newSource := func(t *testing.T, c configmap.Config) *configmap.ConfigMap {
		t.Helper()
		followed, err := configmap.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return followed
	}
	sourcetest.Run(t, sourcetest.Suite{
		Unread: func(t *testing.T) source.Source {
			forbidden := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
			t.Cleanup(forbidden.Close)
			return newSource(t, config(forbidden.URL, nil))
		},
		Make: func(t *testing.T, sections map[string]string) sourcetest.Place {
			var list []corev1.ConfigMap
			if sections != nil {
				list = append(list, awsAuth("1", "uid-1", sections))
			}
			s := newAPIServer(t, list...)
			log, read := logReadings(slog.DiscardHandler)
			last, version := list, 1
			await := func() { <-read }
			send := func(kind string, configMap corev1.ConfigMap) {
				s.send(t, kind, configMap)
				await()
			}
			return sourcetest.Place{
				Source: newSource(t, config(s.url, log)),
				Await:  await,
				Write: func(sections map[string]string) {
					version++
					kind, uid := "MODIFIED", ""
					if len(last) == 0 {
						kind, uid = "ADDED", fmt.Sprintf("uid-%d", version)
					} else {
						uid = string(last[0].UID)
					}
					last = []corev1.ConfigMap{awsAuth(strconv.Itoa(version), uid, sections)}
					send(kind, last[0])
				},
				Remove: func() {
					send("DELETED", last[0])
					last = nil
				},
			}
		},
	})
}

func TestConformance(t *testing.T) {
	source, read := follow(t, newAPIServer(t, awsAuth("1", "a", mappertest.Data())))
	<-read
	mappertest.Run(t, "EKSConfigMap", func() *mapper.Table { return source.Current().Table })
}

// TestEdits checks each change in the life of a ConfigMap.
func TestEdits(t *testing.T) {
	s := newAPIServer(t, awsAuth("1", "a", bobIs("first")))
	source, read := follow(t, s)
	<-read
	becomes := func(want string) {
		t.Helper()
		if got := sourcetest.Username(t, source, "bob"); got != want {
			t.Errorf("bob is %q, want %q", got, want)
		}
	}
	becomes("first")
	s.send(t, "MODIFIED", awsAuth("2", "a", bobIs("second")))
	<-read
	becomes("second")

	// A typo locks nobody out, and is reported in an Event.
	broken := awsAuth("3", "a", map[string]string{"mapUsers": "- userarn: x\n  username: {{SessionName}}:y\n"})
	s.send(t, "MODIFIED", broken)
	<-read
	if problems := source.Current().Problems; len(problems) != 1 {
		t.Errorf("%v", problems)
	}
	becomes("second")
	<-s.wrote
	s.mu.Lock()
	event := s.posted[0]
	s.mu.Unlock()
	if event.Reason != "SectionSyntax" || event.InvolvedObject.Name != "aws-auth" || event.InvolvedObject.UID != "a" || event.Namespace != "kube-system" ||
		event.Type != corev1.EventTypeWarning || !strings.Contains(event.Message, "mapUsers line 2") || !strings.Contains(event.Message, "quote the value") {
		t.Errorf("the Event is %+v", event)
	}

	// A deleted ConfigMap grants nothing; one created again inherits nothing.
	s.send(t, "DELETED", broken)
	<-read
	becomes("")
	s.send(t, "ADDED", awsAuth("5", "b", broken.Data))
	<-read
	becomes("")
	s.send(t, "MODIFIED", awsAuth("6", "b", bobIs("back")))
	<-read
	becomes("back")
}

// TestUnmapped checks that an identity that keeps trying without a mapping has an Event
// on the aws-auth that there is.
func TestUnmapped(t *testing.T) {
	const arn = "arn:aws:iam::231144931069:user/alice"
	s := newAPIServer(t, awsAuth("1", "a", bobIs("first")))
	log, readings := logReadings(slog.DiscardHandler)
	c := config(s.url, log)
	var later atomic.Int64
	c.Now = func() time.Time { return time.Unix(later.Load(), 0) }
	followed, err := configmap.New(c)
	if err != nil {
		t.Fatal(err)
	}
	followed.Unmapped(arn) // aws-auth is not read yet
	sourcetest.Follow(t, followed)
	<-readings
	followed.Unmapped(arn)
	later.Store(60)
	followed.Unmapped(arn)
	<-s.wrote
	s.mu.Lock()
	event := s.posted[0]
	s.mu.Unlock()
	if event.Reason != "Unmapped" || event.InvolvedObject.Name != "aws-auth" || event.InvolvedObject.UID != "a" || event.Namespace != "kube-system" ||
		event.Message != arn+" tries to sign in, but no mapping matches it. To see why, run: authenticator explain --arn '"+arn+"'" {
		t.Errorf("the Event is %+v", event)
	}
	s.send(t, "DELETED", awsAuth("2", "a", nil))
	<-readings
	<-s.wrote
	later.Store(3660)
	followed.Unmapped(arn) // an Event needs a ConfigMap to refer to
	later.Store(3720)
	followed.Unmapped(arn)
	s.send(t, "ADDED", awsAuth("3", "b", nil))
	<-readings
	followed.Unmapped(arn)
	later.Store(3780)
	followed.Unmapped(arn)
	<-s.wrote
	s.mu.Lock()
	defer s.mu.Unlock()
	if event := s.posted[2]; event.Reason != "Unmapped" || event.InvolvedObject.UID != "b" {
		t.Errorf("after aws-auth was created again, the Event is %+v", event)
	}
}

type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestDataIsNotText checks that data of a wrong type revokes nothing.
func TestDataIsNotText(t *testing.T) {
	s := newAPIServer(t, awsAuth("1", "a", bobIs("bob")))
	log := make(lines, 16)
	source, read := followWithLog(t, s, slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
	<-read
	s.events <- `{"type":"MODIFIED","object":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system","uid":"a","resourceVersion":"2"},"data":{"mapUsers":1}}}`
	if line := <-log; !strings.Contains(line, "its last good content stays in force") {
		t.Error(line)
	}
	if got := sourcetest.Username(t, source, "bob"); got != "bob" {
		t.Errorf("bob is %q", got)
	}
}

// TestNoConfigMap checks that without a ConfigMap the source is synced and maps nobody.
func TestNoConfigMap(t *testing.T) {
	s := newAPIServer(t)
	source, read := follow(t, s)
	<-read
	if table := source.Current().Table; table == nil || table.Len() != 0 {
		t.Errorf("the table in force is %+v, want an empty one", table)
	}
	s.send(t, "ADDED", awsAuth("2", "a", bobIs("added")))
	<-read
	if got := sourcetest.Username(t, source, "bob"); got != "added" {
		t.Errorf("bob is %q", got)
	}
}

// TestFailures checks that a forbidden list or watch is reported as a failure.
func TestFailures(t *testing.T) {
	for _, forbidden := range []string{"list", "watch"} {
		t.Run(forbidden, func(t *testing.T) {
			s := newAPIServer(t, awsAuth("1", "a", bobIs("bob")))
			var refused atomic.Bool
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				verb := "list"
				if r.URL.Query().Get("watch") != "" {
					verb = "watch"
				}
				if verb == forbidden && r.URL.Query().Get("sendInitialEvents") == "" {
					refused.Store(true)
					http.Error(w, "forbidden", http.StatusForbidden)
					return
				}
				s.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			failed := make(chan struct{}, 16)
			source, err := configmap.New(configmap.Config{
				REST: &rest.Config{Host: front.URL}, Options: awsauth.Options{Partition: "aws"},
				OnFailure: func() { failed <- struct{}{} },
			})
			if err != nil {
				t.Fatal(err)
			}
			sourcetest.Follow(t, source)
			select {
			case <-failed:
				if !refused.Load() {
					t.Error("OnFailure is called without a failure")
				}
			case <-time.After(time.Minute):
				t.Error("OnFailure is not called within a minute")
			}
			if forbidden == "list" && source.Current().Table != nil {
				t.Error("a table is in force, but nothing was read")
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := configmap.New(configmap.Config{}); err == nil {
		t.Error("New accepts an empty configuration")
	}
	if _, err := kube.RESTConfig(t.Context(), "nowhere", ""); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v", err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := kube.RESTConfig(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "--kubeconfig") {
		t.Errorf("%v", err)
	}
}
