package localaws

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func profileAssociationOperations() map[string]operation {
	return map[string]operation{
		"AssociateIamInstanceProfile": write(nil, associateProfile, "InstanceId", "IamInstanceProfile.Arn", "IamInstanceProfile.Name"),
		"DescribeIamInstanceProfileAssociations": read(func(*parameters) string { return "*" }, describeAssociations,
			slices.Concat(filterParameters(), pageParameters(), []string{"AssociationId.N"})...),
		"DisassociateIamInstanceProfile": write(nil, disassociateProfile, "AssociationId"),
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

// namedProfile returns the instance profile that a call names by name or ARN; nil
// if it names none.
func (p *parameters) namedProfile() (*account.Profile, *Error) {
	name, arn := p.get("IamInstanceProfile.Name"), p.get("IamInstanceProfile.Arn")
	switch {
	case name == "" && arn == "":
		return nil, nil
	case name != "" && arn != "":
		return nil, newError(http.StatusBadRequest, "InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	case name != "":
		if profile, ok := p.tx.Identities().Profile(name); ok {
			return &profile, nil
		}
		return nil, invalidEC2("Value (" + name + ") for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
	default:
		if profile, ok := p.tx.Identities().Profile(arn[strings.LastIndex(arn, "/")+1:]); ok && profile.ARN == arn {
			return &profile, nil
		}
		return nil, invalidEC2("Value (" + arn + ") for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN")
	}
}

// mayPassProfile checks whether the caller may pass the role of an instance
// profile to an instance.
func (c *call) mayPassProfile(profile *account.Profile) *Error {
	if profile.Role == nil {
		return invalidEC2(`IAM Instance Profile "` + profile.ARN + `" has no associated IAM Roles`)
	}
	if err := c.tx.PassRole(*profile.Role, "ec2.amazonaws.com"); err != nil {
		return api.ErrorOf(err)
	}
	return nil
}

// xmlProfile returns nil if no instance profile has the name.
func (c *call) xmlProfile(name string) *xmlProfile {
	profile, ok := c.tx.Identities().Profile(name)
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

func associateProfile(c *call, p *parameters) (any, *Error) {
	if !p.has("InstanceId") {
		return nil, missingParameter("InstanceId")
	}
	profile, err := p.namedProfile()
	if err != nil {
		return nil, err
	}
	if profile == nil {
		return nil, missingParameter("IamInstanceProfile")
	}
	found, err := p.permitted("AssociateIamInstanceProfile", []string{p.get("InstanceId")}, nil)
	if err != nil {
		return nil, err
	}
	if err := c.mayPassProfile(profile); err != nil {
		return nil, err
	}
	i := found[0]
	if i.InstanceProfile != "" {
		return nil, newError(http.StatusBadRequest, "IncorrectState", "There is an existing association for instance "+i.ID)
	}
	if i.State != "running" && i.State != "stopped" {
		return nil, newError(http.StatusBadRequest, "IncorrectInstanceState", "The instance '"+i.ID+"' is not in the 'running' or 'stopped' states.")
	}
	i.associate(profile.Name, c.time)
	return fields{element("iamInstanceProfileAssociation", c.xmlAssociation(i, "associating"))}, nil
}

func disassociateProfile(c *call, p *parameters) (any, *Error) {
	id := p.get("AssociationId")
	if id == "" {
		return nil, missingParameter("AssociationId")
	}
	for _, i := range c.instances() {
		if i.Association != id {
			continue
		}
		if _, err := p.permitted("DisassociateIamInstanceProfile", []string{i.ID}, nil); err != nil {
			return nil, err
		}
		association := c.xmlAssociation(i, "disassociating")
		i.associate("", c.time)
		return fields{element("iamInstanceProfileAssociation", association)}, nil
	}
	if err := c.permit(grant{"DisassociateIamInstanceProfile", c.arn("ec2", c.region, "instance/*"), nil}); err != nil {
		return nil, err
	}
	return nil, noAssociation(id)
}

func noAssociation(id string) *Error {
	return newError(http.StatusBadRequest, "InvalidAssociationID.NotFound", "An association ID '"+id+"' does not exist")
}

func describeAssociations(c *call, p *parameters) (any, *Error) {
	found := slices.DeleteFunc(c.instances(), func(i *instance) bool { return i.Association == "" })
	if ids := p.list("AssociationId", ""); len(ids) > 0 {
		for _, id := range ids {
			if !slices.ContainsFunc(found, func(i *instance) bool { return i.Association == id }) {
				return nil, noAssociation(id)
			}
		}
		found = slices.DeleteFunc(found, func(i *instance) bool { return !slices.Contains(ids, i.Association) })
	}
	found, err := filtered(p, found, associationFilter)
	if err != nil {
		return nil, err
	}
	found, next, err := ec2Page(p, found, (*instance).key)
	if err != nil {
		return nil, err
	}
	var associations items[xmlAssociation]
	for _, i := range found {
		associations.Item = append(associations.Item, c.xmlAssociation(i, "associated"))
	}
	return withNext(fields{element("iamInstanceProfileAssociationSet", associations)}, next), nil
}

// associationFilter returns the function that reads the values that a filter
// compares.
func associationFilter(name string) func(*instance) []string {
	switch name {
	case "instance-id":
		return func(i *instance) []string { return []string{i.ID} }
	case "state":
		return func(*instance) []string { return []string{"associated"} }
	}
	return nil
}
