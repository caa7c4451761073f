package access

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/rights"
)

// The views are the answers about rights as they are printed. Their JSON is an interface
// for programs: fields are added, but never renamed or removed.

// rbacOnly says what --rights and --who leave out.
const rbacOnly = "by RBAC alone: other authorizers, such as Node or a webhook, may allow more"

// mastersText says what the members of system:masters may do.
const mastersText = rights.GroupMasters + " may do everything, whatever RBAC says"

// Access is what Kubernetes allows a mapped caller.
type Access struct {
	CanI   *canIView   `json:"canI,omitempty"`
	Rights *rightsView `json:"rights,omitempty"`
}

// Print prints the answers after an explanation.
func (a Access) Print(w io.Writer, e explain.Explanation) error {
	if a.CanI != nil {
		a.CanI.print(w, e.User.Username)
	}
	if a.Rights != nil {
		return a.Rights.print(w, e.User.Username)
	}
	return nil
}

// Exit returns the error with the exit code of the answers.
func (a Access) Exit() error {
	if a.CanI != nil && !a.CanI.Allowed {
		return &cli.Error{Code: cli.ExitFailure}
	}
	return nil
}

// actionView is an action.
type actionView struct {
	Verb        string `json:"verb"`
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Path        string `json:"path,omitempty"`
}

func newActionView(a rights.Action) actionView {
	return actionView{a.Verb, a.Group, a.Resource, a.Subresource, a.Name, a.Namespace, a.Path}
}

// canIView is the answer of the API server.
type canIView struct {
	Action  actionView `json:"action"`
	Allowed bool       `json:"allowed"`
	Reason  string     `json:"reason"`
	Note    string     `json:"note,omitempty"`
	// Command allows the action; empty if it is allowed, or RBAC cannot allow it.
	Command string `json:"command,omitempty"`
	action  rights.Action
}

func newCanIView(a rights.Action, status authorizationv1.SubjectAccessReviewStatus, user rights.User, note string) *canIView {
	details := slices.DeleteFunc([]string{status.Reason, status.EvaluationError}, func(s string) bool { return s == "" })
	if len(details) == 2 && strings.Contains(status.Reason, status.EvaluationError) {
		details = details[:1]
	}
	// The reason of a denial names what an authorizer missed; it may have nothing to do
	// with the question.
	switch {
	case status.Allowed && slices.Contains(user.Groups, rights.GroupMasters):
		details = append([]string{mastersText}, details...)
	case status.Allowed && len(details) == 0:
		details = []string{"an authorizer allows it"}
	case status.Denied:
		details = append([]string{"an authorizer forbids it"}, details...)
	case !status.Allowed:
		details = append([]string{"no authorizer allows it"}, details...)
	}
	return &canIView{Action: newActionView(a), Allowed: status.Allowed, Reason: strings.Join(details, "; "), Note: note, action: a}
}

func (v *canIView) print(w io.Writer, username string) {
	answer := "no"
	if v.Allowed {
		answer = "yes"
	}
	fmt.Fprintf(w, "\nMay %s %s? %s: %s\n", cli.Printable(username), cli.Printable(v.action.String()), answer, cli.Printable(v.Reason))
	if !v.Allowed && v.action.Namespaced && v.action.Namespace == "" {
		fmt.Fprintln(w, "  This is about all namespaces at once: ask about one with --namespace.")
	}
	if v.Note != "" {
		fmt.Fprintf(w, "  Note: %s\n", cli.Printable(v.Note))
	}
	if v.Command != "" {
		fmt.Fprintf(w, "An administrator allows it with:\n  %s\n", cli.Printable(v.Command))
	}
}

// grantView is a binding that applies to a user.
type grantView struct {
	Binding objectView `json:"binding"`
	Subject objectView `json:"subject"`
	Role    objectView `json:"role"`
	// Missing is set if the role does not exist: then nothing is granted.
	Missing bool `json:"missing,omitempty"`
	// Rules are those of the role. Answers about many users omit them.
	Rules []rbacv1.PolicyRule `json:"rules,omitempty"`
}

// objectView names an object or a subject.
type objectView struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

func (o objectView) String() string { return o.Kind + " " + o.Name }

func newGrantView(g rights.Grant) grantView {
	role := objectView{Kind: g.Binding.Role.Kind, Name: g.Binding.Role.Name}
	if role.Kind == "Role" {
		role.Namespace = g.Binding.Namespace
	}
	return grantView{
		Binding: objectView{g.Binding.Kind(), g.Binding.Namespace, g.Binding.Name},
		Subject: objectView{g.Subject.Kind, g.Subject.Namespace, g.Subject.Name},
		Role:    role, Missing: g.Missing, Rules: g.Rules,
	}
}

// rightsView is what RBAC allows a user.
type rightsView struct {
	// Masters is set for a member of system:masters, who may do everything.
	Masters bool        `json:"systemMasters"`
	Grants  []grantView `json:"grants"`
	Note    string      `json:"note,omitempty"`
}

// newRightsView returns the grants of a user; with a namespace, those that have an
// effect there.
func newRightsView(grants []rights.Grant, user rights.User, namespace, note string) *rightsView {
	v := &rightsView{Masters: slices.Contains(user.Groups, rights.GroupMasters), Grants: []grantView{}, Note: note}
	for _, grant := range grants {
		if namespace == "" || grant.Binding.Namespace == "" || grant.Binding.Namespace == namespace {
			v.Grants = append(v.Grants, newGrantView(grant))
		}
	}
	return v
}

func (v *rightsView) print(w io.Writer, username string) error {
	fmt.Fprintf(w, "\nRights of %s (%s):\n", cli.Printable(username), rbacOnly)
	if v.Masters {
		fmt.Fprintf(w, "  %s.\n", mastersText)
	}
	if v.Note != "" {
		fmt.Fprintf(w, "  Note: %s\n", cli.Printable(v.Note))
	}
	if len(v.Grants) == 0 {
		fmt.Fprintln(w, "  No binding is for this user or its groups.")
		return nil
	}
	return printRows(w, func() (rows cli.Rows) {
		rows.Header = []string{"BINDING", "NAMESPACE", "SUBJECT", "ROLE", "VERBS", "RESOURCES"}
		for _, g := range v.Grants {
			add := func(verbs, targets string) {
				rows.Add(g.Binding, everywhere(g.Binding.Namespace), g.Subject, g.Role, verbs, targets)
			}
			switch {
			case g.Missing:
				add("none", g.Role.String()+" does not exist, so this binding grants nothing")
			case len(g.Rules) == 0:
				add("none", "the role has no rules")
			}
			for _, rule := range g.Rules {
				add(strings.Join(rule.Verbs, ","), strings.Join(rights.Targets(rule), ","))
			}
		}
		return rows
	})
}

// everywhere returns a namespace, or an asterisk for all.
func everywhere(namespace string) string { return cmp.Or(namespace, "*") }

// printRows prints a table.
func printRows(w io.Writer, rows func() cli.Rows) error {
	var table cli.Output
	return table.Print(w, nil, func(bool) cli.Rows { return rows() })
}

// Holders is who may do something.
type Holders struct {
	Action actionView   `json:"action"`
	List   []holderView `json:"holders"`
	// More is set if there are more holders than were listed.
	More   bool `json:"more,omitempty"`
	action rights.Action
}

// holderView is a mapping whose users may do the action.
type holderView struct {
	// Who is an ARN, a pattern of ARNs, or an account ID for all its principals.
	Who      string       `json:"who"`
	Username string       `json:"username,omitempty"`
	Rule     explain.Rule `json:"rule"`
	// If has the values that placeholders must have.
	If map[string]string `json:"if,omitempty"`
	// Masters is set for members of system:masters; otherwise there is a grant.
	Masters bool       `json:"systemMasters,omitempty"`
	Grant   *grantView `json:"grant,omitempty"`
}

func newHolderView(h rights.Holder) holderView {
	v := holderView{
		Who: h.Who, Username: h.Username, If: h.If, Masters: h.Grant.Binding == nil,
		Rule: explain.Rule{Source: h.Rule.Source, Section: h.Rule.Section, Line: h.Rule.Line, For: h.Who, Matched: true},
	}
	if !v.Masters {
		grant := newGrantView(h.Grant)
		grant.Rules = nil
		v.Grant = &grant
	}
	return v
}

// Print prints the holders for people.
func (v Holders) Print(w io.Writer) error {
	v.action.Namespaced = false // some holders may do it in one namespace only
	if len(v.List) == 0 {
		_, err := fmt.Fprintf(w, "No mapping results in a user who may %s (%s).\n", cli.Printable(v.action.String()), rbacOnly)
		return err
	}
	fmt.Fprintf(w, "Who may %s (%s):\n", cli.Printable(v.action.String()), rbacOnly)
	err := printRows(w, func() (rows cli.Rows) {
		rows.Header = []string{"WHO", "USERNAME", "MAPPING", "NAMESPACE", "BY", "IF"}
		for _, h := range v.List {
			by, namespace := "Group "+rights.GroupMasters, ""
			if h.Grant != nil {
				by = fmt.Sprintf("%s of %s to %s", h.Grant.Binding, h.Grant.Role, h.Grant.Subject)
				namespace = h.Grant.Binding.Namespace
			}
			rows.Add(cmp.Or(accountText(h), h.Who), cmp.Or(h.Username, "its ARN"), h.Rule.Position(), everywhere(namespace), by, conditionText(h.If))
		}
		return rows
	})
	if err == nil && v.More {
		fmt.Fprintf(w, "These are the first %d: there are more.\n", maxHolders)
	}
	return err
}

// accountText describes the holder if it is all principals of an account.
func accountText(h holderView) string {
	if strings.HasPrefix(h.Who, "arn:") {
		return ""
	}
	return "every principal of account " + h.Who
}

// conditionText describes the values that placeholders must have.
func conditionText(values map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		switch name {
		case "SessionName":
			text := "the session is " + value
			if strings.Contains(value, "-") {
				text += " (each - may be @)"
			}
			parts = append(parts, text)
		case "SessionNameRaw":
			parts = append(parts, "the session is "+value)
		case "AccessKeyID":
			parts = append(parts, "the access key is "+value)
		default:
			parts = append(parts, "the instance's private DNS name is "+value)
		}
	}
	return cmp.Or(strings.Join(parts, " and "), "always")
}
