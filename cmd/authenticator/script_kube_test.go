package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"
)

// kubeAPI serves a Kubernetes API until the script ends, and writes a kubeconfig for it.
// ConfigMap aws-auth is that of a file, or a status such as 403. The reviews of the
// user are answered with the JSON in a second file, or rejected if there is none:
// kubeapi KUBECONFIG AWSAUTH [REVIEW].
func kubeAPI(ts *testscript.TestScript, _ bool, args []string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/kube-system/configmaps/aws-auth", func(w http.ResponseWriter, _ *http.Request) {
		if status, err := strconv.Atoi(args[1]); err == nil {
			respondStatus(w, status)
			return
		}
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		if err == nil {
			text, err = yaml.YAMLToJSON(text)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		respond(w, text)
	})
	mux.HandleFunc("GET /apis/iamauthenticator.k8s.aws/", func(w http.ResponseWriter, _ *http.Request) {
		status, err := strconv.Atoi(args[1])
		if err != nil {
			status = http.StatusNotFound
		}
		respondStatus(w, status)
	})
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/selfsubjectreviews", func(w http.ResponseWriter, _ *http.Request) {
		if len(args) < 3 {
			respondStatus(w, http.StatusUnauthorized)
			return
		}
		respond(w, []byte(ts.ReadFile(args[2])))
	})
	server := httptest.NewTLSServer(mux) // without TLS, client-go sends no credentials
	ts.Defer(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	kubeconfig := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {server: %q, certificate-authority-data: %s}}\ncontexts:\n- {name: blue, context: {cluster: c}}\ncurrent-context: blue\n", server.URL, base64.StdEncoding.EncodeToString(ca))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(kubeconfig), 0o600))
}

func respond(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func respondStatus(w http.ResponseWriter, status int) { respondError(w, status, "no") }

func respondRefusal(w http.ResponseWriter, message string) {
	respondError(w, http.StatusForbidden, message)
}

func respondError(w http.ResponseWriter, status int, message string) {
	body, _ := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": status,
		"reason": map[int]string{401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}[status], "message": message,
	})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
