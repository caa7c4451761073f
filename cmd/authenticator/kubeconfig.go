package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
	"github.com/kube-iam/authenticator/internal/mapedit"
)

func newKubeconfig(p *program) *cobra.Command {
	var o kubeconfigOptions
	command := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Add the cluster to the kubeconfig, with a user that signs in with AWS IAM",
		Long: `Add a context, its cluster and its user to the kubeconfig, as aws eks update-kubeconfig
does, and make the context the current one. The user runs "authenticator token --cache".

Entries of the same names are replaced, but a context keeps its namespace. A user with a
key, a token or a password in the file is not replaced: name another with --user-alias.
Everything else in the file stays, comments too.

The file is that of --kubeconfig. Without the flag, it is the file in $KUBECONFIG that
has the cluster already, or the first file there. Without either, it is ~/.kube/config.`,
		Example: `  authenticator kubeconfig --cluster-id my-cluster --server https://10.0.0.1:6443 --certificate-authority ca.crt
  authenticator kubeconfig --cluster-id my-cluster --from-context kubernetes-admin@kubernetes --alias prod
  authenticator kubeconfig --cluster-id my-cluster --server https://k8s.example.com --profile work \
    --role-arn arn:aws:iam::111122223333:role/KubernetesAdmin --dry-run`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.NeedClusterID(); err != nil {
				return err
			}
			return o.run(cmd.Context(), p)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.cluster.Server, "server", "", "URL of the cluster's API server")
	flags.StringVar(&o.caFile, "certificate-authority", "", "file with the CA certificates of the API server, to copy into the kubeconfig (default: the system's CAs)")
	flags.StringVar(&o.fromContext, "from-context", "", "context of the kubeconfig to copy the cluster from: its server and the settings of TLS and the proxy")
	flags.StringVar(&o.cluster.TLSServerName, "tls-server-name", "", "host name in the certificate of the API server, if it differs from the host of --server")
	flags.StringVar(&o.cluster.ProxyURL, "proxy-url", "", "URL of the proxy to the API server")
	flags.StringVar(&o.alias, "alias", "", "name of the context (default: the cluster ID)")
	flags.StringVar(&o.userAlias, "user-alias", "", "name of the user (default: the cluster ID)")
	flags.StringVar(&o.profile, "profile", "", "profile of the AWS configuration to sign in with (default: $AWS_PROFILE when kubectl runs)")
	flags.StringVar(&o.region, "region", "", "region of the STS endpoint that the tokens name")
	flags.StringVar(&o.role, "role-arn", "", "ARN of a role to assume to sign in")
	flags.StringVar(&o.command, "exec-command", "authenticator", "program that kubectl runs: a name on the PATH, or a path")
	flags.BoolVar(&o.cache, "cache", true, "keep tokens and sessions, as authenticator token --cache does")
	flags.StringVar(&o.path, "kubeconfig", "", "kubeconfig to change (default: a file of $KUBECONFIG, or ~/.kube/config)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the merged kubeconfig instead of writing it")
	o.output.AddFlag(command, formatText, cli.JSON, cli.YAML)
	command.MarkFlagsMutuallyExclusive("server", "from-context")
	command.MarkFlagsMutuallyExclusive("certificate-authority", "from-context")
	command.MarkFlagsOneRequired("server", "from-context")
	return command
}

type kubeconfigOptions struct {
	cluster               kubeconfig.Cluster
	caFile, fromContext   string
	alias, userAlias      string
	profile, region, role string
	command               string
	cache                 bool
	path                  string
	dryRun                bool
	output                cli.Output
}

// configured is what the command kubeconfig prints for programs.
type configured struct {
	File    string         `json:"file"`
	Result  mapedit.Result `json:"result"`
	Context string         `json:"context"`
	Cluster string         `json:"cluster"`
	User    string         `json:"user"`
	// Kubeconfig is the merged file, with --dry-run.
	Kubeconfig string `json:"kubeconfig,omitempty"`
}

func (o *kubeconfigOptions) run(ctx context.Context, p *program) error {
	if err := o.findServer(ctx, p); err != nil {
		return err
	}
	entry := o.entry(p.ClusterID)
	path, err := o.file(ctx, p)
	if err != nil {
		return err
	}
	is := configured{File: path, Context: entry.Context, Cluster: entry.ClusterName, User: entry.UserName}
	if o.dryRun {
		text, err := kubeconfig.Read(ctx, path)
		if err != nil {
			return err
		}
		merged, _, err := kubeconfig.Merge(text, entry)
		if err != nil {
			return fmt.Errorf("merging into the kubeconfig %s: %w", path, err)
		}
		o.warnOfSharing(p, text, entry)
		is.Result, is.Kubeconfig = mapedit.Planned, string(merged)
		return o.report(p, is, is.Kubeconfig)
	}
	text := "Updated context %s in %s\n"
	is.Result = mapedit.Edited
	err = kubeconfig.Edit(ctx, path, func(text []byte) ([]byte, error) {
		merged, added, err := kubeconfig.Merge(text, entry)
		if err != nil {
			return nil, err
		}
		if added {
			is.Result = mapedit.Created
		}
		o.warnOfSharing(p, text, entry)
		return merged, nil
	})
	if err != nil {
		return err
	}
	if is.Result == mapedit.Created {
		text = "Added new context %s to %s\n"
	}
	return o.report(p, is, fmt.Sprintf(text, cli.Printable(is.Context), is.File))
}

// warnOfSharing names the other contexts that sign in as the entry's user from now on.
func (o *kubeconfigOptions) warnOfSharing(p *program, text []byte, entry kubeconfig.Entry) {
	for _, other := range kubeconfig.Sharing(text, entry) {
		p.warn(fmt.Sprintf("context %s has the same user %s, which changes (--user-alias gives this context a user of its own)", other, entry.UserName))
	}
}

// report prints what was done for programs, or its text for people.
func (o *kubeconfigOptions) report(p *program, is configured, text string) error {
	if o.output.String() == formatText {
		return p.printf(p.out, "%s", text)
	}
	return o.output.Print(p.out, is, nil)
}

// findServer completes the cluster: it checks the server's URL and reads the CA, or
// copies both from a context.
func (o *kubeconfigOptions) findServer(ctx context.Context, p *program) error {
	if o.fromContext != "" {
		if err := o.copyCluster(p); err != nil {
			return cli.Usagef("--from-context: %w", err)
		}
	}
	if parsed, err := url.Parse(o.cluster.Server); err != nil || parsed.Scheme != "https" || parsed.Host == "" {
		return cli.Usagef("server %q: expected an https URL, such as https://10.0.0.1:6443", o.cluster.Server)
	}
	if o.caFile == "" {
		return nil
	}
	content, err := file.Read(ctx, o.caFile, file.MaxSettings)
	if err != nil {
		return cli.Usagef("--certificate-authority: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return cli.Usagef("--certificate-authority %s has no certificate (expected PEM)", o.caFile)
	}
	if bytes.Contains(content, []byte("PRIVATE KEY-----")) { // also one that is no valid PEM: the content is copied
		return cli.Usagef("--certificate-authority %s has a PRIVATE KEY, which the kubeconfig would show (expected certificates only)", o.caFile)
	}
	o.cluster.CAData = base64.StdEncoding.EncodeToString(content)
	return nil
}

// copyCluster copies the cluster of --from-context. Flags override what it has.
func (o *kubeconfigOptions) copyCluster(p *program) error {
	from, err := kube.UserCluster(o.path, o.fromContext)
	if err != nil {
		return err
	}
	if from.InsecureSkipTLSVerify {
		fmt.Fprintf(p.err, "authenticator: warning: context %s does not verify the certificate of its API server (insecure-skip-tls-verify), so neither does the new one\n", cli.Printable(o.fromContext))
	}
	o.caFile = from.CertificateAuthority
	if len(from.CertificateAuthorityData) > 0 { // kubectl prefers it
		o.caFile = ""
	}
	o.cluster = kubeconfig.Cluster{
		Server: from.Server, CAData: base64.StdEncoding.EncodeToString(from.CertificateAuthorityData),
		TLSServerName: cmp.Or(o.cluster.TLSServerName, from.TLSServerName), ProxyURL: cmp.Or(o.cluster.ProxyURL, from.ProxyURL),
		InsecureSkipTLSVerify: from.InsecureSkipTLSVerify, DisableCompression: from.DisableCompression,
	}
	for _, name := range slices.Sorted(maps.Keys(from.Extensions)) {
		content, err := json.Marshal(from.Extensions[name])
		if err != nil {
			return fmt.Errorf("copying the extension %q of a cluster: %w", name, err)
		}
		o.cluster.Extensions = append(o.cluster.Extensions, kubeconfig.Extension{Name: name, Content: content})
	}
	return nil
}

// entry returns the entry of the cluster with an ID.
func (o *kubeconfigOptions) entry(clusterID string) kubeconfig.Entry {
	args := []string{"token", "--cluster-id", clusterID}
	for _, flag := range []struct{ name, value string }{{"--region", o.region}, {"--profile", o.profile}, {"--role", o.role}} {
		if flag.value != "" {
			args = append(args, flag.name, flag.value)
		}
	}
	if o.cache {
		args = append(args, "--cache")
	}
	return kubeconfig.Entry{
		Context: cmp.Or(o.alias, clusterID), ClusterName: clusterID, UserName: cmp.Or(o.userAlias, clusterID),
		Cluster: o.cluster,
		User: kubeconfig.User{Exec: kubeconfig.Exec{
			APIVersion: execV1, Command: o.command, Args: args, InteractiveMode: "IfAvailable",
		}},
	}
}

// file returns the path of the kubeconfig to change.
func (o *kubeconfigOptions) file(ctx context.Context, p *program) (string, error) {
	if o.path != "" {
		return o.path, nil
	}
	first := ""
	for _, path := range filepath.SplitList(p.getenv("KUBECONFIG")) {
		if path == "" {
			continue
		}
		first = cmp.Or(first, path)
		if text, err := kubeconfig.Read(ctx, path); err == nil && kubeconfig.Has(text, p.ClusterID) {
			return path, nil
		}
	}
	if first != "" {
		return first, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", cli.Usagef("finding the kubeconfig: %w (name it with --kubeconfig)", err)
	}
	return filepath.Join(home, ".kube", "config"), nil
}
