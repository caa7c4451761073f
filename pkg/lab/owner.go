package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
)

// ownerKubeconfigFile is the kubeconfig of the cluster's owner. It is separate from
// kubeconfigFile, because the story adds a context of the same name there.
const ownerKubeconfigFile = "owner.kubeconfig"

// signInAsOwner writes the owner's kubeconfig as any user would, and signs in with
// it, which proves that all parts work together.
func (l *Lab) signInAsOwner(ctx context.Context) error {
	environment := append(l.info.Environ(os.Environ()), "AWS_CLI_AUTO_PROMPT=off", "KUBECONFIG="+l.path(ownerKubeconfigFile))
	if _, err := lookPath("aws", environment); err == nil {
		if _, err := runShell(ctx, environment, "aws eks update-kubeconfig --name "+ClusterName+" --role-arn "+l.info.OwnerARN); err != nil {
			return err
		}
	} else if err := l.writeOwnerKubeconfig(); err != nil {
		return err
	}
	if _, err := runShell(ctx, environment, "kubectl auth whoami"); err != nil {
		return fmt.Errorf("%w; the authenticator's log says:\n%s", err, l.AuthenticatorLog(context.WithoutCancel(ctx)))
	}
	l.info.OwnerKubeconfig = l.path(ownerKubeconfigFile)
	return nil
}

// writeOwnerKubeconfig replaces update-kubeconfig if the AWS CLI is not installed.
func (l *Lab) writeOwnerKubeconfig() error {
	plugin := l.info.plugin()
	plugin.Args = append(plugin.Args, "--role", l.info.OwnerARN)
	return kubeconfig.Write(l.dir, ownerKubeconfigFile, ClusterARN,
		&api.Cluster{Server: l.info.Endpoint, CertificateAuthorityData: l.admin.CAData}, &api.AuthInfo{Exec: plugin})
}

// runShell runs a command and returns its output.
func runShell(ctx context.Context, environment []string, command string) (string, error) {
	run := exec.CommandContext(ctx, "sh", "-c", command)
	run.Env = environment
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
