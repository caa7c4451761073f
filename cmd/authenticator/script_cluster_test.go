package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"
)

// awsAuthServer serves a kube-apiserver that has only the ConfigMap aws-auth until the
// script ends, and writes its kubeconfig: awsauth FILE KUBECONFIG. Without the file, the
// ConfigMap does not exist.
func awsAuthServer(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		content, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil || r.URL.Path != "/api/v1/namespaces/kube-system/configmaps/aws-auth" {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
			return
		}
		object, err := yaml.YAMLToJSON(content)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(object)
	}))
	ts.Defer(server.Close)
	kubeconfig := fmt.Sprintf(`{"kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],`+
		`"clusters":[{"name":"c","cluster":{"server":%q}}],"users":[{"name":"u","user":{}}]}`, server.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(kubeconfig), 0o600))
}
