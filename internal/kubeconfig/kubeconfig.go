// Package kubeconfig writes the kubeconfig with which a kube-apiserver finds the
// webhook.
package kubeconfig

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/file"
)

// Write writes the file that --authentication-token-webhook-config-file of a
// kube-apiserver names: the webhook's URL, and the one certificate to trust there.
// It contains no secret.
func Write(path, url string, certificate *tls.Certificate) error {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[len(certificate.Certificate)-1]})
	type object = map[string]any
	const cluster, user = "aws-iam-authenticator", "apiserver"
	text, err := yaml.Marshal(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []object{{"name": cluster, "cluster": object{"server": url, "certificate-authority-data": ca}}},
		"users":           []object{{"name": user}},
		"contexts":        []object{{"name": "webhook", "context": object{"cluster": cluster, "user": user}}},
		"current-context": "webhook",
	})
	if err != nil {
		return fmt.Errorf("encoding the kube-apiserver's kubeconfig: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the kube-apiserver's kubeconfig: %w", err)
	}
	if err := file.Write(path, text, 0o644); err != nil {
		return fmt.Errorf("writing the kube-apiserver's kubeconfig: %w", err)
	}
	return nil
}
