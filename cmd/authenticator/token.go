package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/roots"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/token/presign"
)

func newToken(p *program) *cobra.Command {
	var c presign.Config
	var tokenOnly, cache bool
	command := &cobra.Command{
		Use:   "token",
		Short: "Print a token for the cluster, as kubectl's credential plugin",
		Long: `Print a token for the cluster, in the ExecCredential that kubectl expects of a
credential plugin.

It gets AWS credentials as the AWS CLI does: from the environment, profiles, SSO, a
process, web identity, or the instance metadata service. On a terminal, it asks for
the MFA code of a profile with mfa_serial.

With --cache, it keeps the token for 13 minutes at most, and the expiring credentials of
a role, a web identity or IAM Identity Center, so that it asks for one MFA code a
session. Only this user can read the files, in ~/.kube/cache/kube-iam-authenticator. A
change of the AWS configuration or of a key makes a new token.`,
		Example: `  authenticator token --cluster-id my-cluster
  authenticator token --cluster-id my-cluster --cache --role arn:aws:iam::111122223333:role/KubernetesAdmin
  kubectl config set-credentials me --exec-api-version=client.authentication.k8s.io/v1 \
    --exec-command=authenticator --exec-arg=token --exec-arg=--cluster-id=my-cluster --exec-arg=--cache --exec-interactive-mode=IfAvailable`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.NeedClusterID(); err != nil {
				return err
			}
			c.ClusterID = p.ClusterID
			info := readExecInfo(p.getenv("KUBERNETES_EXEC_INFO"))
			if info.note != "" {
				fmt.Fprintln(p.err, "authenticator:", info.note)
			}
			c.MFAToken = p.askMFA(cmd.Context(), info)
			if c.RoleARN == "" && (c.ExternalID != "" || c.SessionName != "" || c.ForwardSessionName) {
				fmt.Fprintln(p.err, "authenticator: warning: --external-id, --session-name and --forward-session-name have no effect without --role")
			}
			var ahead time.Duration
			c.ClockAhead = func(d time.Duration) { ahead = d.Truncate(time.Second) }
			defer func() { p.warnOfClock(ahead) }()
			made, err := p.newCache(cache).Token(roots.WithPublic(cmd.Context()), c)
			if err != nil {
				return err
			}
			return p.printToken(made, info, tokenOnly)
		},
	}
	cli.Brief(command)
	flags := command.Flags()
	flags.StringVar(&c.Region, "region", "", "region of the STS endpoint that the token names; aws-global for the global endpoint (default: the region of the environment, the profile or the instance, else us-east-1)")
	flags.StringVar(&c.Profile, "profile", "", "profile of the AWS configuration (default: $AWS_PROFILE, else default)")
	flags.StringVarP(&c.RoleARN, "role", "r", "", "ARN of a role to assume first ($DEFAULT_ROLE)")
	flags.StringVarP(&c.ExternalID, "external-id", "e", "", "external ID that the role's trust policy requires")
	flags.StringVarP(&c.SessionName, "session-name", "s", "", "session name for the role (default: EKSGetTokenAuth)")
	flags.BoolVar(&c.ForwardSessionName, "forward-session-name", false, "give the role's session the session name of the current credentials")
	flags.BoolVar(&tokenOnly, "token-only", false, "print only the token")
	flags.BoolVar(&cache, "cache", false, cacheUsage)
	command.MarkFlagsMutuallyExclusive("session-name", "forward-session-name")
	return command
}

// warnOfClock warns of a clock that makes tokens that are not valid, or not for long.
func (p *program) warnOfClock(ahead time.Duration) {
	switch {
	case ahead >= skew.Tolerance:
		fmt.Fprintf(p.err, "authenticator: warning: the clock of this machine is %s ahead of that of AWS, so the cluster may refuse the token (set the clock: timedatectl set-ntp true)\n", ahead)
	case ahead <= -skew.Tolerance:
		fmt.Fprintf(p.err, "authenticator: warning: the clock of this machine is %s behind that of AWS, so the token expires early, or has expired (set the clock: timedatectl set-ntp true)\n", -ahead)
	}
}

const cacheUsage = "keep the token and the session's credentials in files that only this user can read, and use those of an earlier call"

// newCache returns the cache of tokens; one that keeps nothing without --cache.
func (p *program) newCache(wanted bool) presign.Cache {
	if !wanted {
		return presign.Cache{}
	}
	warn := func(err error) { fmt.Fprintf(p.err, "authenticator: warning: %s\n", cli.Printable(err.Error())) }
	dir, err := presign.CacheDir()
	if err != nil {
		warn(fmt.Errorf("the token cache is not used: %w", err))
	}
	return presign.Cache{Dir: dir, Warn: warn}
}

func (p *program) printToken(made presign.Token, info execInfo, tokenOnly bool) (err error) {
	if tokenOnly {
		_, err = fmt.Fprintln(p.out, made.Token)
	} else {
		err = json.NewEncoder(p.out).Encode(info.credential(made))
	}
	if err != nil {
		return fmt.Errorf("printing the token: %w", err)
	}
	return nil
}

// askMFA returns a function that asks for an MFA code on the terminal; nil if there is
// no terminal.
func (p *program) askMFA(ctx context.Context, info execInfo) func() (string, error) {
	terminal, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) || info.noInput {
		return nil
	}
	return func() (string, error) {
		fmt.Fprint(p.err, "MFA code: ")
		line, err := readLine(ctx, terminal)
		if err != nil {
			fmt.Fprintln(p.err) // ends the line of the question
			return "", fmt.Errorf("reading the MFA code: %w", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			return "", errors.New("reading the MFA code: it is empty")
		}
		return line, nil
	}
}

// readLine reads what a person types on a terminal.
func readLine(ctx context.Context, terminal io.Reader) (string, error) {
	return file.Await(ctx, func() (string, error) { return bufio.NewReader(terminal).ReadString('\n') })
}

// The versions of kubectl's ExecCredential.
const (
	execV1      = "client.authentication.k8s.io/v1"
	execV1beta1 = "client.authentication.k8s.io/v1beta1"
)

// execInfo is what kubectl passes in KUBERNETES_EXEC_INFO.
type execInfo struct {
	apiVersion string
	// noInput means that kubectl has no user to prompt.
	noInput bool
	// note tells the user about an unsupported value; empty if there is none.
	note string
}

func readExecInfo(text string) execInfo {
	if text == "" {
		return execInfo{apiVersion: execV1beta1}
	}
	var said struct {
		APIVersion string `json:"apiVersion"`
		Spec       struct {
			Interactive bool `json:"interactive"`
		} `json:"spec"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return execInfo{apiVersion: execV1beta1, note: "KUBERNETES_EXEC_INFO is not JSON; using " + execV1beta1}
	}
	switch said.APIVersion {
	case execV1, execV1beta1:
		return execInfo{apiVersion: said.APIVersion, noInput: !said.Spec.Interactive}
	default:
		return execInfo{
			apiVersion: execV1beta1,
			note:       fmt.Sprintf("KUBERNETES_EXEC_INFO asks for apiVersion %q, which is not supported; using %s", said.APIVersion, execV1beta1),
		}
	}
}

// execCredential is kubectl's ExecCredential.
type execCredential struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Spec       struct {
		Interactive bool `json:"interactive"`
	} `json:"spec"`
	Status struct {
		ExpirationTimestamp string `json:"expirationTimestamp"`
		Token               string `json:"token"`
	} `json:"status"`
}

func (i execInfo) credential(made presign.Token) execCredential {
	credential := execCredential{Kind: "ExecCredential", APIVersion: i.apiVersion}
	credential.Status.ExpirationTimestamp = made.Expiration.Format(time.RFC3339)
	credential.Status.Token = made.Token
	return credential
}
