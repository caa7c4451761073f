// Authenticator signs people and machines in to Kubernetes with AWS IAM: the
// webhook that a kube-apiserver asks, and the credential plugin of kubectl.
package main

import (
	"os"

	// A scratch image has no CA bundle.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/kube-iam/authenticator/internal/cli"
)

// version is set by the linker.
var version = "unknown"

func main() { os.Exit(cli.Main("authenticator", run)) }
