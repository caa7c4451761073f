// Authenticator signs people and machines in to Kubernetes with AWS IAM. It is the
// token webhook of a kube-apiserver and the credential plugin of kubectl.
package main

import (
	"log/slog"
	"os"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kube"
)

// version is set by the linker.
var version = "unknown"

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // commands return their errors; the server has a log
	kube.LogToDefault()
	name, run := calledAs(os.Args[0])
	os.Exit(cli.Main(name, run))
}
