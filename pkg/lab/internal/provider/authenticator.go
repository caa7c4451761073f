package provider

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// AuthenticatorUser is the authenticator's user in Kubernetes.
const AuthenticatorUser = "aws-iam-authenticator"

// The authenticator's files, in the lab's directory.
const (
	AuthenticatorDir = "authenticator"
	// AuthenticatorLog is the log of an authenticator that is a process.
	AuthenticatorLog = AuthenticatorDir + "/log"
	// AuthenticatorCertificate is its serving certificate.
	AuthenticatorCertificate = AuthenticatorDir + "/cert.pem"
	// AuthenticatorKubeconfig is its kubeconfig for kube-apiserver.
	AuthenticatorKubeconfig = AuthenticatorDir + "/kubeconfig"
	// WebhookKubeconfig is kube-apiserver's kubeconfig for it.
	WebhookKubeconfig = AuthenticatorDir + "/webhook.yaml"
)

// The files in which the lab, as the control plane of EKS does, hands the access entries of
// the cluster to the authenticator. Their directory is public: they have no secrets.
const (
	AccessDir = "access"
	// EntriesFile is the DynamicFile, and BackendModeFile that of the backend mode.
	EntriesFile     = "entries.json"
	BackendModeFile = "backend-mode.json"
)

// AccessArguments returns the flags for the files of access entries in a directory. They
// come with --backend-mode, which applies while the file of the backend mode is missing.
func AccessArguments(dir string) []string {
	return []string{
		"--dynamic-file=" + path.Join(dir, EntriesFile),
		"--dynamic-file-user-id-strict",
		"--dynamic-backend-mode-file=" + path.Join(dir, BackendModeFile),
	}
}

// InitAuthenticator runs `authenticator init` for the URL at which it will serve. That
// creates the serving certificate and the webhook's kubeconfig, which both must exist
// before kube-apiserver starts.
func (s Spec) InitAuthenticator(ctx context.Context, url string) error {
	if err := s.Dir.Mkdir(AuthenticatorDir); err != nil {
		return fmt.Errorf("making the authenticator's directory: %w", err)
	}
	command := exec.CommandContext(ctx, s.Authenticator, append([]string{"init"}, s.ServingArguments(url)...)...)
	command.Env = os.Environ()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("running authenticator init: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// ServingArguments returns the flags for the authenticator's address and files.
func (s Spec) ServingArguments(url string) []string {
	host, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	return []string{
		"--cluster-id", s.Cluster,
		"--state-dir", s.Path(AuthenticatorDir),
		"--generate-kubeconfig", s.Path(WebhookKubeconfig),
		"--hostname", host,
		"--address", host,
		"--port", port,
	}
}

// Tail returns the last lines of a log file, for an error message.
func Tail(dir *private.Dir, name string) string {
	text, err := dir.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
