// Authenticator signs people and machines in to Kubernetes with AWS IAM: the
// webhook that a kube-apiserver asks, and the credential plugin of kubectl.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	// A scratch image has no CA bundle.
	_ "golang.org/x/crypto/x509roots/fallback"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "authenticator: %v\n", err)
	if failed, ok := errors.AsType[*exitError](err); ok {
		os.Exit(failed.code)
	}
	os.Exit(1)
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}
