package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

func newVerify(p *program) *cobra.Command {
	var o verifyOptions
	command := &cobra.Command{
		Use:   "verify",
		Short: "Say who a token is, by asking AWS STS",
		Long: `Say which AWS identity signed a token for the cluster, by asking AWS STS, as the
server does. It needs no AWS credentials.

The exit code is 0 if the token is good, 1 if it is not, 3 if it could not be
told.`,
		Example: `  authenticator token -i my-cluster --token-only | authenticator verify -i my-cluster --token -
  authenticator verify -i my-cluster --token - -o json < token`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	flags := command.Flags()
	flags.StringVarP(&o.token, "token", "t", "", "the token; - reads it from standard input, where other users of the machine cannot see it")
	flags.StringVarP(&o.output, "output", "o", "", "json, yaml or wide (default: the main things)")
	o.addFlags(flags)
	return command
}

type verifyOptions struct {
	token, output string
	stsOptions
}

func (o *verifyOptions) run(ctx context.Context, p *program) error {
	if err := p.needClusterID(); err != nil {
		return err
	}
	switch o.output {
	case "", "wide", "json", "yaml":
	default:
		return usagef("--output %q is none of json, yaml, wide", o.output)
	}
	hosts, err := o.hosts()
	if err != nil {
		return err
	}
	dial, err := o.dial()
	if err != nil {
		return err
	}
	bearer, err := o.read(p.in)
	if err != nil {
		return err
	}
	request, err := token.Parse(bearer, hosts, time.Now())
	if err != nil {
		return fmt.Errorf("the token is not good: %w", err)
	}
	roots, err := caBundle(p.getenv)
	if err != nil {
		return err
	}
	sts := verify.New(verify.Config{RootCAs: roots, Dial: dial, UserAgent: userAgent()})
	defer sts.Close()
	result, err := sts.Verify(ctx, p.clusterID, request)
	if refused, ok := errors.AsType[*verify.RefusedError](err); ok {
		return fmt.Errorf("the token is not good: %w", refused)
	}
	if err != nil {
		return &exitError{exitUnknown, fmt.Errorf("it could not be told whether the token is good: %w", err)}
	}
	return o.print(p.out, result.Identity.Principal())
}

// maxStdin is more than a token may have, so that one that is too long is
// called that.
const maxStdin = 2 * token.MaxLength

func (o *verifyOptions) read(stdin io.Reader) (string, error) {
	switch o.token {
	case "":
		return "", usagef("the token is missing: give it with --token, or --token - for standard input")
	case "-":
		text, err := io.ReadAll(io.LimitReader(stdin, maxStdin))
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	default:
		return o.token, nil
	}
}

func (o *verifyOptions) print(out io.Writer, id identity.Principal) error {
	if o.output == "json" || o.output == "yaml" {
		return printAs(out, o.output, struct {
			ARN          string `json:"arn"`
			CanonicalARN string `json:"canonicalArn"`
			AccountID    string `json:"accountId"`
			PrincipalID  string `json:"principalId"`
			SessionName  string `json:"sessionName"`
			AccessKeyID  string `json:"accessKeyId"`
		}{id.ARN, id.CanonicalARN, id.AccountID, id.PrincipalID, id.SessionName, id.AccessKeyID})
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "ARN\t%s\nCANONICAL ARN\t%s\nACCOUNT\t%s\n", id.ARN, id.CanonicalARN, id.AccountID)
	if o.output == "wide" {
		fmt.Fprintf(table, "PRINCIPAL ID\t%s\nSESSION NAME\t%s\nACCESS KEY ID\t%s\n", id.PrincipalID, id.SessionName, id.AccessKeyID)
	}
	return table.Flush()
}
