package eks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A podIdentity associates a service account with a role. No agent hands out
// credentials.
type podIdentity struct {
	record
	podIdentityConfig
	ID string `json:"associationId"`
	// Owner is the ARN of the add-on that made it.
	Owner string `json:"ownerArn,omitempty"`
	// ExternalID is that of the target role.
	ExternalID string `json:"externalId,omitempty"`
}

func (p *podIdentity) key() string { return p.ID }

func podIdentities() kind[*podIdentity] {
	return kind[*podIdentity]{
		noun: "podidentityassociation", names: "pod identity associations", path: "associationId", bare: true, limit: 5000,
		of:      func(c *cluster) *map[string]*podIdentity { return &c.PodIdentities },
		missing: func(id string) error { return notFound("No Pod Identity Association found for ID: " + id + ".") },
		exists:  func(_ *cluster, p *podIdentity) error { return inUse("Association already exists: " + p.ID) },
	}
}

func podIdentityOperations() []api.Operation {
	const all = "/clusters/{name}/pod-identity-associations"
	const one = all + "/{associationId}"
	named := podIdentities().named
	return []api.Operation{
		on(namedCluster, "POST "+all, "CreatePodIdentityAssociation", createPodIdentity),
		on(namedCluster, "GET "+all, "ListPodIdentityAssociations", listPodIdentities, "maxResults", "namespace", "nextToken", "serviceAccount"),
		on(named, "GET "+one, "DescribePodIdentityAssociation", describePodIdentity),
		on(named, "POST "+one, "UpdatePodIdentityAssociation", updatePodIdentity),
		on(named, "DELETE "+one, "DeletePodIdentityAssociation", deletePodIdentity),
	}
}

// A podIdentityConfig is what a client chooses of an association, as in requests and
// answers.
type podIdentityConfig struct {
	Namespace          string `json:"namespace"`
	Account            string `json:"serviceAccount"`
	Role               string `json:"roleArn"`
	TargetRole         string `json:"targetRoleArn,omitempty"`
	DisableSessionTags bool   `json:"disableSessionTags"`
}

type podIdentityInput struct {
	podIdentityConfig
	Tags  map[string]string `json:"tags"`
	Token string            `json:"clientRequestToken"`
}

func (i *podIdentityInput) conditionKeys() map[string][]string { return api.RequestTags(i.Tags) }

// associated returns the association of a service account; nil if there is none.
func associated(c *cluster, namespace, name string) *podIdentity {
	for _, p := range c.PodIdentities {
		if p.Namespace == namespace && p.Account == name {
			return p
		}
	}
	return nil
}

func createPodIdentity(tx *account.Tx, c *cluster, in request[podIdentityInput]) (any, error) {
	if err := in.Body.check(tx); err != nil {
		return nil, err
	}
	made, err := associate(tx, c, in.Body, "")
	if err != nil {
		return nil, err
	}
	return made.describe(c), nil
}

func associate(tx *account.Tx, c *cluster, input podIdentityInput, owner string) (*podIdentity, error) {
	id := account.NewHexID("a-")
	if existing := associated(c, input.Namespace, input.Account); existing != nil {
		id = existing.ID
	}
	asked := creation{key: id, id: id, tags: input.Tags, token: input.Token, input: input}
	return podIdentities().create(tx, c, asked, func(base record) *podIdentity {
		made := &podIdentity{record: base, podIdentityConfig: input.podIdentityConfig, ID: id, Owner: owner}
		made.setExternalID()
		return made
	})
}

// setExternalID makes an external ID if there is a target role: its trust policy names
// it.
func (p *podIdentity) setExternalID() {
	p.ExternalID = ""
	if p.TargetRole != "" {
		p.ExternalID = account.NewUUID()
	}
}

var (
	namespacePattern = pattern.New(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	accountPattern   = pattern.New(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

func (p *podIdentityConfig) check(tx *account.Tx) error {
	switch {
	case !namespacePattern.MatchString(p.Namespace):
		return invalid("The namespace " + p.Namespace + " is not valid.")
	case !accountPattern.MatchString(p.Account):
		return invalid("The service account " + p.Account + " is not valid.")
	}
	return p.passRole(tx)
}

func (p *podIdentityConfig) passRole(tx *account.Tx) error {
	role, ok := tx.Identities().Role(p.Role)
	if !ok {
		return invalid("Role provided in the request does not exist: " + p.Role)
	}
	if p.TargetRole != "" && !rolePattern.MatchString(p.TargetRole) {
		return invalid("The target role ARN is not valid: " + p.TargetRole)
	}
	return tx.PassRole(role, "pods.eks.amazonaws.com")
}

var rolePattern = pattern.New(`^arn:[a-z-]+:iam::\d{12}:role/.{1,576}$`)

func describePodIdentity(_ *account.Tx, m member[*podIdentity], _ request[none]) (any, error) {
	return m.it.describe(m.cluster), nil
}

func deletePodIdentity(_ *account.Tx, m member[*podIdentity], _ request[none]) (any, error) {
	if m.it.Owner != "" {
		return nil, invalid("The association is managed by " + m.it.Owner + ": update or delete that add-on.")
	}
	podIdentities().remove(m)
	return m.it.describe(m.cluster), nil
}

type podIdentityChange struct {
	Role               string  `json:"roleArn"`
	TargetRole         *string `json:"targetRoleArn"`
	DisableSessionTags *bool   `json:"disableSessionTags"`
	Token              string  `json:"clientRequestToken"`
}

func updatePodIdentity(tx *account.Tx, m member[*podIdentity], in request[podIdentityChange]) (any, error) {
	next := m.it.podIdentityConfig
	next.Role = cmp.Or(in.Body.Role, next.Role)
	if in.Body.TargetRole != nil {
		next.TargetRole = *in.Body.TargetRole
	}
	if in.Body.DisableSessionTags != nil {
		next.DisableSessionTags = *in.Body.DisableSessionTags
	}
	if err := next.passRole(tx); err != nil {
		return nil, err
	}
	retargeted := next.TargetRole != m.it.TargetRole
	m.it.podIdentityConfig, m.it.Modified = next, tx.Time
	if retargeted {
		m.it.setExternalID()
	}
	return m.it.describe(m.cluster), nil
}

func (p *podIdentity) describe(c *cluster) any {
	described := with(p.described(c, "associationArn", ""), p.podIdentityConfig)
	delete(described, "status") // it has none
	described["associationId"] = p.ID
	if p.Owner != "" {
		described["ownerArn"] = p.Owner
	}
	if p.ExternalID != "" {
		described["externalId"] = p.ExternalID
	}
	return map[string]any{"association": described}
}

func listPodIdentities(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	type summary struct {
		Cluster   string `json:"clusterName"`
		Namespace string `json:"namespace"`
		Account   string `json:"serviceAccount"`
		ARN       string `json:"associationArn"`
		ID        string `json:"associationId"`
		Owner     string `json:"ownerArn,omitempty"`
	}
	var found []summary
	for _, p := range podIdentities().all(c) {
		if in.Query.Has("namespace") && in.Query.Get("namespace") != p.Namespace || in.Query.Has("serviceAccount") && in.Query.Get("serviceAccount") != p.Account {
			continue
		}
		found = append(found, summary{c.Name, p.Namespace, p.Account, p.ARN, p.ID, p.Owner})
	}
	return listed(in.Input, "associations", found, func(s summary) string { return s.ID })
}

// checkOwned checks the associations that an add-on is to own; now are those that it
// owns.
func checkOwned(tx *account.Tx, c *cluster, known addonKind, now []string, asked []addonPodIdentity) error {
	if len(asked) > maxOwned {
		return invalid(fmt.Sprintf("An add-on cannot have more than %d pod identity associations.", maxOwned))
	}
	for i, one := range asked {
		if slices.ContainsFunc(asked[:i], func(before addonPodIdentity) bool { return before.Account == one.Account }) {
			return invalid("The service account " + one.Account + " is in podIdentityAssociations twice.")
		}
		config := podIdentityConfig{Namespace: known.namespace, Account: one.Account, Role: one.Role}
		if err := config.check(tx); err != nil {
			return err
		}
		if existing := associated(c, config.Namespace, config.Account); existing != nil && !slices.Contains(now, existing.ARN) {
			return inUse("Association already exists: " + existing.ID)
		}
	}
	if len(c.PodIdentities)+len(asked) > podIdentities().limit {
		return badRequest("ResourceLimitExceededException", fmt.Sprintf("A cluster cannot have more than %d pod identity associations.", podIdentities().limit))
	}
	return nil
}

const maxOwned = 20

// own makes the associations of an add-on, which checkOwned has checked, and returns
// their ARNs.
func own(tx *account.Tx, c *cluster, a *addon, asked []addonPodIdentity) []string {
	known, _ := addonNamed(a.Name)
	var arns []string
	for _, one := range asked {
		config := podIdentityConfig{Namespace: known.namespace, Account: one.Account, Role: one.Role}
		if made, err := associate(tx, c, podIdentityInput{podIdentityConfig: config}, a.ARN); err == nil {
			arns = append(arns, made.ARN)
		}
	}
	return arns
}

// disown deletes the associations of an add-on.
func disown(c *cluster, a *addon) {
	for _, arn := range a.Associations {
		delete(c.PodIdentities, arn[strings.LastIndex(arn, "/")+1:])
	}
	a.Associations = nil
}
