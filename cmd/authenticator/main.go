// Authenticator signs people and machines in to Kubernetes with AWS IAM: the
// webhook that a kube-apiserver asks, and the credential plugin of kubectl.
package main

import (
	"os"

	"github.com/kube-iam/authenticator/internal/cli"
)

// version is set by the linker.
var version = "unknown"

func main() { os.Exit(cli.Main("authenticator", run)) }
