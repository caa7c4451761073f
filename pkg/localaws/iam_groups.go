package localaws

// A group of users.
type group struct {
	entity
	// Members are the IDs of its users, in the order in which they were added.
	Members []string `json:"members,omitempty"`
}

func groupOperations() map[string]operation {
	return map[string]operation{}
}

// groupResource is the ARN of the group that a call names, if there is one, else
// of one that would be made.
func groupResource(p *parameters) string {
	if g, ok := p.Groups[lower(p.get("GroupName"))]; ok {
		return g.ARN
	}
	return p.arn("iam", "", "group"+orSlash(p.get("Path"))+p.get("GroupName"))
}

func (p *parameters) group() (*group, *Error) {
	g, ok := p.Groups[lower(p.get("GroupName"))]
	if !ok {
		return nil, noSuchEntity("The group with name " + p.get("GroupName") + " cannot be found.")
	}
	return g, nil
}
