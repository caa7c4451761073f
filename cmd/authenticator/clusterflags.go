package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/shell"
)

// clusterFlags are the flags of the commands for people that name a cluster, with the
// meaning that they have in kubectl.
type clusterFlags struct {
	kubeconfig, context string
	// timeout is the time limit of a request to the API server.
	timeout time.Duration
}

func (f *clusterFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (default: $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&f.context, "context", "", "context in the kubeconfig (default: its current context)")
	flags.DurationVar(&f.timeout, "timeout", 20*time.Second, "time limit of a request to the API server")
}

func (f *clusterFlags) config(p *program) (*rest.Config, error) {
	if f.timeout <= 0 {
		return nil, cli.Usagef("--timeout %s: must be positive", f.timeout)
	}
	config, err := kube.UserConfig(f.kubeconfig, f.context)
	if err != nil {
		return nil, cli.Usagef("%w", err)
	}
	config.UserAgent, config.Timeout = userAgent(), f.timeout
	config.WarningHandler = rest.NewWarningWriter(warnings{p.err}, rest.WarningWriterOptions{Deduplicate: true})
	return config, nil
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

func (f *clusterFlags) client(p *program) (dynamic.Interface, error) {
	config, err := f.config(p)
	if err != nil {
		return nil, err
	}
	return kube.NewClient(config)
}

// awsAuth returns the ConfigMap aws-auth of the cluster, nil if there is none.
func awsAuth(ctx context.Context, client dynamic.Interface) (*unstructured.Unstructured, error) {
	configMap, err := kube.ConfigMaps(client).Get(ctx, kube.AWSAuth, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("getting ConfigMap kube-system/aws-auth: %w", withTimeout(err))
	}
	return configMap, nil
}

// withTimeout returns the error of a request with its remedy if no server answered it.
func withTimeout(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("the API server does not answer (--timeout sets how long to wait): %w", err)
	}
	return err
}

// words returns the flags as they were given.
func (f *clusterFlags) words() (words []string) {
	if f.kubeconfig != "" {
		words = append(words, "--kubeconfig", f.kubeconfig)
	}
	if f.context != "" {
		words = append(words, "--context", f.context)
	}
	return words
}

// because says why it is this cluster. NoServer says why no running server was asked.
func (f *clusterFlags) because(noServer string) string {
	if words := f.words(); len(words) > 0 {
		return strings.Join(words, " ")
	}
	return "its current context, since " + cmp.Or(noServer, "no flag names another place")
}

// edit returns the command that edits aws-auth.
func (f *clusterFlags) edit(int) string {
	command := []string{"kubectl"}
	for _, word := range f.words() {
		command = append(command, shell.Quote(word))
	}
	return strings.Join(append(command, "--namespace", "kube-system", "edit", "configmap", "aws-auth"), " ")
}
