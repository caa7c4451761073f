package ec2

import (
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func profileOperations() []api.Operation {
	return []api.Operation{
		change("AssociateIamInstanceProfile", associateProfile),
		describe("DescribeIamInstanceProfileAssociations", describeAssociations),
		change("DisassociateIamInstanceProfile", disassociateProfile),
	}
}

// associate sets the instance profile by name; an empty name removes it.
func (i *instance) associate(profile string, now time.Time) {
	i.InstanceProfile = profile
	switch {
	case profile == "":
		i.Association, i.Associated = "", time.Time{}
	case i.Association == "":
		i.Association, i.Associated = account.NewHexID("iip-assoc-"), now
	}
}

// A profileName names an instance profile, by name or ARN.
type profileName struct {
	Name string `xml:"name,omitempty" json:",omitzero"`
	ARN  string `ec2:"Arn" xml:"arn,omitempty" json:",omitzero"`
}

// find returns the instance profile; nil if none is named.
func (p profileName) find(c *call) (*account.Profile, error) {
	switch {
	case p.Name == "" && p.ARN == "":
		return nil, nil
	case p.Name != "" && p.ARN != "":
		return nil, invalidCombination("The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	case p.Name != "":
		if profile, ok := c.Identities().Profile(p.Name); ok {
			return &profile, nil
		}
		return nil, invalid("Value (" + p.Name + ") for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
	default:
		if profile, ok := c.Identities().Profile(p.ARN[strings.LastIndex(p.ARN, "/")+1:]); ok && profile.ARN == p.ARN {
			return &profile, nil
		}
		return nil, invalid("Value (" + p.ARN + ") for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN")
	}
}

// passProfile checks whether the caller may pass the role of an instance profile to an
// instance.
func (c *call) passProfile(profile *account.Profile) error {
	if profile.Role == nil {
		return invalid(`IAM Instance Profile "` + profile.ARN + `" has no associated IAM Roles`)
	}
	return c.PassRole(*profile.Role, "ec2.amazonaws.com")
}

type xmlProfile struct {
	ARN string `xml:"arn"`
	ID  string `xml:"id"`
}

// xmlProfile returns nil if no instance profile has the name.
func (c *call) xmlProfile(name string) *xmlProfile {
	profile, ok := c.Identities().Profile(name)
	if !ok {
		return nil
	}
	return &xmlProfile{profile.ARN, profile.ID}
}

type xmlAssociation struct {
	AssociationID string      `xml:"associationId"`
	InstanceID    string      `xml:"instanceId"`
	Profile       *xmlProfile `xml:"iamInstanceProfile"`
	State         string      `xml:"state"`
	Timestamp     timestamp   `xml:"timestamp"`
}

func (c *call) xmlAssociation(i *instance, state string) xmlAssociation {
	return xmlAssociation{i.Association, i.ID, c.xmlProfile(i.InstanceProfile), state, timestamp(i.Associated)}
}

type associateInput struct {
	InstanceID string      `ec2:"InstanceId,required"`
	Profile    profileName `ec2:"IamInstanceProfile,required"`
}

func (in associateInput) check() error { return checkIDs([]string{in.InstanceID}) }

func associateProfile(c *call, in associateInput) (any, error) {
	profile, err := in.Profile.find(c)
	if err != nil {
		return nil, err
	}
	if profile == nil {
		return nil, missing("IamInstanceProfile")
	}
	found, err := c.permitted("AssociateIamInstanceProfile", []string{in.InstanceID}, nil)
	if err != nil {
		return nil, err
	}
	if err := c.passProfile(profile); err != nil {
		return nil, err
	}
	i := found[0]
	if i.InstanceProfile != "" {
		return nil, refuse("IncorrectState", "There is an existing association for instance "+i.ID)
	}
	if i.State != "running" && i.State != "stopped" {
		return nil, refuse("IncorrectInstanceState", "The instance '"+i.ID+"' is not in the 'running' or 'stopped' states.")
	}
	i.associate(profile.Name, c.Time)
	return fields{element("iamInstanceProfileAssociation", c.xmlAssociation(i, "associating"))}, nil
}

type disassociateInput struct {
	ID string `ec2:"AssociationId,required"`
}

func disassociateProfile(c *call, in disassociateInput) (any, error) {
	for _, i := range c.instances() {
		if i.Association != in.ID {
			continue
		}
		if _, err := c.permitted("DisassociateIamInstanceProfile", []string{i.ID}, nil); err != nil {
			return nil, err
		}
		association := c.xmlAssociation(i, "disassociating")
		i.associate("", c.Time)
		return fields{element("iamInstanceProfileAssociation", association)}, nil
	}
	if err := c.permit(grant{"DisassociateIamInstanceProfile", c.arn("instance", "*"), nil}); err != nil {
		return nil, err
	}
	return nil, noAssociation(in.ID)
}

func noAssociation(id string) error {
	return refuse("InvalidAssociationID.NotFound", "An association ID '"+id+"' does not exist")
}

type associationsInput struct {
	Filter []filter
	paging
	IDs []string `ec2:"AssociationId"`
}

func describeAssociations(c *call, in associationsInput) (any, error) {
	found := slices.DeleteFunc(c.instances(), func(i *instance) bool { return i.Association == "" })
	if len(in.IDs) > 0 {
		for _, id := range in.IDs {
			if !slices.ContainsFunc(found, func(i *instance) bool { return i.Association == id }) {
				return nil, noAssociation(id)
			}
		}
		found = slices.DeleteFunc(found, func(i *instance) bool { return !slices.Contains(in.IDs, i.Association) })
	}
	found, err := filtered(in.Filter, found, map[string]field[*instance]{
		"instance-id": one(func(i *instance) string { return i.ID }),
		"state":       one(func(*instance) string { return "associated" }),
	}, nil)
	if err != nil {
		return nil, err
	}
	return page(in.paging, "iamInstanceProfileAssociationSet", found, (*instance).key, func(i *instance) xmlAssociation {
		return c.xmlAssociation(i, "associated")
	})
}
