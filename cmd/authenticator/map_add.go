package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// addOptions are the flags of add user and add role. Those of aws-iam-authenticator keep
// their names.
type addOptions struct {
	editOptions
	arn      string
	sso      map[string]string
	username string
	groups   []string
	prompt   bool
}

func newAddUser(p *program, parent string) *cobra.Command {
	var o addOptions
	command := &cobra.Command{
		Use:   "user",
		Short: "Map an IAM user, the root of an account or a federated user",
		Long: `Map an IAM user, the root of an account or a federated user to a Kubernetes user, in
mapUsers. If it is mapped already, it gets the new username and groups.`,
		Example: "  " + parent + " user --userarn arn:aws:iam::111122223333:user/bob --username bob --groups people,developers",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.arn == "" {
				return cli.Usagef("the ARN of the user is missing: name it with --userarn")
			}
			return o.run(cmd, p, edit.Mapping{Section: "mapUsers", Principal: edit.Principal{ARN: o.arn}})
		},
	}
	command.Flags().StringVar(&o.arn, "userarn", "", "ARN of the user")
	o.addFlags(command)
	return command
}

func newAddRole(p *program, parent string) *cobra.Command {
	var o addOptions
	command := &cobra.Command{
		Use:   "role",
		Short: "Map an IAM role, or a permission set of IAM Identity Center",
		Long: `Map an IAM role, or a permission set of IAM Identity Center, to a Kubernetes user, in
mapRoles. If it is mapped already, it gets the new username and groups.`,
		Example: "  " + parent + ` role --rolearn arn:aws:iam::111122223333:role/Admin --username admin:{{SessionName}} --groups system:masters
  ` + parent + ` role --sso permissionSetName=Admin,accountID=111122223333 --username admin:{{SessionName}} --groups system:masters`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := edit.Mapping{Section: "mapRoles", Principal: edit.Principal{ARN: o.arn}}
			switch {
			case o.arn == "" && len(o.sso) == 0:
				return cli.Usagef("the role is missing: name it with --rolearn, or a permission set with --sso")
			case o.arn != "" && len(o.sso) > 0:
				return cli.Usagef("--rolearn and --sso cannot be combined")
			case o.arn == "":
				var err error
				if m.SSO, err = permissionSet(o.sso); err != nil {
					return cli.Usagef("--sso: %w", err)
				}
			}
			return o.run(cmd, p, m)
		},
	}
	command.Flags().StringVar(&o.arn, "rolearn", "", "ARN of the role, without its path")
	command.Flags().StringToStringVar(&o.sso, "sso", nil, "permission set: permissionSetName=NAME,accountID=ID[,partition=PARTITION]")
	o.addFlags(command)
	return command
}

func (o *addOptions) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&o.username, "username", "", "username in Kubernetes; may have placeholders such as {{SessionName}}")
	flags.StringSliceVar(&o.groups, "groups", nil, "comma-separated groups in Kubernetes (repeatable)")
	o.editOptions.addFlags(command)
	// aws-iam-authenticator's other flags.
	flags.BoolVar(&o.prompt, "prompt", true, "ask before somebody loses or changes access; --prompt=false is --yes")
	flags.StringVar(&o.kubectl.Context, "kubeconfig-context", "", "the same as --context")
	flags.StringVar(&o.master, "master-url", "", "URL of the kube-apiserver; overrides the kubeconfig's")
	for _, name := range []string{"prompt", "kubeconfig-context", "master-url"} {
		_ = flags.MarkHidden(name)
	}
}

// permissionSet returns the permission set that key=value pairs name.
func permissionSet(pairs map[string]string) (*mapper.SSO, error) {
	sso := &mapper.SSO{}
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		switch value := pairs[key]; strings.ToLower(key) {
		case "permissionsetname":
			sso.PermissionSet = value
		case "accountid":
			sso.AccountID = value
		case "partition":
			sso.Partition = value
		default:
			return nil, cli.Unknown("key", key, []string{"permissionSetName", "accountID", "partition"})
		}
	}
	if sso.PermissionSet == "" || sso.AccountID == "" {
		return nil, errors.New("expected permissionSetName=NAME,accountID=ID")
	}
	return sso, nil
}

func (o *addOptions) run(cmd *cobra.Command, p *program, m edit.Mapping) error {
	if o.username == "" {
		return cli.Usagef("the username in Kubernetes is missing: name it with --username")
	}
	o.yes = o.yes || !o.prompt
	m.Username, m.Groups = o.username, o.groups
	return o.add(cmd.Context(), p, m)
}

func newAddAccount(p *program) *cobra.Command {
	var o editOptions
	command := &cobra.Command{
		Use:   "account ID",
		Short: "Map every principal of an account: its username is its ARN",
		Long: `Add an account to mapAccounts. It maps each principal of the account that has no mapping
of its own: the username is the principal's ARN, and there are no groups.`,
		Example: "  authenticator map add account 111122223333",
		Args:    cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.add(cmd.Context(), p, edit.Mapping{Section: "mapAccounts", Principal: edit.Principal{Account: args[0]}})
		},
	}
	o.addFlags(command)
	return command
}

// add adds a mapping, or changes it if there is one for its principal.
func (o *editOptions) add(ctx context.Context, p *program, m edit.Mapping) error {
	if err := o.check(p, m); err != nil {
		return err
	}
	return o.change(ctx, p, func(document edit.Document) (mapedit.Edition, error) {
		found, err := edit.Find(document, m.Principal)
		if err != nil {
			return mapedit.Edition{}, err
		}
		if len(found) == 0 {
			added, err := edit.Add(document, m)
			return mapedit.Edition{Document: added}, err
		}
		changed := document
		if m.Account == "" {
			if changed, err = edit.Set(document, m); err != nil {
				return mapedit.Edition{}, err
			}
		}
		return mapedit.Edition{Document: changed, Unchanged: fmt.Sprintf("unchanged: %s is mapped like this already", m.Principal)}, nil
	})
}

// check returns a usage error for a mapping that would not apply, and warns of what may
// not be intended.
func (o *editOptions) check(p *program, m edit.Mapping) error {
	options, err := o.options(p, "aws-auth")
	if err != nil {
		return err
	}
	for _, problem := range edit.Problems(m, options) {
		if problem.Severity == mapper.Error {
			return cli.Usagef("%s (%s)", problem.Message, problem.Fix)
		}
		fmt.Fprintf(p.err, "authenticator: warning: %s\n", cli.Printable(problem.Message+" ("+problem.Fix+")"))
	}
	return nil
}
