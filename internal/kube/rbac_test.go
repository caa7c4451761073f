package kube_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/rights"
)

// newAPI returns an API server with handlers by path.
func newAPI(t *testing.T, handlers map[string]http.HandlerFunc) (*rest.Config, dynamic.Interface) {
	t.Helper()
	mux := http.NewServeMux()
	for path, handler := range handlers {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			handler(w, r)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1}
	client, err := kube.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return config, client
}

const rbacPath = "/apis/rbac.authorization.k8s.io/v1/"

// list answers with a list of a kind, two items a page.
func list(kind string, items ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		next, to := "", len(items)
		if from+2 < to {
			to = from + 2
			next = strconv.Itoa(to)
		}
		typed := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"` + kind
		var page []string
		for _, item := range items[from:to] {
			page = append(page, strings.Replace(item, "{", typed+`",`, 1))
		}
		fmt.Fprintf(w, `%sList","metadata":{"continue":%q},"items":[%s]}`, typed, next, strings.Join(page, ","))
	}
}

func forbidden(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"User \"x\" cannot do it"}`)
}

func exampleRBAC() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		rbacPath + "clusterroles": list("ClusterRole",
			`{"metadata":{"name":"view"},"aggregationRule":{"clusterRoleSelectors":[{}]},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`,
			`{"metadata":{"name":"none"},"rules":null}`,
			`{"metadata":{"name":"health"},"rules":[{"verbs":["get"],"nonResourceURLs":["/healthz"]}]}`),
		rbacPath + "roles": list("Role", `{"metadata":{"name":"edit","namespace":"dev"},"rules":[{"verbs":["*"],"apiGroups":["apps"],"resources":["*"],"resourceNames":["a"]}]}`),
		rbacPath + "clusterrolebindings": list("ClusterRoleBinding",
			`{"metadata":{"name":"a"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","name":"ann"}]}`,
			`{"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"none"}}`,
			`{"metadata":{"name":"c"},"roleRef":{"kind":"ClusterRole","name":"health"},"subjects":[{"kind":"Group","name":"g"}]}`,
			`{"metadata":{"name":"d"},"roleRef":{"kind":"ClusterRole","name":"gone"},"subjects":[{"kind":"Group","name":"g"}]}`),
		rbacPath + "rolebindings": list("RoleBinding", `{"metadata":{"name":"e","namespace":"dev"},"roleRef":{"kind":"Role","name":"edit"},"subjects":[{"kind":"User","name":"ann"}]}`),
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	_, client := newAPI(t, exampleRBAC())
	policy, err := kube.Policy(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, grant := range policy.Of(rights.User{Name: "ann", Groups: []string{"g"}}) {
		got = append(got, fmt.Sprintf("%s %t %d", grant.Binding.Name, grant.Missing, len(grant.Rules)))
	}
	if strings.Join(got, " ") != "a false 1 c false 1 d true 0 e false 1" {
		t.Error(got)
	}
	if grants := policy.Granting(rights.Action{Verb: "delete", Group: "apps", Resource: "deployments", Name: "a"}); len(grants) != 1 || grants[0].Binding.Namespace != "dev" {
		t.Error(grants)
	}
}

func TestPolicyNamesTheMissingRight(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"clusterroles", "roles", "clusterrolebindings", "rolebindings"} {
		handlers := exampleRBAC()
		handlers[rbacPath+resource] = forbidden
		_, client := newAPI(t, handlers)
		_, err := kube.Policy(t.Context(), client)
		if missing, ok := errors.AsType[*kube.MissingRightError](err); !ok || missing.Verb != "list" || missing.Resource != resource+".rbac.authorization.k8s.io" {
			t.Errorf("%s: %v", resource, err)
		}
		handlers[rbacPath+resource] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
		_, client = newAPI(t, handlers)
		if _, err := kube.Policy(t.Context(), client); err == nil || !strings.HasPrefix(err.Error(), "listing "+resource+": ") {
			t.Errorf("%s: %v", resource, err)
		}
	}
}

// TestPolicyIsBounded lists forever.
func TestPolicyIsBounded(t *testing.T) {
	t.Parallel()
	item := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"r"}}`
	page := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleList","metadata":{"continue":"more"},"items":[` + strings.Repeat(item+",", 4999) + item + `]}`
	_, client := newAPI(t, map[string]http.HandlerFunc{rbacPath + "clusterroles": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }})
	if _, err := kube.Policy(t.Context(), client); err == nil || !strings.Contains(err.Error(), "listing clusterroles: there are more than 100000") {
		t.Error(err)
	}
}

func TestCanI(t *testing.T) {
	t.Parallel()
	var asked authorizationv1.SubjectAccessReview
	_, client := newAPI(t, map[string]http.HandlerFunc{"POST /apis/authorization.k8s.io/v1/subjectaccessreviews": func(w http.ResponseWriter, r *http.Request) {
		asked = authorizationv1.SubjectAccessReview{}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		answer := asked
		answer.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: asked.Spec.User == "ann", Reason: "because"}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(answer)
	}})
	ann := authorizationv1.SubjectAccessReviewSpec{
		User: "ann", Groups: []string{"g"}, UID: "1", Extra: map[string]authorizationv1.ExtraValue{"arn": {"a"}},
	}
	status, err := kube.CanI(t.Context(), client, ann, rights.Action{Verb: "get", Resource: "pods", Subresource: "log", Name: "web", Namespace: "dev"})
	if err != nil || !status.Allowed || status.Reason != "because" {
		t.Errorf("%+v, %v", status, err)
	}
	if a := asked.Spec.ResourceAttributes; a == nil || *a != (authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods", Subresource: "log", Name: "web", Namespace: "dev"}) {
		t.Errorf("asked %+v", a)
	}
	if asked.Spec.Extra["arn"][0] != "a" || asked.Spec.Groups[0] != "g" || asked.Spec.UID != "1" {
		t.Errorf("asked for %+v", asked.Spec)
	}
	if status, err = kube.CanI(t.Context(), client, authorizationv1.SubjectAccessReviewSpec{User: "bob"}, rights.Action{Verb: "get", Path: "/healthz"}); err != nil || status.Allowed {
		t.Errorf("%+v, %v", status, err)
	}
	if a := asked.Spec.NonResourceAttributes; a == nil || a.Path != "/healthz" || asked.Spec.ResourceAttributes != nil {
		t.Errorf("asked %+v", asked.Spec)
	}

	_, client = newAPI(t, map[string]http.HandlerFunc{"/": forbidden})
	_, err = kube.CanI(t.Context(), client, ann, rights.Action{Verb: "get", Resource: "pods"})
	if missing, ok := errors.AsType[*kube.MissingRightError](err); !ok || missing.Verb != "create" {
		t.Error(err)
	}
}

const discovery = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[{"metadata":{"name":%q},"versions":[
  {"version":"v2","resources":[{"resource":"things","scope":"Namespaced","singularResource":"thing","shortNames":["th"],"subresources":[{"subresource":"log"}]}]},
  {"version":"v1","resources":[{"resource":"things","scope":"Namespaced","subresources":[{"subresource":"old"},{"subresource":"log"}]},{"resource":"places","scope":"Cluster"}]}]}]}`

func TestResources(t *testing.T) {
	t.Parallel()
	group := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(strings.Join(r.Header["Accept"], ","), "v=v2;") {
				t.Errorf("accepts %s", r.Header["Accept"])
			}
			fmt.Fprintf(w, discovery, name)
		}
	}
	config, _ := newAPI(t, map[string]http.HandlerFunc{"/api": group(""), "/apis": group("x.example")})
	resources, err := kube.Resources(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	want := "[{ things thing [th] [log old] true} { places  [] [] false} {x.example things thing [th] [log old] true} {x.example places  [] [] false}]"
	if got := fmt.Sprint(resources); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for body, want := range map[string]string{
		`{"kind":"APIGroupList"}`:               "Kubernetes 1.26 or newer",
		`{`:                                     "/api: unexpected end",
		`"` + strings.Repeat("x", 17<<20) + `"`: "more than 16 MiB",
	} {
		config, _ := newAPI(t, map[string]http.HandlerFunc{"/api": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }})
		if _, err := kube.Resources(t.Context(), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s: %v, want %s", body, err, want)
		}
	}
	config, _ = newAPI(t, map[string]http.HandlerFunc{"/": forbidden})
	if _, err := kube.Resources(t.Context(), config); err == nil || !strings.HasPrefix(err.Error(), "discovering the resources") {
		t.Error(err)
	}
}
