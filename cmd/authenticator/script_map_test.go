package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A mapServer is a Kubernetes API with the ConfigMaps of kube-system, nodes and the
// review of the caller, all kept as files of the script.
type mapServer struct {
	ts *testscript.TestScript

	mu sync.Mutex
	// version is the last resourceVersion.
	version int
	// conflicts is how many of the next updates of aws-auth conflict.
	conflicts int
	objects   map[string]map[string]any
	nodes     string
	review    string
	// guard judges updates of aws-auth; nil allows all.
	guard *admission.Guard
	// warning goes with every answer, unless it is empty.
	warning string
}

// mapAPI serves a Kubernetes API until the script ends, and writes a kubeconfig for it:
// mapapi KUBECONFIG [aws-auth=FILE] [history[=FILE]] [lastgood=FILE] [nodes=FILE] [review=FILE] [conflicts=N] [guard] [warning=TEXT].
// What is not named does not exist, or is forbidden.
func mapAPI(ts *testscript.TestScript, _ bool, args []string) {
	s := &mapServer{ts: ts, version: 10, objects: map[string]map[string]any{}}
	for _, arg := range args[1:] {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "aws-auth":
			var object map[string]any
			ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(value)), &object))
			s.put("aws-auth", object)
		case "history":
			object := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "aws-auth-history", "namespace": "kube-system"}}
			if value != "" {
				ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(value)), &object))
			}
			s.put("aws-auth-history", object)
		case "lastgood":
			var object map[string]any
			ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(value)), &object))
			s.put("aws-auth-last-good", object)
		case "nodes":
			s.nodes = ts.ReadFile(value)
		case "review":
			s.review = ts.ReadFile(value)
		case "warning":
			s.warning = value
		case "guard":
			s.guard = admission.New(admission.Config{
				Reading: func() *awsauth.Result { return nil }, Nodes: lockout.UnknownNodes{Reason: errors.New("the server has just started")},
			})
		case "conflicts":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			s.conflicts = n
		default:
			ts.Fatalf("unknown argument %s", arg)
		}
	}
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	ts.Setenv("MAPAPI", server.URL)
	kubeconfig := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {server: %q}}\ncontexts:\n- {name: blue, context: {cluster: c}}\ncurrent-context: blue\n", server.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(kubeconfig), 0o600))
}

// put stores an object with the next version. It needs the lock, or no other user.
func (s *mapServer) put(name string, object map[string]any) {
	s.version++
	metadata, _ := object["metadata"].(map[string]any)
	if metadata["uid"] == nil {
		metadata["uid"] = "uid-" + name
	}
	metadata["resourceVersion"] = strconv.Itoa(s.version)
	s.objects[name] = object
}

func (s *mapServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const configMaps = "/api/v1/namespaces/kube-system/configmaps"
	if s.warning != "" {
		w.Header().Add("Warning", `299 - "`+s.warning+`"`)
	}
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, configMaps), "/")
	switch {
	case r.URL.Path == "/annotations": // for scripts: those of aws-auth
		metadata, _ := s.objects["aws-auth"]["metadata"].(map[string]any)
		_ = json.NewEncoder(w).Encode(metadata["annotations"])
	case r.URL.Path == "/data": // for scripts: the data of aws-auth
		data, _ := s.objects["aws-auth"]["data"].(map[string]any)
		for _, section := range []string{"mapRoles", "mapUsers", "mapAccounts"} {
			if text, ok := data[section]; ok {
				fmt.Fprintf(w, "== %s\n%s", section, text)
			}
		}
	case r.URL.Path == "/api/v1/nodes" && s.nodes != "":
		text, err := yaml.YAMLToJSON([]byte(s.nodes))
		if err != nil {
			respondStatus(w, http.StatusInternalServerError)
			return
		}
		respond(w, text)
	case r.URL.Path == "/apis/authentication.k8s.io/v1/selfsubjectreviews" && s.review != "":
		respond(w, []byte(s.review))
	case !strings.HasPrefix(r.URL.Path, configMaps):
		respondStatus(w, http.StatusForbidden)
	case r.Method == http.MethodPost:
		object := s.decode(r)
		metadata, _ := object["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		s.put(name, object)
		s.answer(w, name)
	case s.objects[name] == nil:
		respondStatus(w, http.StatusNotFound)
	case r.Method == http.MethodPut:
		object := s.decode(r)
		if name == "aws-auth" && s.conflicts > 0 {
			s.conflicts--
			data, _ := s.objects[name]["data"].(map[string]any)
			text, _ := data["mapUsers"].(string)
			data["mapUsers"] = "# somebody else was here\n" + text
			s.put(name, s.objects[name])
		}
		metadata, _ := object["metadata"].(map[string]any)
		current, _ := s.objects[name]["metadata"].(map[string]any)
		if metadata["resourceVersion"] != current["resourceVersion"] {
			respondStatus(w, http.StatusConflict)
			return
		}
		if refusal := s.judge(name, object); refusal != "" {
			respondRefusal(w, refusal)
			return
		}
		s.put(name, object)
		s.answer(w, name)
	default:
		s.answer(w, name)
	}
}

// judge returns why the guard refuses an update; empty if it does not.
func (s *mapServer) judge(name string, object map[string]any) string {
	if s.guard == nil {
		return ""
	}
	edit := admission.Edit{Name: name, Old: &unstructured.Unstructured{Object: s.objects[name]}, New: &unstructured.Unstructured{Object: object}}
	verdict, err := s.guard.Judge(edit)
	if s.ts.Check(err); !verdict.Refused() {
		return ""
	}
	return fmt.Sprintf("the webhook denied the request: %s: %s: %s", strings.Join(verdict.Losses, "; "), admission.Annotation, admission.Hash(name, edit.Old, edit.New))
}

func (s *mapServer) decode(r *http.Request) map[string]any {
	var object map[string]any
	_ = json.NewDecoder(r.Body).Decode(&object)
	return object
}

func (s *mapServer) answer(w http.ResponseWriter, name string) {
	text, _ := json.Marshal(s.objects[name])
	respond(w, text)
}

// fetch writes the body of a URL to a file: fetch URL FILE.
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	answer, err := http.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	file, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	defer file.Close()
	_, err = file.ReadFrom(answer.Body)
	ts.Check(err)
}
