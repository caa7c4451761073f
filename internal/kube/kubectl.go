package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/shell"
)

// Client is a client of an API server.
type Client = dynamic.Interface

// Kubectl reaches an API server as kubectl does, for a person.
type Kubectl struct {
	Kubeconfig, Context string
	// Timeout is the time limit of a request to the API server.
	Timeout time.Duration
	// UserAgent is that of the requests.
	UserAgent string
	// Err takes the warnings of the API server.
	Err io.Writer
}

// Config returns the configuration for the API server.
func (k *Kubectl) Config() (*rest.Config, error) {
	if k.Timeout <= 0 {
		return nil, cli.Usagef("--timeout %s: must be positive", k.Timeout)
	}
	config, err := restConfig(userConfig(k.Kubeconfig, k.Context))
	if err != nil {
		return nil, cli.Usagef("%w", err)
	}
	config.UserAgent, config.Timeout = k.UserAgent, k.Timeout
	config.WarningHandler = rest.NewWarningWriter(warnings{k.Err}, rest.WarningWriterOptions{Deduplicate: true})
	return config, nil
}

// Client returns a client of the API server.
func (k *Kubectl) Client() (Client, error) {
	config, err := k.Config()
	if err != nil {
		return nil, err
	}
	return NewClient(config)
}

// Flags returns the flags of kubectl as they were given.
func (k *Kubectl) Flags() (words []string) {
	if k.Kubeconfig != "" {
		words = append(words, "--kubeconfig", k.Kubeconfig)
	}
	if k.Context != "" {
		words = append(words, "--context", k.Context)
	}
	return words
}

// Command returns a command of kubectl for the API server, as a line for a shell.
func (k *Kubectl) Command(words ...string) string {
	return shell.Join(slices.Concat([]string{"kubectl"}, k.Flags(), words)...)
}

// EditAWSAuth returns the command that edits aws-auth.
func (k *Kubectl) EditAWSAuth() string {
	return k.Command("--namespace", "kube-system", "edit", "configmap", "aws-auth")
}

// ListContexts returns the command that lists the contexts of the kubeconfig.
func (k *Kubectl) ListContexts() string {
	return (&Kubectl{Kubeconfig: k.Kubeconfig}).Command("config", "get-contexts")
}

// warnings writes the warnings of the API server as this program's.
type warnings struct{ io.Writer }

func (w warnings) Write(line []byte) (int, error) {
	text := strings.TrimSpace(strings.TrimPrefix(string(line), "Warning: "))
	if _, err := fmt.Fprintf(w.Writer, "authenticator: warning: %s\n", cli.Printable(text)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// GetAWSAuth returns the ConfigMap aws-auth of the cluster, nil if there is none.
func GetAWSAuth(ctx context.Context, client Client) (*unstructured.Unstructured, error) {
	configMap, err := ConfigMaps(client).Get(ctx, AWSAuth, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("getting ConfigMap kube-system/aws-auth: %w", WithTimeout(err))
	}
	return configMap, nil
}

// WithTimeout returns the error of a request with its remedy if no server answered it.
func WithTimeout(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("the API server does not answer (--timeout sets how long to wait): %w", err)
	}
	return err
}
