package crd_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const resource = "/apis/iamauthenticator.k8s.aws/v1alpha1/iamidentitymappings"

// An apiServer holds IAMIdentityMappings. The e2e suite has a real API server.
type apiServer struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	version int
	objects map[string]map[string]any
	// watchers get each event.
	watchers map[chan string]bool
	// refusal answers every request if it is not 0; prunes removes conditions.
	refusal int
	prunes  bool
	lists   int
	patches []string
	// reported are the Events.
	reported []map[string]any
	gone     bool
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{t: t, objects: map[string]map[string]any{}, watchers: map[chan string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.url = server.URL
	return s
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	s.mu.Lock()
	refusal := s.refusal
	s.mu.Unlock()
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, resource), "/status")
	name = strings.TrimPrefix(name, "/")
	switch {
	case refusal != 0:
		reason := map[int]string{http.StatusNotFound: "NotFound", http.StatusForbidden: "Forbidden"}[refusal]
		fail(w, refusal, reason)
	case r.Method == http.MethodPost && r.URL.Path == "/api/v1/namespaces/kube-system/events":
		var event map[string]any
		_ = json.NewDecoder(r.Body).Decode(&event)
		s.mu.Lock()
		s.reported = append(s.reported, event)
		s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(event)
	case !strings.HasPrefix(r.URL.Path, resource):
		fail(w, http.StatusForbidden, "Forbidden")
	case r.Method == http.MethodPatch && path.Base(r.URL.Path) == "status":
		s.patch(w, r, name)
	case r.Method != http.MethodGet:
		fail(w, http.StatusForbidden, "Forbidden")
	case name != "":
		s.mu.Lock()
		defer s.mu.Unlock()
		if object, ok := s.objects[name]; ok {
			_ = json.NewEncoder(w).Encode(object)
		} else {
			fail(w, http.StatusNotFound, "NotFound")
		}
	case r.URL.Query().Get("sendInitialEvents") == "true": // like an API server that is too old for it
		fail(w, http.StatusUnprocessableEntity, "Invalid")
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lists++
		_ = json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMappingList",
			"metadata": map[string]any{"resourceVersion": strconv.Itoa(s.version)}, "items": slices.Collect(maps.Values(s.objects)),
		})
	}
}

func fail(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.gone {
		s.gone = false
		s.mu.Unlock()
		fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`)
		return
	}
	// The version of the list and the watch agree if nothing changed in between.
	since, events := r.URL.Query().Get("resourceVersion"), make(chan string, 10_000)
	if since != strconv.Itoa(s.version) {
		s.mu.Unlock()
		fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`)
		return
	}
	s.watchers[events] = true
	s.mu.Unlock()
	defer func() { s.mu.Lock(); delete(s.watchers, events); s.mu.Unlock() }()
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case event, open := <-events:
			if !open {
				return
			}
			fmt.Fprintln(w, event)
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// hangUp ends every watch; if gone is set, the next one has missed too much.
func (s *apiServer) hangUp(gone bool, change func()) {
	s.mu.Lock()
	for events := range s.watchers {
		close(events)
	}
	clear(s.watchers)
	s.gone = gone
	s.mu.Unlock()
	change()
}

func (s *apiServer) patch(w http.ResponseWriter, r *http.Request, name string) {
	var patch struct {
		Metadata struct{ ResourceVersion string }
		Status   map[string]any
	}
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
		fail(w, http.StatusBadRequest, "BadRequest")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	object, ok := s.objects[name]
	if !ok {
		fail(w, http.StatusNotFound, "NotFound")
		return
	}
	if metadata, _ := object["metadata"].(map[string]any); metadata["resourceVersion"] != patch.Metadata.ResourceVersion {
		fail(w, http.StatusConflict, "Conflict")
		return
	}
	s.patches = append(s.patches, name)
	status, _ := object["status"].(map[string]any)
	status = maps.Clone(status)
	if status == nil {
		status = map[string]any{}
	}
	for key, value := range patch.Status {
		if status[key] = value; value == nil || s.prunes && key == "conditions" {
			delete(status, key)
		}
	}
	changed := maps.Clone(object)
	changed["status"] = status
	s.save("MODIFIED", changed)
	_ = json.NewEncoder(w).Encode(s.objects[name])
}

// save keeps a version of an object and announces it.
func (s *apiServer) save(kind string, object map[string]any) {
	s.version++
	object = maps.Clone(object)
	metadata, _ := object["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata["resourceVersion"] = strconv.Itoa(s.version)
	object["metadata"] = metadata
	name, _ := metadata["name"].(string)
	if s.objects[name] = object; kind == "DELETED" {
		delete(s.objects, name)
	}
	event, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		s.t.Errorf("encoding an event: %v", err)
		return
	}
	for events := range s.watchers {
		events <- string(event)
	}
}

// A mapping is an object as an operator writes it. Age is in minutes.
type mapping struct {
	name, arn, username string
	groups              []string
	age                 int
}

// apply creates or updates objects.
func (s *apiServer) apply(mappings ...mapping) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range mappings {
		spec := map[string]any{"arn": m.arn, "username": m.username}
		if m.groups != nil {
			spec["groups"] = m.groups
		}
		s.write(m.name, m.age, spec)
	}
}

// write creates or updates an object with any spec.
func (s *apiServer) write(name string, age int, spec any) {
	kind, object, generation := "ADDED", map[string]any{}, 1
	metadata := map[string]any{
		"name": name, "uid": fmt.Sprintf("uid-%s-%d", name, s.version),
		"creationTimestamp": time.Date(2026, 1, 1, 0, -age, 0, 0, time.UTC).Format(time.RFC3339),
	}
	if before, ok := s.objects[name]; ok {
		kind, object = "MODIFIED", maps.Clone(before)
		metadata, _ = before["metadata"].(map[string]any)
		metadata = maps.Clone(metadata)
		generation, _ = metadata["generation"].(int)
		generation++
	}
	metadata["generation"] = generation
	object["apiVersion"], object["kind"], object["metadata"], object["spec"] = "iamauthenticator.k8s.aws/v1alpha1", "IAMIdentityMapping", metadata, spec
	s.save(kind, object)
}

func (s *apiServer) remove(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.save("DELETED", s.objects[name])
	}
}

func (s *apiServer) refuse(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = code
}

// inForce returns the condition of an object, without its time, and its canonical ARN.
func (s *apiServer) inForce(name string) (status, reason, message, canonicalARN string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written, _ := s.objects[name]["status"].(map[string]any)
	canonicalARN, _ = written["canonicalARN"].(string)
	conditions, _ := written["conditions"].([]any)
	for _, value := range conditions {
		if c, _ := value.(map[string]any); c["type"] == "InForce" {
			return fmt.Sprint(c["status"]), fmt.Sprint(c["reason"]), fmt.Sprint(c["message"]), canonicalARN
		}
	}
	return "", "", "", canonicalARN
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience = time.Minute
	timeout, tick := time.After(patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-timeout:
			t.Fatalf("not %s within %s", what, patience)
		case <-tick.C:
		}
	}
}
