package eks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// An addon is an add-on of a cluster. Nothing is installed.
type addon struct {
	record
	addonConfig
	// Associations are the ARNs of the pod identity associations that it owns.
	Associations []string `json:"podIdentityAssociations,omitempty"`
}

func (a *addon) key() string { return a.Name }

func addons() kind[*addon] {
	return kind[*addon]{
		noun: "addon", names: "add-ons", path: "addonName", limit: len(catalog()),
		of:      func(c *cluster) *map[string]*addon { return &c.Addons },
		missing: func(name string) error { return notFound("No addon: " + name + " found in cluster") },
		exists:  func(*cluster, *addon) error { return inUse("Addon already exists.") },
	}
}

func addonOperations() []api.Operation {
	const all = "/clusters/{name}/addons"
	const one = all + "/{addonName}"
	named := addons().named
	return []api.Operation{
		on(namedCluster, "POST "+all, "CreateAddon", createAddon),
		addons().list("GET "+all, "ListAddons", "addons"),
		on(named, "GET "+one, "DescribeAddon", describeAddon),
		on(named, "DELETE "+one, "DeleteAddon", deleteAddon, "preserve"),
		on(named, "POST "+one+"/update", "UpdateAddon", updateAddon),
	}
}

// An addonConfig is what a client chooses of an add-on, as in requests and answers.
type addonConfig struct {
	Name          string `json:"addonName"`
	Version       string `json:"addonVersion"`
	Configuration string `json:"configurationValues,omitempty"`
	Role          string `json:"serviceAccountRoleArn,omitempty"`
}

type addonInput struct {
	addonConfig
	Conflicts    string              `json:"resolveConflicts"`
	Associations *[]addonPodIdentity `json:"podIdentityAssociations"`
	Tags         map[string]string   `json:"tags"`
	Token        string              `json:"clientRequestToken"`
}

type addonPodIdentity struct {
	Account string `json:"serviceAccount"`
	Role    string `json:"roleArn"`
}

func (i *addonInput) conditionKeys() map[string][]string { return api.RequestTags(i.Tags) }

func createAddon(tx *account.Tx, c *cluster, in request[addonInput]) (any, error) {
	input, config := in.Body, in.Body.addonConfig
	known, ok := addonNamed(config.Name)
	if !ok {
		return nil, unknownAddon(config.Name)
	}
	if config.Version == "" {
		kubernetes, _ := versionOf(c.Version)
		config.Version = known.defaultFor(kubernetes)
	}
	if err := config.check(c); err != nil {
		return nil, err
	}
	if err := checkConflicts(input.Conflicts, "NONE", "OVERWRITE"); err != nil {
		return nil, err
	}
	if err := config.passRole(tx); err != nil {
		return nil, err
	}
	asked := creation{key: config.Name, tags: input.Tags, token: input.Token, input: input}
	if _, exists := c.Addons[config.Name]; !exists && input.Associations != nil {
		if err := checkOwned(tx, c, known, nil, *input.Associations); err != nil {
			return nil, err
		}
	}
	fresh := false
	made, err := addons().create(tx, c, asked, func(base record) *addon {
		fresh = true
		return &addon{record: base, addonConfig: config}
	})
	if err != nil {
		return nil, err
	}
	if fresh && input.Associations != nil {
		made.Associations = own(tx, c, made, *input.Associations)
	}
	return made.describe(c, "CREATING"), nil
}

// passRole checks that the caller may pass the role, if it is one of the account.
func (a *addonConfig) passRole(tx *account.Tx) error {
	if a.Role == "" {
		return nil
	}
	role, ok := tx.Identities().Role(a.Role)
	if !ok {
		return invalid("The service account role " + a.Role + " does not exist.")
	}
	return tx.PassRole(role, "eks.amazonaws.com")
}

func checkConflicts(given string, supported ...string) error {
	if given == "" {
		return nil
	}
	return oneOf("resolveConflicts", given, supported)
}

const maxConfiguration = 64 << 10

func (a *addonConfig) check(c *cluster) error {
	known, ok := addonNamed(a.Name)
	if !ok {
		return unknownAddon(a.Name)
	}
	kubernetes, _ := versionOf(c.Version)
	if supported := known.versionsFor(kubernetes); !slices.Contains(supported, a.Version) {
		return unsupportedAddonVersion(a.Version, supported)
	}
	if len(a.Configuration) > maxConfiguration {
		return invalid(fmt.Sprintf("configurationValues cannot have more than %d bytes.", maxConfiguration))
	}
	// YAML is left as it is: the values have no effect here.
	if text := strings.TrimSpace(a.Configuration); strings.HasPrefix(text, "{") && !json.Valid([]byte(text)) {
		return invalid("ConfigurationValue is not in valid JSON or YAML format.")
	}
	return nil
}

func describeAddon(_ *account.Tx, m member[*addon], _ request[none]) (any, error) {
	return m.it.describe(m.cluster, "ACTIVE"), nil
}

func deleteAddon(_ *account.Tx, m member[*addon], _ request[none]) (any, error) {
	disown(m.cluster, m.it)
	addons().remove(m)
	return m.it.describe(m.cluster, "DELETING"), nil
}

func (a *addon) describe(c *cluster, status string) any {
	described := with(a.described(c, "addonArn", status), a.addonConfig)
	described["owner"], described["publisher"] = "aws", "eks"
	described["health"] = map[string]any{"issues": []any{}}
	if len(a.Associations) > 0 {
		described["podIdentityAssociations"] = a.Associations
	}
	return map[string]any{"addon": described}
}

// An addonChange is a request to update an add-on. What is left out stays, but for the
// role, as on AWS.
type addonChange struct {
	Version       string              `json:"addonVersion"`
	Configuration *string             `json:"configurationValues"`
	Role          *string             `json:"serviceAccountRoleArn"`
	Conflicts     string              `json:"resolveConflicts"`
	Associations  *[]addonPodIdentity `json:"podIdentityAssociations"`
	Token         string              `json:"clientRequestToken"`
}

func updateAddon(tx *account.Tx, m member[*addon], in request[addonChange]) (any, error) {
	c, a, input := m.cluster, m.it, in.Body
	asked := in.under(input.Token)
	if done, err := c.updated(asked); done != nil || err != nil {
		return done, err
	}
	next, params := input.apply(a.addonConfig)
	if err := next.check(c); err != nil {
		return nil, err
	}
	if err := checkConflicts(input.Conflicts, "NONE", "OVERWRITE", "PRESERVE"); err != nil {
		return nil, err
	}
	if next.Role != a.Role {
		if err := next.passRole(tx); err != nil {
			return nil, err
		}
	}
	if input.Associations != nil {
		known, _ := addonNamed(a.Name)
		if err := checkOwned(tx, c, known, a.Associations, *input.Associations); err != nil {
			return nil, err
		}
		disown(c, a)
		a.Associations = own(tx, c, a, *input.Associations)
	}
	a.addonConfig, a.Modified = next, tx.Time
	return c.update(tx, update{Type: "AddonUpdate", Params: params, Addon: a.Name, tokened: asked}), nil
}

// apply returns a changed configuration, and the parameters of the update.
func (i *addonChange) apply(next addonConfig) (addonConfig, []updateParam) {
	params := []updateParam{}
	if i.Version != "" {
		next.Version = i.Version
		params = append(params, updateParam{"AddonVersion", i.Version})
	}
	next.Role = ""
	if i.Role != nil {
		next.Role = *i.Role
		params = append(params, updateParam{"ServiceAccountRoleArn", *i.Role})
	}
	if i.Conflicts != "" {
		params = append(params, updateParam{"ResolveConflicts", i.Conflicts})
	}
	if i.Configuration != nil {
		next.Configuration = *i.Configuration
		params = append(params, updateParam{"ConfigurationValues", *i.Configuration})
	}
	if i.Associations != nil {
		params = append(params, updateParam{"PodIdentityAssociations", jsonOf(*i.Associations)})
	}
	return next, params
}
