package eks

import (
	"fmt"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A fargateProfile selects pods for Fargate. None runs.
type fargateProfile struct {
	record
	fargateConfig
}

func (p *fargateProfile) key() string { return p.Name }

func fargateProfiles() kind[*fargateProfile] {
	return kind[*fargateProfile]{
		noun: "fargateprofile", names: "Fargate profiles", path: "fargateProfileName", limit: 10,
		of:      func(c *cluster) *map[string]*fargateProfile { return &c.FargateProfiles },
		missing: func(name string) error { return notFound("No Fargate Profile found with name: " + name + ".") },
		exists: func(*cluster, *fargateProfile) error {
			return inUse("A Fargate Profile already exists with this name in this cluster.")
		},
	}
}

func fargateOperations() []api.Operation {
	const profiles = "/clusters/{name}/fargate-profiles"
	named := fargateProfiles().named
	return []api.Operation{
		on(namedCluster, "POST "+profiles, "CreateFargateProfile", createFargateProfile),
		fargateProfiles().list("GET "+profiles, "ListFargateProfiles", "fargateProfileNames"),
		on(named, "GET "+profiles+"/{fargateProfileName}", "DescribeFargateProfile", describeFargateProfile),
		on(named, "DELETE "+profiles+"/{fargateProfileName}", "DeleteFargateProfile", deleteFargateProfile),
	}
}

// A fargateConfig is what a client chooses of a profile, as in requests and answers.
type fargateConfig struct {
	Name      string            `json:"fargateProfileName"`
	Role      string            `json:"podExecutionRoleArn"`
	Subnets   []string          `json:"subnets"`
	Selectors []fargateSelector `json:"selectors"`
}

type fargateSelector struct {
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels,omitempty"`
}

type fargateInput struct {
	fargateConfig
	Tags  map[string]string `json:"tags"`
	Token string            `json:"clientRequestToken"`
}

func (i *fargateInput) conditionKeys() map[string][]string { return api.RequestTags(i.Tags) }

func createFargateProfile(tx *account.Tx, c *cluster, in request[fargateInput]) (any, error) {
	config := in.Body.fargateConfig
	if err := config.check(); err != nil {
		return nil, err
	}
	if err := lookUpSubnets(tx, config.Subnets, c.vpcID(tx)); err != nil {
		return nil, err
	}
	if config.Subnets == nil { // the cluster's
		config.Subnets = c.VPC.SubnetIDs
	}
	role, ok := tx.Identities().Role(config.Role)
	if !ok || !tx.Account.Trusts(role, "eks-fargate-pods") {
		return nil, invalid("Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal")
	}
	if err := tx.PassRole(role, "eks-fargate-pods.amazonaws.com"); err != nil {
		return nil, err
	}
	made, err := fargateProfiles().create(tx, c, creation{key: config.Name, tags: in.Body.Tags, token: in.Body.Token, input: in.Body}, func(base record) *fargateProfile {
		admit(tx, c, role.Owner, "FARGATE_LINUX")
		return &fargateProfile{base, config}
	})
	if err != nil {
		return nil, err
	}
	return made.describe(c, "CREATING"), nil
}

const maxSelectors = 5 // of a profile, and labels of a selector

func (f *fargateConfig) check() error {
	switch {
	case !namePattern.MatchString(f.Name):
		return invalid("The Fargate profile name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters.")
	case len(f.Selectors) == 0:
		return invalid("Fargate Profile requires at least one selector.")
	case len(f.Selectors) > maxSelectors:
		return invalid(fmt.Sprintf("A Fargate profile cannot have more than %d selectors.", maxSelectors))
	}
	for _, s := range f.Selectors {
		switch {
		case s.Namespace == "" || len(s.Namespace) > 63:
			return invalid("Fargate Profile must have at least one selector with at least one namespace value.")
		case len(s.Labels) > maxSelectors:
			return invalid(fmt.Sprintf("Request contains Selector with more than %d labels.", maxSelectors))
		}
	}
	return checkSubnets(f.Subnets, 0)
}

func describeFargateProfile(_ *account.Tx, m member[*fargateProfile], _ request[none]) (any, error) {
	return m.it.describe(m.cluster, "ACTIVE"), nil
}

func deleteFargateProfile(_ *account.Tx, m member[*fargateProfile], _ request[none]) (any, error) {
	fargateProfiles().remove(m)
	return m.it.describe(m.cluster, "DELETING"), nil
}

func (p *fargateProfile) describe(c *cluster, status string) any {
	described := with(p.described(c, "fargateProfileArn", status), p.fargateConfig)
	described["health"] = map[string]any{"issues": []any{}}
	return map[string]any{"fargateProfile": described}
}
