package iam

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// An instanceProfile gives its role to an EC2 instance.
type instanceProfile struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	ID      string    `json:"id"`
	ARN     string    `json:"arn"`
	Created time.Time `json:"created"`
	Tags    []tag     `json:"tags,omitempty"`
	// Role is the ID of its role; empty without one.
	Role string `json:"role,omitempty"`

	role *role
}

const (
	maxProfiles    = 1000
	maxProfileName = 128
)

func instanceProfileOperations() map[string]operation {
	profiles := func(c *call) string { return c.ARN("iam", "", "instance-profile"+orSlash(c.Get("PathPrefix"))) }
	operations := map[string]operation{
		"CreateInstanceProfile": write(profileResource, createInstanceProfile,
			"InstanceProfileName", "Path", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetInstanceProfile":            read(profileResource, getInstanceProfile, "InstanceProfileName"),
		"ListInstanceProfiles":          read(profiles, listInstanceProfiles, "PathPrefix", "MaxItems", "Marker"),
		"ListInstanceProfilesForRole":   read(roleResource, listInstanceProfilesForRole, "RoleName", "MaxItems", "Marker"),
		"AddRoleToInstanceProfile":      write(profileResource, addRoleToInstanceProfile, "InstanceProfileName", "RoleName"),
		"RemoveRoleFromInstanceProfile": write(profileResource, removeRoleFromInstanceProfile, "InstanceProfileName", "RoleName"),
		"DeleteInstanceProfile":         write(profileResource, deleteInstanceProfile, "InstanceProfileName"),
	}
	maps.Copy(operations, tagOperations("InstanceProfile", "InstanceProfileName", profileResource, func(c *call) (*[]tag, error) {
		profile, err := c.profile()
		if err != nil {
			return nil, err
		}
		return &profile.Tags, nil
	}))
	return operations
}

// profileResource returns the ARN of the instance profile that a call names, or the
// ARN that a new one would get.
func profileResource(c *call) string {
	if profile, ok := c.state.Profiles[lower(c.Get("InstanceProfileName"))]; ok {
		return profile.ARN
	}
	return c.ARN("iam", "", "instance-profile"+orSlash(c.Get("Path"))+c.Get("InstanceProfileName"))
}

func (c *call) profile() (*instanceProfile, error) {
	name := c.Get("InstanceProfileName")
	if err := checkName("instanceProfileName", name, maxProfileName); err != nil {
		return nil, err
	}
	profile, ok := c.state.Profiles[lower(name)]
	if !ok {
		return nil, noSuchEntity("Instance Profile " + name + " cannot be found.")
	}
	return profile, nil
}

// profilesOf returns the profiles of a role, by name.
func (s *state) profilesOf(r *role) []*instanceProfile {
	var found []*instanceProfile
	for _, name := range slices.Sorted(maps.Keys(s.Profiles)) {
		if profile := s.Profiles[name]; profile.role == r {
			found = append(found, profile)
		}
	}
	return found
}

type xmlInstanceProfile struct {
	Path                string
	InstanceProfileName string
	InstanceProfileID   string `xml:"InstanceProfileId"`
	Arn                 string
	CreateDate          timestamp
	Roles               members[xmlRole]
	Tags                *members[tag] `xml:",omitempty"`
}

// xml returns an instance profile. Lists omit its tags.
func (i *instanceProfile) xml(withTags bool) xmlInstanceProfile {
	x := xmlInstanceProfile{Path: i.Path, InstanceProfileName: i.Name, InstanceProfileID: i.ID, Arn: i.ARN, CreateDate: timestamp(i.Created)}
	if i.role != nil {
		x.Roles.Member = []xmlRole{i.role.xml(false)}
	}
	if withTags && len(i.Tags) > 0 {
		x.Tags = new(membersOf(i.Tags))
	}
	return x
}

func createInstanceProfile(c *call) (any, error) {
	profile := &instanceProfile{Name: c.Get("InstanceProfileName"), ID: account.NewID("AIPA", 17), Created: c.Time}
	err := checkName("instanceProfileName", profile.Name, maxProfileName)
	if err != nil {
		return nil, err
	}
	if profile.Path, err = checkPath(c.Get("Path")); err != nil {
		return nil, err
	}
	if profile.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	if _, ok := c.state.Profiles[lower(profile.Name)]; ok {
		return nil, alreadyExists("Instance Profile " + profile.Name + " already exists.")
	}
	if len(c.state.Profiles) >= maxProfiles {
		return nil, limitExceeded("Cannot exceed quota for InstanceProfilesPerAccount: " + strconv.Itoa(maxProfiles))
	}
	profile.ARN = c.ARN("iam", "", "instance-profile"+profile.Path+profile.Name)
	c.state.Profiles[lower(profile.Name)] = profile
	return fields{element("InstanceProfile", profile.xml(true))}, nil
}

func getInstanceProfile(c *call) (any, error) {
	profile, err := c.profile()
	if err != nil {
		return nil, err
	}
	return fields{element("InstanceProfile", profile.xml(true))}, nil
}

func listInstanceProfiles(c *call) (any, error) {
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []xmlInstanceProfile
	for _, name := range slices.Sorted(maps.Keys(c.state.Profiles)) {
		if profile := c.state.Profiles[name]; strings.HasPrefix(profile.Path, prefix) {
			all = append(all, profile.xml(false))
		}
	}
	return paged(c, "InstanceProfiles", all)
}

func listInstanceProfilesForRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	var all []xmlInstanceProfile
	for _, profile := range c.state.profilesOf(r) {
		all = append(all, profile.xml(false))
	}
	return paged(c, "InstanceProfiles", all)
}

func addRoleToInstanceProfile(c *call) (any, error) {
	profile, err := c.profile()
	if err != nil {
		return nil, err
	}
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if err := c.PassRole(r.view(), "ec2.amazonaws.com"); err != nil {
		return nil, err
	}
	if profile.role != nil {
		return nil, limitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	}
	profile.Role, profile.role = r.ID, r
	return nil, nil
}

func removeRoleFromInstanceProfile(c *call) (any, error) {
	profile, err := c.profile()
	if err != nil {
		return nil, err
	}
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if profile.role != r {
		return nil, noSuchEntity("The role with name " + r.Name + " cannot be found in instance profile " + profile.Name + ".")
	}
	profile.Role, profile.role = "", nil
	return nil, nil
}

func deleteInstanceProfile(c *call) (any, error) {
	profile, err := c.profile()
	if err != nil {
		return nil, err
	}
	if profile.role != nil {
		return nil, inUse("remove roles from instance profile")
	}
	delete(c.state.Profiles, lower(profile.Name))
	return nil, nil
}
