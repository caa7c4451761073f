package iam

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A group is a group of users.
type group struct {
	entity
	// Members are the IDs of its users, in the order of joining.
	Members []string `json:"members,omitempty"`
}

const (
	maxGroups        = 300
	maxGroupsPerUser = 10
	maxGroupName     = 128
)

func groupOperations() map[string]operation {
	groups := func(c *call) string { return c.ARN("iam", "", "group"+orSlash(c.Get("PathPrefix"))) }
	return map[string]operation{
		"CreateGroup":         write(groupResource, createGroup, "GroupName", "Path"),
		"GetGroup":            read(groupResource, getGroup, "GroupName", "MaxItems", "Marker"),
		"ListGroups":          read(groups, listGroups, "PathPrefix", "MaxItems", "Marker"),
		"UpdateGroup":         write(groupResource, updateGroup, "GroupName", "NewGroupName", "NewPath"),
		"DeleteGroup":         write(groupResource, deleteGroup, "GroupName"),
		"AddUserToGroup":      write(groupResource, addUserToGroup, "GroupName", "UserName"),
		"RemoveUserFromGroup": write(groupResource, removeUserFromGroup, "GroupName", "UserName"),
		"ListGroupsForUser":   read(userResource, listGroupsForUser, "UserName", "MaxItems", "Marker"),
	}
}

// groupResource returns the ARN of the group that a call names, or the ARN that a
// new one would get.
func groupResource(c *call) string {
	if g, ok := c.state.Groups[lower(c.Get("GroupName"))]; ok {
		return g.ARN
	}
	return c.ARN("iam", "", "group"+orSlash(c.Get("Path"))+c.Get("GroupName"))
}

func (c *call) group() (*group, error) {
	name := c.Get("GroupName")
	if err := checkName("groupName", name, maxGroupName); err != nil {
		return nil, err
	}
	g, ok := c.state.Groups[lower(name)]
	if !ok {
		return nil, noSuchEntity("The group with name " + name + " cannot be found.")
	}
	return g, nil
}

type xmlGroup struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId"`
	Arn        string
	CreateDate timestamp
}

func (g *group) xml() xmlGroup {
	return xmlGroup{Path: g.Path, GroupName: g.Name, GroupID: g.ID, Arn: g.ARN, CreateDate: timestamp(g.Created)}
}

func createGroup(c *call) (any, error) {
	g := &group{entity: entity{Name: c.Get("GroupName"), ID: account.NewID("AGPA", 17), Created: c.Time}}
	err := checkName("groupName", g.Name, maxGroupName)
	if err != nil {
		return nil, err
	}
	if g.Path, err = checkPath(c.Get("Path")); err != nil {
		return nil, err
	}
	if _, ok := c.state.Groups[lower(g.Name)]; ok {
		return nil, alreadyExists("Group with name " + g.Name + " already exists.")
	}
	if len(c.state.Groups) >= maxGroups {
		return nil, limitExceeded("Cannot exceed quota for GroupsPerAccount: " + strconv.Itoa(maxGroups))
	}
	g.ARN = c.ARN("iam", "", "group"+g.Path+g.Name)
	c.state.Groups[lower(g.Name)] = g
	return fields{element("Group", g.xml())}, nil
}

func getGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	users := map[string]*user{}
	for _, u := range c.state.Users {
		users[u.ID] = u
	}
	var all []xmlUser
	for _, id := range g.Members {
		if u, ok := users[id]; ok {
			all = append(all, u.xml(false))
		}
	}
	list, err := paged(c, "Users", all)
	return append(fields{element("Group", g.xml())}, list...), err
}

func listGroups(c *call) (any, error) {
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []xmlGroup
	for _, name := range slices.Sorted(maps.Keys(c.state.Groups)) {
		if g := c.state.Groups[name]; strings.HasPrefix(g.Path, prefix) {
			all = append(all, g.xml())
		}
	}
	return paged(c, "Groups", all)
}

func updateGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return nil, move(c, c.state.Groups, &g.entity, "Group", maxGroupName)
}

func deleteGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if len(g.Members) > 0 {
		return nil, inUse("remove users from group")
	}
	if err := g.deletable(); err != nil {
		return nil, err
	}
	delete(c.state.Groups, lower(g.Name))
	return nil, nil
}

// membership returns the group and the user that a call names.
func (c *call) membership() (*group, *user, error) {
	g, err := c.group()
	if err != nil {
		return nil, nil, err
	}
	u, err := c.namedUser()
	return g, u, err
}

// addUserToGroup does nothing if the user is already a member.
func addUserToGroup(c *call) (any, error) {
	g, u, err := c.membership()
	if err != nil || slices.Contains(g.Members, u.ID) {
		return nil, err
	}
	if len(c.state.groupsOf(c.Tx, u.ID)) >= maxGroupsPerUser {
		return nil, limitExceeded("Cannot exceed quota for GroupsPerUser: " + strconv.Itoa(maxGroupsPerUser))
	}
	g.Members = append(g.Members, u.ID)
	return nil, nil
}

// removeUserFromGroup does nothing if the user is not a member.
func removeUserFromGroup(c *call) (any, error) {
	g, u, err := c.membership()
	if err != nil {
		return nil, err
	}
	g.Members = slices.DeleteFunc(g.Members, func(id string) bool { return id == u.ID })
	return nil, nil
}

func listGroupsForUser(c *call) (any, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	var all []xmlGroup
	for _, g := range c.state.groupsOf(c.Tx, u.ID) {
		all = append(all, g.xml())
	}
	return paged(c, "Groups", all)
}
