// Localaws is a local AWS (STS, IAM, EKS, EC2 and more) for unmodified clients
// on this machine. It really checks signatures and policies.
package main

import (
	"os"

	"github.com/kube-iam/authenticator/internal/cli"
)

// version is set by the linker.
var version = "unknown"

func main() { os.Exit(cli.Main("localaws", run)) }
