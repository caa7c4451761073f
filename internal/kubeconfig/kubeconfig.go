// Package kubeconfig writes kubeconfigs: the one with which a kube-apiserver finds the
// webhook, and entries of the ones with which people sign in.
package kubeconfig

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/file"
)

// A Client is the certificate with which a kube-apiserver identifies itself, and its
// key, as paths on the machine of the kube-apiserver. It reads them again when they
// change. The zero value means none.
type Client struct{ Certificate, Key string }

// Write writes the file that --authentication-token-webhook-config-file of a
// kube-apiserver names: the webhook's URL, and the certificates to trust there, as PEM.
// It contains no secret.
func Write(path, url string, trusted []byte, client Client) error {
	type object = map[string]any
	const cluster, user = "aws-iam-authenticator", "apiserver"
	identity := object{"name": user}
	if client != (Client{}) {
		identity["user"] = object{"client-certificate": client.Certificate, "client-key": client.Key}
	}
	text, err := yaml.Marshal(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []object{{"name": cluster, "cluster": object{"server": url, "certificate-authority-data": trusted}}},
		"users":           []object{identity},
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

// CheckWrite returns the error of [Write] for a path that is no regular file.
func CheckWrite(path string) error {
	if err := file.CheckWrite(path); err != nil {
		return fmt.Errorf("writing the kube-apiserver's kubeconfig: %w", err)
	}
	return nil
}
