package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/rights"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// rightsOptions are the flags of explain that ask what Kubernetes allows. VERB and
// RESOURCE are arguments, as for kubectl auth can-i.
type rightsOptions struct {
	canI, rights, who bool
	namespace         string
}

func (o *rightsOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.canI, "can-i", false, "ask the API server whether the caller may do VERB RESOURCE, two arguments as for kubectl auth can-i")
	flags.BoolVar(&o.rights, "rights", false, "show what RBAC allows the caller, and the bindings that allow it")
	flags.BoolVar(&o.who, "who", false, "show the AWS identities that RBAC allows to do VERB RESOURCE, each with its mapping and binding")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace for --can-i, --rights and --who (default: all namespaces)")
}

// args checks the arguments, which are VERB and RESOURCE if a flag needs them.
func (o *rightsOptions) args(cmd *cobra.Command, args []string) error {
	if !o.canI && !o.who {
		return cli.NoArgs(cmd, args)
	}
	if len(args) != 2 {
		return cli.Usagef("--can-i and --who need two arguments, VERB RESOURCE, such as: get pods")
	}
	return nil
}

// check returns an error for flags that exclude each other.
func (o *rightsOptions) check(hasSubject bool) error {
	switch {
	case o.who && (o.canI || o.rights):
		return cli.Usagef("--who cannot be combined with --can-i or --rights")
	case o.who && hasSubject:
		return cli.Usagef("--who is about all AWS identities: omit --token, --arn and --as-me")
	case o.namespace != "" && !o.who && !o.canI && !o.rights:
		return cli.Usagef("--namespace requires --can-i, --rights or --who")
	}
	return nil
}

// A rightsReader reads RBAC and the resources of a cluster.
type rightsReader struct {
	client dynamic.Interface
	// action is what the arguments say.
	action rights.Action
}

// reader returns a reader for the cluster of the flags.
func (o *rightsOptions) reader(ctx context.Context, kubectl *kube.Kubectl, args []string) (rightsReader, error) {
	config, err := kubectl.Config()
	if err != nil {
		return rightsReader{}, err
	}
	config.QPS, config.Burst = 50, 300 // kubectl's; the default delays the pages of a large cluster
	r := rightsReader{}
	if r.client, err = kube.NewClient(config); err != nil || len(args) == 0 {
		return r, err
	}
	var known []rights.Resource
	if !strings.HasPrefix(args[1], "/") {
		if known, err = kube.Resources(ctx, config); err != nil {
			return r, err
		}
	}
	r.action, err = rights.ParseAction(args[0], args[1], o.namespace, known)
	if unknown, ok := errors.AsType[*rights.UnknownResourceError](err); ok {
		hint := "kubectl api-resources lists the resources"
		if unknown.Nearest != "" {
			hint = "did you mean " + unknown.Nearest + "?"
		}
		return r, &cli.Error{Code: cli.ExitUsage, Hint: hint, Err: err}
	}
	if err != nil {
		return r, cli.Usagef("%w", err)
	}
	return r, nil
}

// of returns what Kubernetes allows the user of an explanation; nothing if the flags do
// not ask, or nobody is mapped.
func (o *rightsOptions) of(ctx context.Context, kubectl *kube.Kubectl, e explain.Explanation, args []string) (a access, err error) {
	if e.User == nil || !o.canI && !o.rights {
		return a, nil
	}
	reader, err := o.reader(ctx, kubectl, args)
	if err != nil {
		return a, err
	}
	user := rights.User{Name: e.User.Username, Groups: append(slices.Clone(e.User.Groups), rights.GroupAuthenticated)}
	note := ""
	if slices.ContainsFunc(append(slices.Clone(user.Groups), user.Name), func(s string) bool { return strings.Contains(s, unknownSession) }) {
		note = "the session name is unknown, so bindings to " + user.Name + " do not count (name the session with --session)"
	}
	if o.canI {
		status, err := kube.CanI(ctx, reader.client, reviewOf(e, user), reader.action)
		if err != nil {
			return a, withRightsHint(err)
		}
		a.CanI = newCanIView(reader.action, status, user, note)
	}
	if o.rights {
		policy, err := kube.Policy(ctx, reader.client)
		if err != nil {
			return a, withRightsHint(err)
		}
		a.Rights = newRightsView(policy.Of(user), user, o.namespace, note)
	}
	return a, nil
}

// reviewOf returns the user of an explanation for a SubjectAccessReview. It omits what
// is unknown because the question was not a token.
func reviewOf(e explain.Explanation, user rights.User) authorizationv1.SubjectAccessReviewSpec {
	spec := authorizationv1.SubjectAccessReviewSpec{User: user.Name, Groups: user.Groups, UID: e.User.UID, Extra: map[string]authorizationv1.ExtraValue{}}
	for key, values := range e.User.Extra {
		if len(values) > 0 && values[0] != "" {
			spec.Extra[key] = values
		}
	}
	if e.Principal != nil && e.Principal.UserID == "" {
		spec.UID = ""
	}
	return spec
}

// withRightsHint adds what an administrator must grant.
func withRightsHint(err error) error {
	missing, ok := errors.AsType[*kube.MissingRightError](err)
	if !ok {
		return err
	}
	hint := "use a kubeconfig whose user may " + missing.Verb + " " + missing.Resource
	if missing.Verb == "list" {
		hint = "use a kubeconfig whose user may list roles, clusterroles, rolebindings and clusterrolebindings of rbac.authorization.k8s.io in all namespaces"
	}
	return &cli.Error{Code: cli.ExitFailure, Hint: hint, Err: err}
}

// maxHolders bounds the answer of --who. A binding to system:authenticated alone gives
// one holder for each mapping.
const maxHolders = 10_000

// runWho prints who may do what the arguments say.
func (o *explainOptions) runWho(ctx context.Context, p *program, args []string) error {
	read, err := o.place(p).Read(ctx, o.Partition)
	if err != nil {
		return err
	}
	mappings := rights.Mappings{
		Owners: o.OwnerARNs,
		Mapper: cluster.Mapper(cluster.Config{Denies: read.Denies, Owner: read.Owner, Sources: read.Sources, ReservedPrefixes: read.Reserved}),
	}
	for _, s := range read.Sources {
		table := s.Current().Table
		if table == nil {
			return fmt.Errorf("reading the mappings of %s: %w", s.Name(), cmp.Or(read.Facts.Unreadable, mapper.ErrNotSynced))
		}
		mappings.Tables = append(mappings.Tables, table)
	}
	reader, err := o.access.reader(ctx, o.cluster.of(p), args)
	if err != nil {
		return err
	}
	policy, err := kube.Policy(ctx, reader.client)
	if err != nil {
		return withRightsHint(err)
	}
	view := whoView{Action: newActionView(reader.action), Holders: []holderView{}, action: reader.action}
	for holder := range policy.Who(ctx, reader.action, mappings) {
		if len(view.Holders) == maxHolders {
			view.More = true
			break
		}
		view.Holders = append(view.Holders, newHolderView(holder))
	}
	if format := o.output.String(); format == cli.JSON || format == cli.YAML {
		return o.output.Print(p.out, view, nil)
	}
	return view.print(p.out)
}
