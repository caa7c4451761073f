package presign

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"

	"github.com/kube-iam/authenticator/internal/shell"
)

// explain returns the error of getting credentials with its remedy.
func (p *Presigner) explain(err error) error {
	if login := loginCommand(p.profile, err); login != "" {
		return fmt.Errorf("getting AWS credentials: the login has expired or is missing: run %s: %w", login, err)
	}
	if process, ok := errors.AsType[*processcreds.ProviderError](err); ok {
		return fmt.Errorf("getting AWS credentials: %w", processError(process))
	}
	// The SDK asks the instance metadata service last.
	if call, ok := errors.AsType[*smithy.OperationError](err); ok && call.Service() == imds.ServiceID {
		return fmt.Errorf("getting AWS credentials: neither the environment nor the profile has any, and the instance metadata service provides none "+
			"(%s; aws sts get-caller-identity%s shows whether that worked): %w", configure(p.config.Profile), profileFlag(p.config.Profile), err)
	}
	return fmt.Errorf("getting AWS credentials (try %s): %w%s", p.sameCommand(), err, p.hint)
}

// configure says how to give a profile credentials, or to name another profile.
func configure(profile string) string {
	if profile == "" {
		return "set AWS_PROFILE, or run aws configure"
	}
	return "name another profile, or run aws configure" + profileFlag(profile)
}

// sameCommand returns the command of the AWS CLI that gets the same credentials. It prints
// none of them.
func (p *Presigner) sameCommand() string {
	words := "aws sts get-caller-identity"
	if role := p.config.RoleARN; role != "" {
		words = "aws sts assume-role --query AssumedRoleUser --role-arn " + shell.Quote(role) + " --role-session-name " + shell.Quote(cmp.Or(p.config.SessionName, defaultSessionName))
		if id := p.config.ExternalID; id != "" {
			words += " --external-id " + shell.Quote(id)
		}
	}
	return words + profileFlag(p.config.Profile)
}

// loginCommand returns the command that renews the login of a profile, or of the
// profile that it takes its credentials from; empty if no login has run out.
func loginCommand(profile config.SharedConfig, err error) string {
	for source := &profile; source != nil; source = source.Source {
		switch isSSO := source.SSOSessionName != "" || source.SSOStartURL != ""; {
		case isSSO && isLoggedOut(err):
			return "aws sso login" + profileFlag(source.Profile)
		case source.LoginSession != "" && strings.Contains(err.Error(), "please reauthenticate"): // the SDK has no type for it
			return "aws login" + profileFlag(source.Profile)
		}
	}
	return ""
}

// isLoggedOut reports whether there is no token of IAM Identity Center, or its portal
// rejected the token.
func isLoggedOut(err error) bool {
	if _, ok := errors.AsType[*ssocreds.InvalidTokenError](err); ok {
		return true
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "UnauthorizedException" {
		return true
	}
	return strings.Contains(err.Error(), "cached SSO token") // the SDK has no type for it
}

func profileFlag(name string) string {
	if name == "" || name == config.DefaultSharedConfigProfile {
		return ""
	}
	return " --profile " + shell.Quote(name)
}

// checkProcess returns an error for credentials of a credential_process that have expired. The
// SDK uses them as they are, and no cluster accepts their tokens.
func (p *Presigner) checkProcess(credentials aws.Credentials) error {
	if credentials.Source != processcreds.ProviderName || !credentials.CanExpire {
		return nil
	}
	now := p.config.Now()
	if now.Before(credentials.Expires) {
		return nil
	}
	return fmt.Errorf("getting AWS credentials: those of the profile's credential_process expired at %s, and the clock shows %s (renew the login of that program, or set the clock)",
		credentials.Expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

// processError describes the failure of the profile's credential_process, which has
// written its own messages to standard error. The SDK's error would quote its output,
// which may have a secret in it.
func processError(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("the credential_process of the profile failed: %w", exit)
	}
	_, isSyntax := errors.AsType[*json.SyntaxError](err)
	_, isType := errors.AsType[*json.UnmarshalTypeError](err)
	if isSyntax || isType || strings.Contains(err.Error(), "parse failed") {
		return errors.New("the output of the profile's credential_process is not JSON (expected Version, AccessKeyId, SecretAccessKey, and SessionToken and Expiration if it expires)")
	}
	return fmt.Errorf("the credential_process of the profile: %w", err)
}
