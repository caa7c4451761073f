// Localaws is a local AWS (STS, IAM, EKS, EC2 and CloudTrail) that really checks
// signatures and policies, for unmodified clients on this machine.
package main

import (
	"os"

	"github.com/kube-iam/authenticator/internal/cli"
)

// set by the linker
var version = "unknown"

func main() { os.Exit(cli.Main("localaws", run)) }
