// Package access answers what Kubernetes allows the user of an explanation, and whose AWS
// identities may do something.
package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/place"
	"github.com/kube-iam/authenticator/internal/rights"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A Question is about the rights in a cluster.
type Question struct {
	Kubectl *kube.Kubectl
	// Action is a verb and a resource, as for kubectl auth can-i; empty for all rights.
	Action []string
	// Namespace is empty for all namespaces.
	Namespace string
}

// A reader reads RBAC and the resources of a cluster.
type reader struct {
	client kube.Client
	// action is what the arguments say.
	action rights.Action
}

// reader returns a reader for the cluster.
func (q Question) reader(ctx context.Context) (reader, error) {
	config, err := q.Kubectl.Config()
	if err != nil {
		return reader{}, err
	}
	config.QPS, config.Burst = 50, 300 // kubectl's; the default delays the pages of a large cluster
	r := reader{}
	if r.client, err = kube.NewClient(config); err != nil || len(q.Action) == 0 {
		return r, err
	}
	var known []rights.Resource
	if !strings.HasPrefix(q.Action[1], "/") {
		if known, err = kube.Resources(ctx, config); err != nil {
			return r, err
		}
	}
	r.action, err = rights.ParseAction(q.Action[0], q.Action[1], q.Namespace, known)
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

// Of returns what Kubernetes allows the user of an explanation: whether it may do the
// action, its rights, or both; nothing if nobody is mapped.
func (q Question) Of(ctx context.Context, e explain.Explanation, canI, all bool) (a Access, err error) {
	if e.User == nil || !canI && !all {
		return a, nil
	}
	reading, err := q.reader(ctx)
	if err != nil {
		return a, err
	}
	user := rights.User{Name: e.User.Username, Groups: append(slices.Clone(e.User.Groups), rights.GroupAuthenticated)}
	note := ""
	if slices.ContainsFunc(append(slices.Clone(user.Groups), user.Name), func(s string) bool { return strings.Contains(s, explain.UnknownSession) }) {
		note = "the session name is unknown, so bindings to " + user.Name + " do not count (name the session with --session)"
	}
	if canI {
		status, err := kube.CanI(ctx, reading.client, reviewOf(e, user), reading.action)
		if err != nil {
			return a, withRightsHint(err)
		}
		a.CanI = newCanIView(reading.action, status, user, note)
		if !status.Allowed && !status.Denied && note == "" {
			a.CanI.Command = grantCommand(q.Kubectl, reading.action, user.Name)
		}
	}
	if all {
		policy, err := kube.Policy(ctx, reading.client)
		if err != nil {
			return a, withRightsHint(err)
		}
		a.Rights = newRightsView(policy.Of(user), user, q.Namespace, note)
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

// Who returns whose AWS identities may do the action, by mappings. Owners are the ARNs of
// the cluster's owners.
func (q Question) Who(ctx context.Context, read place.Mappings, owners []string) (Holders, error) {
	mappings := rights.Mappings{
		Owners: owners,
		Mapper: cluster.Mapper(cluster.Config{Denies: read.Denies, Owner: read.Owner, Sources: read.Sources, ReservedPrefixes: read.Reserved}),
	}
	for _, s := range read.Sources {
		table := s.Current().Table
		if table == nil {
			return Holders{}, fmt.Errorf("reading the mappings of %s: %w", s.Name(), cmp.Or(read.Facts.Unreadable, mapper.ErrNotSynced))
		}
		mappings.Tables = append(mappings.Tables, table)
	}
	reading, err := q.reader(ctx)
	if err != nil {
		return Holders{}, err
	}
	policy, err := kube.Policy(ctx, reading.client)
	if err != nil {
		return Holders{}, withRightsHint(err)
	}
	found := Holders{Action: newActionView(reading.action), List: []holderView{}, action: reading.action}
	for holder := range policy.Who(ctx, reading.action, mappings) {
		if len(found.List) == maxHolders {
			found.More = true
			break
		}
		found.List = append(found.List, newHolderView(holder))
	}
	return found, nil
}
