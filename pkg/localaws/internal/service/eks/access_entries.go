package eks

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// An accessEntry grants a user or a role access to a cluster.
type accessEntry struct {
	record
	entryConfig
	// PrincipalID is the unique ID of the principal: a new user or role with the same ARN
	// is another principal. It is empty for one of an account that does not exist here.
	PrincipalID string `json:"principalID,omitempty"`
	// Policies are the associated access policies by ARN.
	Policies map[string]*accessPolicy `json:"accessPolicies,omitempty"`
}

func (e *accessEntry) key() string { return e.Principal }

func accessEntries() kind[*accessEntry] {
	return kind[*accessEntry]{
		noun: "access-entry", names: "access entries", path: "principalArn", limit: 1000,
		of: func(c *cluster) *map[string]*accessEntry { return &c.AccessEntries },
		missing: func(string) error {
			return notFound("The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
		},
		exists: func(*cluster, *accessEntry) error {
			return inUse("The specified access entry resource is already in use on this cluster.")
		},
	}
}

func accessEntryOperations() []api.Operation {
	const entries = "/clusters/{clusterName}/access-entries"
	const entry = entries + "/{principalArn}"
	return []api.Operation{
		on(entryCluster, "POST "+entries, "CreateAccessEntry", createAccessEntry),
		on(entryCluster, "GET "+entries, "ListAccessEntries", listAccessEntries, "associatedPolicyArn", "maxResults", "nextToken"),
		on(namedEntry, "GET "+entry, "DescribeAccessEntry", describeAccessEntry),
		on(namedEntry, "POST "+entry, "UpdateAccessEntry", updateAccessEntry),
		on(namedEntry, "DELETE "+entry, "DeleteAccessEntry", deleteAccessEntry),
	}
}

// An entryConfig is what a client chooses of an entry, as in requests and answers.
type entryConfig struct {
	Principal string   `json:"principalArn"`
	Type      string   `json:"type"`
	Username  string   `json:"username"`
	Groups    []string `json:"kubernetesGroups"`
}

type accessEntryInput struct {
	entryConfig
	Tags  map[string]string `json:"tags"`
	Token string            `json:"clientRequestToken"`
}

func (i *accessEntryInput) conditionKeys() map[string][]string {
	keys := api.Merged(api.RequestTags(i.Tags), map[string][]string{"eks:principalarn": {i.Principal}})
	for key, values := range map[string][]string{"eks:kubernetesgroups": i.Groups, "eks:username": {i.Username}, "eks:accessentrytype": {i.Type}} {
		if len(values) > 0 && values[0] != "" {
			keys[key] = values
		}
	}
	return keys
}

// entryCluster finds the cluster in the path, if it has access entries.
func entryCluster(tx *account.Tx, input api.Input) (*cluster, subject, error) {
	c, needed, err := namedCluster(tx, input)
	if err == nil && c.mode() == configMap {
		err = badRequest("InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return c, needed, err
}

// namedEntry finds the entry of the principal in the path.
func namedEntry(tx *account.Tx, input api.Input) (member[*accessEntry], subject, error) {
	principal := input.Path["principalArn"]
	path, ok := entryPath(principal)
	if !ok {
		return member[*accessEntry]{}, subject{arn: tx.ARN("eks", tx.Region, "access-entry/"+clusterName(input)+"/*")}, invalidPrincipal()
	}
	found, needed, err := accessEntries().named(tx, input)
	if err != nil {
		needed.arn = tx.ARN("eks", tx.Region, "access-entry/"+clusterName(input)+"/"+path+"/*")
	}
	if _, _, refused := entryCluster(tx, input); refused != nil {
		err = refused
	}
	needed.keys = api.Merged(needed.keys, map[string][]string{"eks:clustername": {clusterName(input)}, "eks:principalarn": {principal}})
	return found, needed, err
}

func invalidPrincipal() error {
	return invalid("The specified principalArn is invalid: invalid principal.")
}

// entryPath returns the part of an entry's ARN that its principal gives:
// role/111122223333/name.
func entryPath(principal string) (path string, ok bool) {
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" {
		return "", false
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	return kind + "/" + parts[4] + "/" + name[strings.LastIndex(name, "/")+1:], true
}

var principalPattern = pattern.New(`^arn:(?P<partition>[a-z-]+):iam::(?P<account>\d{12}):(?P<kind>user|role)/(?:[\x21-\x7E]+/)?(?P<name>[\w+=,.@-]{1,64})$`)

// A principalType is a type of entry: whom it is for, and as whom they appear.
type principalType struct {
	name string
	// node reports that the entry is for nodes: a role of the account, which the
	// caller must be allowed to pass.
	node     bool
	username string
	groups   []string
}

func principalTypes() []principalType {
	const byDNS, bySession = "system:node:{{EC2PrivateDNSName}}", "system:node:{{SessionName}}"
	return []principalType{
		{"STANDARD", false, "", nil},
		{"EC2_LINUX", true, byDNS, []string{"system:nodes"}},
		{"EC2_WINDOWS", true, byDNS, []string{"eks:kube-proxy-windows", "system:nodes"}},
		{"FARGATE_LINUX", true, bySession, []string{"system:node-proxier", "system:nodes"}},
		{"HYBRID_LINUX", true, bySession, []string{"system:nodes"}},
		{"EC2", true, byDNS, []string{}},
		{"HYPERPOD_LINUX", true, bySession, []string{"system:nodes"}},
	}
}

// principalTypeOf returns the type with a name.
func principalTypeOf(name string) (principalType, error) {
	var names []string
	for _, t := range principalTypes() {
		if t.name == name {
			return t, nil
		}
		names = append(names, t.name)
	}
	return principalType{}, oneOf("type", name, names)
}

func createAccessEntry(tx *account.Tx, c *cluster, in request[accessEntryInput]) (any, error) {
	config := in.Body.entryConfig
	principal, err := config.complete(tx)
	if err != nil {
		return nil, err
	}
	made, err := grant(tx, c, in.Body, config, principal)
	if err != nil {
		return nil, err
	}
	return made.describe(c), nil
}

// grant makes an entry of a complete configuration.
func grant(tx *account.Tx, c *cluster, asked accessEntryInput, config entryConfig, principal account.Owner) (*accessEntry, error) {
	path, _ := entryPath(config.Principal)
	creation := creation{key: config.Principal, id: path + "/" + account.NewUUID(), tags: asked.Tags, token: asked.Token, input: asked}
	return accessEntries().create(tx, c, creation, func(base record) *accessEntry {
		return &accessEntry{record: base, entryConfig: config, PrincipalID: principal.ID}
	})
}

// admit makes the entry of a role for nodes or pods, as EKS itself does for node groups
// and Fargate profiles. An entry that exists stays as it is.
func admit(tx *account.Tx, c *cluster, role account.Owner, kind string) {
	t, err := principalTypeOf(kind)
	if err != nil || c.mode() == configMap {
		return
	}
	config := entryConfig{Principal: role.ARN, Type: t.name, Username: t.username, Groups: t.groups}
	_, _ = grant(tx, c, accessEntryInput{}, config, role) // fails if there is one, or at the limit
}

// complete checks an entry, sets its defaults and returns its principal.
func (a *entryConfig) complete(tx *account.Tx) (account.Owner, error) {
	if a.Type == "" {
		a.Type = "STANDARD"
	}
	kind, err := principalTypeOf(a.Type)
	if err != nil {
		return account.Owner{}, err
	}
	principal, err := kind.principal(tx, a.Principal)
	if err != nil {
		return account.Owner{}, err
	}
	if kind.node {
		if a.Username != "" || len(a.Groups) > 0 {
			return account.Owner{}, invalid("The username and kubernetesGroups cannot be set for access entries of type " + a.Type + ".")
		}
		a.Username, a.Groups = kind.username, kind.groups
		return principal, nil
	}
	return principal, a.completeStandard()
}

// completeStandard checks what clients can set in an entry of type STANDARD.
func (a *entryConfig) completeStandard() error {
	if a.Username == "" {
		parts := principalPattern.FindStringSubmatch(a.Principal)
		if parts == nil {
			return invalidPrincipal()
		}
		a.Username = a.Principal
		if parts[3] == "role" {
			a.Username = "arn:" + parts[1] + ":sts::" + parts[2] + ":assumed-role/" + parts[4] + "/{{SessionName}}"
		}
	} else if err := checkUsername(a.Username); err != nil {
		return err
	}
	if a.Groups == nil {
		a.Groups = []string{}
	}
	if len(a.Groups) > maxGroups {
		return invalid(fmt.Sprintf("An access entry cannot have more than %d kubernetesGroups.", maxGroups))
	}
	for _, group := range a.Groups {
		if group == "" || len(group) > maxName || strings.HasPrefix(group, "system:") {
			return invalid("The kubernetes group name " + group + " is invalid, it cannot start with system:")
		}
	}
	return nil
}

const (
	maxGroups = 50
	maxName   = 512 // of a user or a group
)

// checkUsername checks a username that a client chose. What identifies the session in
// it must follow a colon, so that no session can take another's name.
func checkUsername(name string) error {
	for _, prefix := range []string{"system:", "eks:", "aws:", "amazon:", "iam:"} {
		if strings.HasPrefix(name, prefix) {
			return invalid("The username cannot begin with " + prefix)
		}
	}
	if len(name) > maxName {
		return invalid(fmt.Sprintf("The username cannot have more than %d characters.", maxName))
	}
	if at := strings.Index(name, "{{"); at >= 0 {
		template := name[at:]
		if template != "{{SessionName}}" && template != "{{SessionNameRaw}}" || !strings.Contains(name[:at], ":") {
			return invalid("The username may contain {{SessionName}} or {{SessionNameRaw}} after a colon only.")
		}
	}
	return nil
}

// principal checks the principal of an entry, and returns who it is. One of an account that
// does not exist here is not looked up.
func (t principalType) principal(tx *account.Tx, arn string) (account.Owner, error) {
	parts := principalPattern.FindStringSubmatch(arn)
	if parts == nil || parts[1] != tx.Account.Partition || len(arn) > 2048 || strings.Contains(arn, ":role/aws-service-role/") {
		return account.Owner{}, invalidPrincipal()
	}
	in, ok := tx.In(parts[2])
	switch {
	case t.node && parts[2] != tx.Account.ID:
		return account.Owner{}, invalid("The principalArn of an access entry of type " + t.name + " must be a role of the account of the cluster.")
	case !ok:
		return account.Owner{ARN: arn}, nil
	}
	if parts[3] == "role" {
		role, ok := in.Identities().Role(arn)
		if !ok {
			return account.Owner{}, invalidPrincipal()
		}
		if t.node {
			return role.Owner, tx.PassRole(role, "eks.amazonaws.com")
		}
		return role.Owner, nil
	}
	user, ok := in.Identities().User(arn)
	if !ok || t.node {
		return account.Owner{}, invalidPrincipal()
	}
	return user, nil
}

func listAccessEntries(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	var found []string
	for _, e := range accessEntries().all(c) {
		if arn := in.Query.Get("associatedPolicyArn"); arn == "" || e.Policies[arn] != nil {
			found = append(found, e.Principal)
		}
	}
	return listed(in.Input, "accessEntries", found, itself)
}

func describeAccessEntry(_ *account.Tx, m member[*accessEntry], _ request[none]) (any, error) {
	return m.it.describe(m.cluster), nil
}

func deleteAccessEntry(_ *account.Tx, m member[*accessEntry], _ request[none]) (any, error) {
	accessEntries().remove(m)
	return struct{}{}, nil
}

type accessEntryChange struct {
	Username string    `json:"username"`
	Groups   *[]string `json:"kubernetesGroups"`
	Token    string    `json:"clientRequestToken"`
}

func updateAccessEntry(tx *account.Tx, m member[*accessEntry], in request[accessEntryChange]) (any, error) {
	if m.it.Type != "STANDARD" {
		return nil, invalid("The username and kubernetesGroups cannot be set for access entries of type " + m.it.Type + ".")
	}
	next := m.it.entryConfig
	if in.Body.Groups != nil {
		next.Groups = *in.Body.Groups
	}
	if in.Body.Username != "" && in.Body.Username != next.Username {
		if err := checkUsername(in.Body.Username); err != nil {
			return nil, err
		}
		next.Username = in.Body.Username
	}
	given := next.Username
	next.Username = "" // checked, or the default
	if err := next.completeStandard(); err != nil {
		return nil, err
	}
	next.Username = given
	m.it.entryConfig, m.it.Modified = next, tx.Time
	return m.it.describe(m.cluster), nil
}

func (e *accessEntry) describe(c *cluster) any {
	described := with(e.described(c, "accessEntryArn", ""), e.entryConfig)
	delete(described, "status") // it has none
	return map[string]any{"accessEntry": described}
}
