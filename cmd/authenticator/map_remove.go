package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// principalUsage describes the argument PRINCIPAL.
const principalUsage = `PRINCIPAL is an ARN as it is written in aws-auth, an account ID, or a permission set:
permissionSetName=NAME,accountID=ID.`

func newMapRemove(p *program) *cobra.Command {
	var o editOptions
	command := &cobra.Command{
		Use:   "remove PRINCIPAL...",
		Short: "Remove the mappings of principals",
		Long: `Remove all mappings of principals. Comments above them stay.

` + principalUsage + ` A username is not a principal: several principals can have it.`,
		Example: `  authenticator map remove arn:aws:iam::111122223333:user/bob
  authenticator map remove 111122223333 permissionSetName=Admin,accountID=111122223333 -f aws-auth.yaml`,
		Args: cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			principals, err := o.principals(p, args)
			if err != nil {
				return err
			}
			return o.change(cmd.Context(), p, func(document edit.Document) (mapedit.Edition, error) {
				for _, principal := range principals {
					if document, err = edit.Remove(document, principal); errors.Is(err, edit.ErrNotFound) {
						return mapedit.Edition{}, fmt.Errorf("%s is not mapped: nothing is removed", principal)
					} else if err != nil {
						return mapedit.Edition{}, err
					}
				}
				return mapedit.Edition{Document: document}, nil
			})
		},
	}
	o.addFlags(command)
	return command
}

func (o *mapOptions) principals(p *program, args []string) ([]edit.Principal, error) {
	principals := make([]edit.Principal, len(args))
	for i, arg := range args {
		principal, err := o.principal(p, arg)
		if err != nil {
			return nil, err
		}
		principals[i] = principal
	}
	return principals, nil
}

// principal returns the principal that an argument names.
func (o *mapOptions) principal(p *program, arg string) (edit.Principal, error) {
	switch {
	case len(arg) >= 4 && strings.EqualFold(arg[:4], "arn:"):
		return edit.Principal{ARN: arg}, nil
	case len(arg) == 12 && strings.Trim(arg, "0123456789") == "":
		return edit.Principal{Account: arg}, nil
	case strings.Contains(arg, "="):
		pairs := map[string]string{}
		for part := range strings.SplitSeq(arg, ",") {
			key, value, _ := strings.Cut(part, "=")
			pairs[key] = value
		}
		sso, err := permissionSet(pairs)
		if err != nil {
			return edit.Principal{}, cli.Usagef("%q is not a permission set: %w", arg, err)
		}
		return edit.Principal{SSO: sso}, nil
	}
	return edit.Principal{}, &cli.Error{
		Code: cli.ExitUsage, Hint: "this command shows which principals have a username: " + o.command(p, "map", "list"),
		Err: fmt.Errorf("%q is not a principal: expected an ARN, an account ID of 12 digits, or permissionSetName=NAME,accountID=ID", arg),
	}
}
