package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/roots"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// subjectOptions are the flags that say who an explanation is about.
type subjectOptions struct {
	token                string
	arn, session, userID string
	asMe                 bool
	credentialOptions
}

// credentialOptions are the flags that select the AWS credentials of this shell.
type credentialOptions struct {
	profile, region, role string
	cache                 bool
}

func (o *credentialOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.profile, "profile", "", "profile of the AWS configuration (default: $AWS_PROFILE, else default)")
	flags.StringVar(&o.region, "region", "", "region of the STS endpoint to ask (default: the region of the environment, the profile or the instance, else us-east-1)")
	flags.StringVarP(&o.role, "role", "r", "", "ARN of a role to assume first ($DEFAULT_ROLE)")
	flags.BoolVar(&o.cache, "cache", false, cacheUsage)
}

func (o *subjectOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.token, "token", "t", "", "file with the token; - reads it from standard input")
	flags.StringVar(&o.arn, "arn", "", "ARN of a user, a role, an assumed role, a federated user or root")
	flags.StringVar(&o.session, "session", "", "session name, for the ARN of a role")
	flags.StringVar(&o.userID, "user-id", "", "user ID as STS returns it, without the session (AIDA… or AROA…)")
	flags.BoolVar(&o.asMe, "as-me", false, "explain the identity of the AWS credentials of this shell")
	o.credentialOptions.addFlags(flags)
}

// question returns the question that the flags ask.
func (o *subjectOptions) question(ctx context.Context, p *program) (explain.Question, error) {
	switch {
	case o.arn == "" && (o.session != "" || o.userID != ""):
		return explain.Question{}, cli.Usagef("--session and --user-id require --arn")
	case !o.asMe && (o.profile != "" || o.region != ""):
		return explain.Question{}, cli.Usagef("--profile and --region require --as-me")
	case o.arn != "":
		return principalQuestion(o.arn, o.session, o.userID)
	case o.token == "" && !o.asMe:
		return explain.Question{}, cli.Usagef("the question is missing: name a token with --token - or --token FILE, an AWS identity with --arn, or yourself with --as-me")
	}
	if err := p.NeedClusterID(); err != nil {
		return explain.Question{}, err
	}
	if o.asMe {
		bearer, err := o.bearer(ctx, p)
		return explain.Question{Token: bearer}, err
	}
	bearer, err := p.readToken(ctx, o.token)
	return explain.Question{Token: bearer}, err
}

// bearer makes a token with the credentials of this shell, as the command token does.
func (o *credentialOptions) bearer(ctx context.Context, p *program) (string, error) {
	made, err := p.newCache(o.cache).Token(roots.WithPublic(ctx), presign.Config{
		ClusterID: p.ClusterID, Profile: o.profile, Region: o.region, RoleARN: o.role, MFAToken: p.askMFA(ctx, execInfo{}),
	})
	return made.Token, err
}

// readToken reads a token from a file, or from standard input.
func (p *program) readToken(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, token.Prefix) {
		return "", cli.Usagef("--token is the name of a file: write the token to standard input and use --token -, since other users of the machine can see arguments")
	}
	text, err := file.ReadInput(ctx, p.in, name, maxStdin)
	if err != nil {
		return "", cli.Usagef("reading the token: %w", err)
	}
	bearer := strings.TrimSpace(string(text))
	if bearer == "" {
		return "", cli.Usagef("reading the token: it is empty")
	}
	return bearer, nil
}

// unknownSession is the session name of a question that names none.
const unknownSession = "<session name>"

// principalQuestion returns the question about the principal with an ARN.
func principalQuestion(arn, session, userID string) (explain.Question, error) {
	canonical, kind, err := identity.Canonicalize(arn)
	if err != nil {
		return explain.Question{}, cli.Usagef("--arn: %w (expected one like arn:aws:iam::111122223333:role/admin)", err)
	}
	parts := strings.SplitN(canonical, ":", 6)
	p := identity.Principal{ARN: canonical, CanonicalARN: canonical, Partition: parts[1], AccountID: parts[4], UserID: userID, PrincipalID: userID}
	if kind != identity.KindRole {
		if session != "" {
			return explain.Question{}, cli.Usagef("--session is for roles, and %s is not one", canonical)
		}
		return explain.Question{Principal: p}, nil
	}
	q := explain.Question{}
	head, name, _ := strings.Cut(canonical, ":role/")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		q.Note = fmt.Sprintf("AWS never returns the path of a role, so the question is about role %s without the path /%s", name[i+1:], name[:i+1])
		name = name[i+1:]
		p.CanonicalARN = head + ":role/" + name
	}
	if given := sessionOf(arn); given != "" {
		if session != "" && session != given {
			return explain.Question{}, cli.Usagef("--session %q: the ARN already has the session name %q", session, given)
		}
		session = given
	}
	if session == "" {
		session, q.SessionUnknown = unknownSession, true
	} else if strings.ContainsFunc(session, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ':' }) {
		return explain.Question{}, cli.Usagef("--session %q is not a session name (expected letters, digits and _+=,.@-)", session)
	}
	p.SessionName = session
	p.ARN = "arn:" + p.Partition + ":sts::" + p.AccountID + ":assumed-role/" + name + "/" + session
	if userID != "" {
		p.UserID = userID + ":" + session
	}
	q.Principal = p
	return q, nil
}

// sessionOf returns the session name in the ARN of an assumed role.
func sessionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[2] == "sts" && strings.HasPrefix(parts[5], "assumed-role/") {
		return parts[5][strings.LastIndexByte(parts[5], '/')+1:]
	}
	return ""
}
