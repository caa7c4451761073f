// Authenticator signs people and machines in to Kubernetes with AWS IAM. It is the
// token webhook of a kube-apiserver and the credential plugin of kubectl.
package main

import (
	"os"

	"github.com/kube-iam/authenticator/internal/cli"
)

// version is set by the linker.
var version = "unknown"

func main() {
	name, run := calledAs(os.Args[0])
	os.Exit(cli.Main(name, run))
}
