// Command lab brings up a Kubernetes cluster with AWS IAM sign-in, on one machine and
// without a network: a local AWS, a real kube-apiserver, and the authenticator between
// them.
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
	if !signal.Ignored(syscall.SIGHUP) { // under nohup, outlive the terminal
		signals = append(signals, syscall.SIGHUP)
	}
	os.Exit(cli.Main("lab", run, signals...))
}
