package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/kube-iam/authenticator/internal/cli"
)

const rightsMappings = `mapRoles:
- rolearn: arn:aws:iam::231144931069:role/Team
  username: team:{{SessionName}}
mapUsers:
- userarn: arn:aws:iam::231144931069:user/ann
  username: ann
  groups: [readers]
- userarn: arn:aws:iam::231144931069:user/root
  username: admin
  groups: [system:masters]
mapAccounts: ["111122223333"]
`

// rbacList answers with the objects of a resource of RBAC.
func rbacList(kind string, objects ...string) http.HandlerFunc {
	for i, object := range objects {
		objects[i] = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"` + kind + `",` + object + `}`
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"%sList","items":[%s]}`, kind, strings.Join(objects, ","))
	}
}

// rightsAPI is an API server with a little RBAC. Its SubjectAccessReviews allow
// everything to ann alone.
func rightsAPI(t *testing.T) (url string, asked *authorizationv1.SubjectAccessReviewSpec) {
	t.Helper()
	asked = &authorizationv1.SubjectAccessReviewSpec{}
	groups := func(list string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[%s]}`, list)
		}
	}
	const rbac = "/apis/rbac.authorization.k8s.io/v1/"
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"/api":  groups(`{"metadata":{},"versions":[{"version":"v1","resources":[{"resource":"pods","scope":"Namespaced","shortNames":["po"],"subresources":[{"subresource":"log"}]},{"resource":"nodes","scope":"Cluster"}]}]}`),
		"/apis": groups(""),
		rbac + "clusterroles": rbacList("ClusterRole", `"metadata":{"name":"view"},"rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}]`,
			`"metadata":{"name":"empty"}`),
		rbac + "roles": rbacList("Role"),
		rbac + "clusterrolebindings": rbacList("ClusterRoleBinding",
			`"metadata":{"name":"readers"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"Group","name":"readers"}]`,
			`"metadata":{"name":"dangling"},"roleRef":{"kind":"ClusterRole","name":"gone"},"subjects":[{"kind":"User","name":"ann"}]`,
			`"metadata":{"name":"hollow"},"roleRef":{"kind":"ClusterRole","name":"empty"},"subjects":[{"kind":"User","name":"ann"}]`),
		rbac + "rolebindings": rbacList("RoleBinding",
			`"metadata":{"name":"team","namespace":"dev"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","name":"team:a-b"},{"kind":"User","name":"arn:aws:iam::111122223333:root"},{"kind":"User","name":"ann"}]`),
		"/apis/authorization.k8s.io/v1/subjectaccessreviews": func(w http.ResponseWriter, r *http.Request) {
			var review authorizationv1.SubjectAccessReview
			if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
				t.Error(err)
			}
			*asked = review.Spec
			review.Status.Allowed = asked.User == "ann" || asked.User == "admin"
			if asked.User == "ann" {
				review.Status.Reason = "because"
			} else {
				review.Status.EvaluationError = "confused"
			}
			_ = json.NewEncoder(w).Encode(review)
		},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			handler(w, r)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, asked
}

// forbiddingAPI is an API server that forbids everything.
func forbiddingAPI(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"User \"x\" cannot do it"}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// explainRights runs explain with the mappings above and a cluster. It returns what it
// printed, its exit code and its error with the hint.
func explainRights(t *testing.T, url string, args ...string) (out string, code int, message string) {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	mappings := filepath.Join(dir, "aws-auth.yaml")
	for path, content := range map[string]string{mappings: rightsMappings, kubeconfig: `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "` + url + `"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), append([]string{"explain", "-f", mappings, "--kubeconfig", kubeconfig}, args...), nil, cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	if coded, ok := errors.AsType[*cli.Error](err); ok {
		return stdout.String(), coded.Code, coded.Error() + "; " + coded.Hint
	}
	if err != nil {
		return stdout.String(), cli.ExitFailure, err.Error()
	}
	return stdout.String(), 0, ""
}

const (
	ann  = "--arn=arn:aws:iam::231144931069:user/ann"
	root = "--arn=arn:aws:iam::231144931069:user/root"
	team = "--arn=arn:aws:iam::231144931069:role/Team"
)

func TestExplainRights(t *testing.T) {
	t.Parallel()
	url, _ := rightsAPI(t)
	for _, test := range []struct {
		args []string
		code int
		want []string
		not  string
	}{
		{args: []string{ann, "--can-i", "get", "pods/log", "-n", "dev"}, want: []string{"May ann get pods/log in namespace dev? yes: because\n"}},
		{args: []string{root, "--can-i", "delete", "nodes"}, want: []string{"May admin delete nodes? yes: system:masters may do everything, whatever RBAC says; confused\n"}},
		{args: []string{team, "--can-i", "get", "/healthz"}, code: 1, want: []string{
			"May team:<session name> get /healthz? no: no authorizer allows it; confused\n", "name the session with --session"}, not: "all namespaces"},
		{args: []string{team, "--session=alice", "--can-i", "get", "po"}, code: 1, want: []string{
			"May team:alice get pods in all namespaces? no", "ask about one with --namespace"}, not: "Note:"},
		{args: []string{ann, "--rights"}, want: []string{
			"Rights of ann (by RBAC alone:",
			"ClusterRoleBinding dangling  *          User ann       ClusterRole gone   none      ClusterRole gone does not exist, so this binding grants nothing\n",
			"ClusterRoleBinding hollow    *          User ann       ClusterRole empty  none      the role has no rules\n",
			"ClusterRoleBinding readers   *          Group readers  ClusterRole view   get,list  pods\n",
			"RoleBinding team             dev        User ann       ClusterRole view   get,list  pods\n",
		}, not: "system:masters"},
		{args: []string{ann, "--rights", "-n", "other"}, want: []string{"readers"}, not: "RoleBinding team"},
		{args: []string{root, "--rights"}, want: []string{"system:masters may do everything, whatever RBAC says.\n", "No binding is for this user or its groups.\n"}},
		{args: []string{ann, "--rights", "--can-i", "get", "pods", "-o", "json"}, want: []string{
			`"allowed": true`, `"missing": true`, `"namespace": "dev"`, `"result": "mapped"`, `"verbs": [`}},
		{args: []string{"--arn=arn:aws:iam::231144931069:user/nobody", "--can-i", "get", "pods"}, code: exitNotMapped, want: []string{"NOT MAPPED"}, not: "May"},
		{args: []string{"--who", "get", "pods"}, want: []string{
			"Who may get pods (by RBAC alone:",
			"arn:aws:iam::231144931069:user/ann   ann                             mapUsers line 5      *          ClusterRoleBinding readers of ClusterRole view to Group readers              always\n",
			"arn:aws:iam::231144931069:user/root  admin                           mapUsers line 8      *          Group system:masters ",
			"the session is a-b (each - may be @)\n",
			"arn:aws:iam::111122223333:root       arn:aws:iam::111122223333:root  mapAccounts line 11",
		}},
		{args: []string{"--who", "get", "pods", "-n", "other"}, want: []string{"Who may get pods in namespace other"}, not: "RoleBinding team"},
		{args: []string{"--who", "get", "pods", "--cluster-owner-arn=arn:aws:iam::231144931069:role/Owner", "-o", "yaml"}, want: []string{
			"who: arn:aws:iam::231144931069:role/Owner", "source: cluster owner", "SessionName: a-b"}},
		{args: []string{"--who", "get", "nodes"}, want: []string{"user/root"}, not: "user/ann"},
	} {
		out, code, message := explainRights(t, url, test.args...)
		if code != test.code {
			t.Errorf("%v: exit code %d (%s), want %d", test.args, code, message, test.code)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in\n%s", test.args, want, out)
			}
		}
		if test.not != "" && strings.Contains(out, test.not) {
			t.Errorf("%v: %q in\n%s", test.args, test.not, out)
		}
	}
}

func TestExplainRightsErrors(t *testing.T) {
	t.Parallel()
	url, _ := rightsAPI(t)
	denied := forbiddingAPI(t)
	for _, test := range []struct {
		url  string
		args []string
		code int
		want string
	}{
		{url, []string{ann, "--can-i"}, cli.ExitUsage, "two arguments, VERB RESOURCE"},
		{url, []string{ann, "--can-i", "get"}, cli.ExitUsage, "two arguments, VERB RESOURCE"},
		{url, []string{ann, "get", "pods"}, cli.ExitUsage, `unexpected argument "get"`},
		{url, []string{ann, "--rights", "get"}, cli.ExitUsage, `unexpected argument "get"`},
		{url, []string{ann, "-n", "dev"}, cli.ExitUsage, "--namespace requires"},
		{url, []string{ann, "--who", "get", "pods"}, cli.ExitUsage, "omit --token, --arn and --as-me"},
		{url, []string{"--who", "--rights", "get", "pods"}, cli.ExitUsage, "cannot be combined"},
		{url, []string{"--who", "get", "podz"}, cli.ExitUsage, `no resource "podz"; did you mean pods?`},
		{url, []string{"--who", "get", "unheard-of"}, cli.ExitUsage, "kubectl api-resources"},
		{url, []string{ann, "--can-i", "get", "pods/"}, cli.ExitUsage, "expected RESOURCE"},
		{url, []string{"--can-i", "get", "pods"}, cli.ExitUsage, "the question is missing"},
		{denied, []string{ann, "--rights"}, 1, "you may not list clusterroles.rbac.authorization.k8s.io in this cluster: User \"x\" cannot do it; use a kubeconfig whose user may list roles"},
		{denied, []string{"--who", "get", "/healthz"}, 1, "you may not list clusterroles.rbac.authorization.k8s.io"},
		{denied, []string{ann, "--can-i", "get", "/healthz"}, 1, "you may not create subjectaccessreviews.authorization.k8s.io"},
		{denied, []string{ann, "--can-i", "get", "pods"}, 1, "discovering the resources"},
	} {
		_, code, message := explainRights(t, test.url, test.args...)
		if code != test.code || !strings.Contains(message, test.want) {
			t.Errorf("%v: exit code %d, %q; want %d, %q", test.args, code, message, test.code, test.want)
		}
	}
}

// TestCanIAsksAboutTheServersUser: the API server must see the user that the server
// would return, but nothing that is unknown.
func TestCanIAsksAboutTheServersUser(t *testing.T) {
	t.Parallel()
	url, asked := rightsAPI(t)
	if _, _, message := explainRights(t, url, team, "--session=alice", "--user-id=AROAEXAMPLE", "--can-i", "get", "pods"); !strings.Contains(message, "exit code 1") {
		t.Error(message)
	}
	if asked.User != "team:alice" || asked.UID != "aws-iam-authenticator:231144931069:AROAEXAMPLE" || fmt.Sprint(asked.Groups) != "[system:authenticated]" {
		t.Errorf("asked about %+v", asked)
	}
	if got := fmt.Sprint(asked.Extra["sessionName"], asked.Extra["canonicalArn"], asked.Extra["principalId"]); got != "[alice] [arn:aws:iam::231144931069:role/Team] [AROAEXAMPLE]" {
		t.Error(got)
	}
	if _, has := asked.Extra["accessKeyId"]; has {
		t.Error("asked about an access key that is unknown")
	}
	explainRights(t, url, ann, "--can-i", "get", "pods")
	if asked.UID != "" || fmt.Sprint(asked.Groups) != "[readers system:authenticated]" {
		t.Errorf("asked about %+v", asked)
	}
}

// TestWhoHeedsReservedPrefixes: the server denies what a reserved prefix forbids, so
// nobody has the right by that mapping.
func TestWhoHeedsReservedPrefixes(t *testing.T) {
	t.Parallel()
	url, _ := rightsAPI(t)
	path := filepath.Join(t.TempDir(), "config.yaml")
	config := `server:
  mapUsers:
  - {userARN: "arn:aws:iam::231144931069:user/ann", username: ann, groups: [readers]}
  - {userARN: "arn:aws:iam::231144931069:user/eve", username: "system:eve", groups: [readers]}
  reservedPrefixConfig:
  - backendMode: MountedFile
    usernamePrefixReserveList: ["system:"]
`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code, message := explainRights(t, url, "-f", "", "--config", path, "--who", "list", "pods")
	if code != 0 || !strings.Contains(out, "user/ann") || strings.Contains(out, "eve") {
		t.Errorf("%s\nexit code %d, %s", out, code, message)
	}
}

func TestWhoNeedsMappings(t *testing.T) {
	t.Parallel()
	denied := forbiddingAPI(t)
	_, code, message := explainRights(t, denied, "-f", "", "--who", "get", "/healthz")
	if code != cli.ExitFailure || !strings.Contains(message, "reading the mappings of EKSConfigMap: ") || !strings.Contains(message, "cannot do it") {
		t.Errorf("exit code %d, %s", code, message)
	}
}

func TestWhoIsBounded(t *testing.T) {
	t.Parallel()
	url, _ := rightsAPI(t)
	path := filepath.Join(t.TempDir(), "many.yaml")
	var many strings.Builder
	many.WriteString("mapUsers:\n")
	for i := range 10_000 + 1 {
		fmt.Fprintf(&many, "- {userarn: 'arn:aws:iam::231144931069:user/u%d', username: u, groups: [readers]}\n", i)
	}
	if err := os.WriteFile(path, []byte(many.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code, _ := explainRights(t, url, "-f", path, "--who", "get", "pods")
	if lines := strings.Count(out, "\n"); code != 0 || lines != 10_000+3 || !strings.HasSuffix(out, "\nThese are the first 10000: there are more.\n") {
		t.Errorf("exit code %d, %d lines", code, lines)
	}
}
