package lint

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// checkAWS checks the arguments of aws eks get-token.
func (p *plugin) checkAWS() {
	const command = "aws eks get-token"
	if !p.hasArgument("eks") || !p.hasArgument("get-token") {
		p.error(ExecCommand, p.exec, "the arguments of aws are not those of "+command, "the plugin returns no token", `write args: [eks, get-token, --cluster-name, <name>]`)
		return
	}
	p.wrongFlag(command, "--cluster-name", "-i")
	p.wrongFlag(command, "--role-arn", "-r", "--role")
	p.checkRole("--role-arn")
	name, at := p.flag("--cluster-name", "--cluster-id", "-i")
	p.checkCluster(name, at, "--cluster-name")
	p.checkProfile("AWS_PROFILE to env, or --profile to args", "--profile", "--role-arn")
}

// checkAuthenticator checks the arguments of this program's token command, or of
// aws-iam-authenticator's.
func (p *plugin) checkAuthenticator(program string) {
	command := program + " token"
	if !p.hasArgument("token") {
		p.error(ExecCommand, p.exec, "the argument token is missing", "the plugin returns no token", "write args: [token, --cluster-id, <ID>]")
		return
	}
	p.wrongFlag(command, "--cluster-id", "--cluster-name")
	p.wrongFlag(command, "--role", "--role-arn")
	if program == "aws-iam-authenticator" {
		p.wrongFlag(command, "AWS_PROFILE in env", "--profile")
	}
	p.checkRole("--role", "-r")
	id, at := p.flag("--cluster-id", "-i", "--cluster-name")
	if env := p.env["KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID"]; at == nil && env != "" {
		id, at = env, p.exec
	}
	if _, config := p.flag("--config", "-c"); at == nil && config != nil {
		return // the ID may be in that file
	}
	p.checkCluster(id, at, "--cluster-id")
	add := "AWS_PROFILE to env, or --profile to args"
	if program == "aws-iam-authenticator" {
		add = "AWS_PROFILE to env"
	}
	p.checkProfile(add, "--role", "-r", "--profile")
}

// checkRole checks the role that the plugin assumes.
func (p *plugin) checkRole(names ...string) {
	arn, at := p.flag(names...)
	if at == nil {
		return
	}
	canonical, kind, err := identity.Canonicalize(arn)
	switch {
	case err != nil || kind != identity.KindRole:
		p.error(ExecRole, at, fmt.Sprintf("%q is not the ARN of a role", arn), "the plugin fails", "write arn:aws:iam::123456789012:role/name")
	case canonical != arn:
		found := p.problem(ExecRole, mapper.Error, at, fmt.Sprintf("%q is the ARN of a session, which nobody can assume", arn), "the plugin fails", "write "+canonical)
		found.Edit = mapper.Edit{Kind: mapper.Replace, Line: at.Line, Column: at.Column, Old: at.Value, New: strings.Replace(at.Value, arn, canonical, 1)}
	}
}

// checkCluster checks the cluster that the token is for. At is nil if no flag names it.
func (p *plugin) checkCluster(id string, at *yaml.Node, name string) {
	if at == nil || id == "" || strings.HasPrefix(id, "-") {
		p.error(ExecNoCluster, p.exec, "no argument names the cluster", "the plugin fails", "add "+name+" and the cluster's ID to args")
		return
	}
	const refused = "the server refuses the token, since it is signed for another cluster"
	if p.opts.ClusterID != "" && id != p.opts.ClusterID {
		p.error(ExecOtherCluster, at, fmt.Sprintf("the token is for cluster %q, but the cluster is %q", id, p.opts.ClusterID), refused, fmt.Sprintf("write %s", p.opts.ClusterID))
		return
	}
	for _, cluster := range p.clusters {
		// aws eks update-kubeconfig names a cluster by its ARN.
		if _, named, ok := strings.Cut(cluster, ":cluster/"); ok && strings.HasPrefix(cluster, "arn:") && named != id && p.opts.ClusterID == "" {
			p.problem(ExecOtherCluster, mapper.Warning, at, fmt.Sprintf("the token is for cluster %q, but a context uses it with %s", id, cluster), refused, "write "+named+", or use another user in that context")
			return
		}
	}
}

// checkProfile reports a plugin that signs with whatever credentials the shell has. Add is
// what selects others.
func (p *plugin) checkProfile(add string, flags ...string) {
	if _, at := p.flag(flags...); at != nil {
		return
	}
	for name := range p.env {
		if slices.Contains([]string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}, name) {
			return
		}
	}
	p.problem(ExecNoProfile, mapper.Warning, p.exec, "no AWS profile is named", "kubectl signs in with whichever AWS credentials its shell has", "add "+add)
}
