package lab

import (
	"context"
	"fmt"
	"runtime"
)

// Providers of a lab's cluster.
const (
	// Envtest is a kube-apiserver and its etcd as plain processes, without nodes.
	Envtest = "envtest"
	// Kind is a whole cluster with containers as nodes.
	Kind = "kind"
)

// Providers returns the values of [Config.Provider].
func Providers() []string { return []string{Envtest, Kind} }

// Supports returns an error if the provider cannot run on this system.
func Supports(provider string) error { return supports(runtime.GOOS, provider) }

func supports(system, provider string) error {
	if provider != Kind || system == "linux" {
		return nil
	}
	return fmt.Errorf("--provider %s needs Linux, and this is %s: its Linux containers run this machine's programs authenticator and localaws, "+
		"and connect to local AWS at the gateway of their network, which is inside the Docker engine's virtual machine here "+
		"(use --provider %s, or run lab in a Linux virtual machine)", Kind, system, Envtest)
}

// A provider runs the lab's cluster, with the authenticator as its token webhook.
type provider interface {
	// stages returns the steps that bring up the cluster and local AWS, in order.
	stages() []stage
	// restartAuthenticator restarts the authenticator. With waitReady it returns
	// when the authenticator has read aws-auth, otherwise as soon as it serves.
	restartAuthenticator(ctx context.Context, waitReady bool) error
	// post sends a body to the authenticator, as kube-apiserver does.
	post(ctx context.Context, path string, body []byte) (status int, answer []byte, err error)
	// webhookCA returns the CAs of the authenticator's certificates, in PEM.
	webhookCA(ctx context.Context) ([]byte, error)
	// authenticatorLog returns the last lines of the authenticator's log.
	authenticatorLog(ctx context.Context) string
	// stop ends what the stages have started, even if not all of them ran.
	stop() error
}

// A stage is a step of bringing a lab up.
type stage struct {
	name string
	run  func(context.Context) error
}

func (l *Lab) newProvider() (provider, error) {
	switch l.config.Provider {
	case Envtest:
		return &envtestProvider{Lab: l}, nil
	case Kind:
		if err := Supports(Kind); err != nil {
			return nil, err
		}
		return newKind(l), nil
	}
	return nil, fmt.Errorf("unknown provider %q (supported: %q)", l.config.Provider, Providers())
}

// RestartAuthenticator restarts the authenticator. With waitReady it returns when
// the authenticator has read aws-auth, otherwise as soon as it serves.
func (l *Lab) RestartAuthenticator(ctx context.Context, waitReady bool) error {
	return l.provider.restartAuthenticator(ctx, waitReady)
}

// PostToWebhook sends a body to the authenticator, as kube-apiserver does, and
// returns the HTTP status and the body of the answer.
func (l *Lab) PostToWebhook(ctx context.Context, path string, body []byte) (status int, answer []byte, err error) {
	return l.provider.post(ctx, path, body)
}

// AuthenticatorLog returns the last lines of the authenticator's log.
func (l *Lab) AuthenticatorLog(ctx context.Context) string { return l.provider.authenticatorLog(ctx) }
