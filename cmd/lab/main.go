// Lab brings up a Kubernetes cluster that people sign in to with AWS IAM, on
// one machine and with no network: a local AWS, a real kube-apiserver, and the
// authenticator between them.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/kube-iam/authenticator/internal/cli"
)

// version is set by the linker.
var version = "unknown"

func main() {
	var signals []os.Signal
	if !signal.Ignored(syscall.SIGHUP) { // nohup asks to outlive the terminal
		signals = append(signals, syscall.SIGHUP)
	}
	os.Exit(cli.Main("lab", run, signals...))
}
