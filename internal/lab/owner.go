package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"
)

// ownerContext is the name of the context by which the cluster's owner signs in.
const ownerContext = "owner"

// signInAsOwner adds to the kubeconfig a context by which the cluster's owner
// signs in, as anybody would, and does so: by then all parts work together.
func (l *Lab) signInAsOwner(ctx context.Context) error {
	environment := append(l.info.Environ(os.Environ()), "AWS_CLI_AUTO_PROMPT=off")
	if _, err := lookPath("aws", environment); err == nil {
		command := "aws eks update-kubeconfig --name " + ClusterName + " --role-arn " + l.info.OwnerARN + " --alias " + ownerContext
		if _, err := shell(ctx, environment, command); err != nil {
			return err
		}
	} else if err := l.addOwner(); err != nil {
		return err
	}
	if err := useAdministrator(l.info.Kubeconfig); err != nil {
		return err
	}
	_, err := shell(ctx, environment, "kubectl --context "+ownerContext+" auth whoami")
	if err != nil {
		return fmt.Errorf("%w; the authenticator's log says:\n%s", err, l.AuthenticatorLog(context.WithoutCancel(ctx)))
	}
	return nil
}

// addOwner does what update-kubeconfig does, where the AWS CLI is not installed.
func (l *Lab) addOwner() error {
	plugin := l.info.plugin()
	plugin.Args = append(plugin.Args, "--role", l.info.OwnerARN)
	return mergeConfig(l.info.Kubeconfig, ownerContext,
		&api.Cluster{Server: l.info.Endpoint, CertificateAuthorityData: l.admin.CAData}, &api.AuthInfo{Exec: plugin})
}

// shell runs a command and answers what it prints.
func shell(ctx context.Context, environment []string, command string) (string, error) {
	run := exec.CommandContext(ctx, "sh", "-c", command)
	run.Env = environment
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
