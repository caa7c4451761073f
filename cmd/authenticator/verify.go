package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/roots"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

func newVerify(p *program) *cobra.Command {
	var o verifyOptions
	command := &cobra.Command{
		Use:   "verify",
		Short: "Verify a token with AWS STS and print its identity",
		Long: `Verify a token for the cluster with AWS STS, as the server does, and print the AWS
identity that signed it. This needs no AWS credentials.

The exit code is 0 if the token is valid, 1 if it is not, and 3 if that could not be
determined.`,
		Example: `  authenticator token -i my-cluster --token-only | authenticator verify -i my-cluster --token -
  authenticator verify -i my-cluster --token - -o json < token`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	flags := command.Flags()
	flags.StringVarP(&o.token, "token", "t", "", "token to verify; - reads it from standard input, which other users of the machine cannot see")
	o.output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML)
	o.AddFlags(flags)
	return command
}

type verifyOptions struct {
	token  string
	output cli.Output
	settings.STS
}

func (o *verifyOptions) run(ctx context.Context, p *program) error {
	if err := p.NeedClusterID(); err != nil {
		return err
	}
	hosts, err := o.Hosts()
	if err != nil {
		return err
	}
	dial, err := o.DialAddresses()
	if err != nil {
		return err
	}
	bearer, err := o.read(ctx, p)
	if err != nil {
		return err
	}
	roots.TrustPublic()
	bundle, err := roots.Bundle(ctx, p.getenv)
	if err != nil {
		return err
	}
	sts, clocks := assembly.NewClient(verify.Config{RootCAs: bundle, Dial: dial, UserAgent: p.UserAgent}, time.Now)
	defer sts.Close()
	// Every identity has a username, so that the decision is that of STS.
	everybody := mapper.Func(func(context.Context, identity.Principal, *mapper.Trace) (mapper.Match, bool, error) {
		return mapper.Match{Username: "verified"}, true, nil
	})
	decider, err := authn.New(authn.Config{ClusterID: p.ClusterID, Hosts: hosts, Verifier: sts, Mapper: everybody, Clocks: clocks})
	if err != nil {
		return err
	}
	answered := cli.Waiting(p.err, "authenticator: waiting for AWS STS")
	verified := decider.Explain(ctx, bearer)
	answered()
	switch err := verified.Decision.Err; verified.Decision.Outcome.Verdict() {
	case authn.Yes:
		return o.print(p.out, verified.Principal, verified.Token.Host)
	case authn.No:
		return fmt.Errorf("the token is not valid: %w", err)
	default:
		return &cli.Error{Code: cli.ExitUndecided, Err: fmt.Errorf("cannot determine whether the token is valid: %w", err)}
	}
}

// maxStdin is more than the maximum length of a token, so that a token that is too
// long is reported as such.
const maxStdin = 2 * token.MaxLength

func (o *verifyOptions) read(ctx context.Context, p *program) (string, error) {
	switch o.token {
	case "":
		return "", cli.Usagef("the token is missing: give it with --token, or --token - for standard input")
	case file.Stdin:
		text, err := file.ReadInput(ctx, p.in, file.Stdin, maxStdin)
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	default:
		return o.token, nil
	}
}

func (o *verifyOptions) print(out io.Writer, id identity.Principal, host string) error {
	// The keys are aws-iam-authenticator's; its UserID omits the session.
	value := struct {
		ARN, CanonicalARN, AccountID, UserID, SessionName, AccessKeyID, STSEndpoint, Partition string
	}{id.ARN, id.CanonicalARN, id.AccountID, id.PrincipalID, id.SessionName, id.AccessKeyID, host, id.Partition}
	return o.output.Print(out, value, func(wide bool) (rows cli.Rows) {
		rows.Add("ARN", id.ARN)
		rows.Add("CANONICAL ARN", id.CanonicalARN)
		rows.Add("ACCOUNT", id.AccountID)
		if wide {
			rows.Add("PRINCIPAL ID", id.PrincipalID)
			rows.Add("SESSION NAME", id.SessionName)
			rows.Add("ACCESS KEY ID", id.AccessKeyID)
			rows.Add("STS ENDPOINT", host)
		}
		return rows
	})
}
