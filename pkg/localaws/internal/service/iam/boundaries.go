package iam

// boundary returns the ARN of the managed policy that a call names as permissions
// boundary; empty without one.
func (c *call) boundary() (string, error) {
	arn := c.Get("PermissionsBoundary")
	if !c.Has("PermissionsBoundary") {
		return "", nil
	}
	if err := checkPolicyARN("permissionsBoundary", arn); err != nil {
		return "", err
	}
	if c.state.managedPolicy(arn) == nil {
		return "", c.state.noSuchPolicy(arn, "Scope ARN: "+arn+" does not exist or is not attachable.")
	}
	return arn, nil
}

type xmlBoundary struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

// boundaryXML has the type Policy, as AWS returns; its documentation says
// PermissionsBoundaryPolicy.
func (e *entity) boundaryXML() *xmlBoundary {
	if e.Boundary == "" {
		return nil
	}
	return &xmlBoundary{"Policy", e.Boundary}
}

// boundaryOperations returns the operations that set and remove the permissions
// boundary of a kind of entity.
func boundaryOperations(k kind) map[string]operation {
	owner := k.name + "Name"
	return map[string]operation{
		"Put" + k.name + "PermissionsBoundary": write(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			if !c.Has("PermissionsBoundary") {
				return nil, missing("permissionsBoundary")
			}
			arn, err := c.boundary()
			if err != nil {
				return nil, err
			}
			e.Boundary = arn
			return nil, nil
		}, owner, "PermissionsBoundary"),
		"Delete" + k.name + "PermissionsBoundary": with(write(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			e.Boundary = ""
			return nil, nil
		}, owner), k.boundaryKey),
	}
}

// boundaryKey returns the condition key for the permissions boundary of the entity
// whose policies a call changes.
func (k kind) boundaryKey(c *call) map[string][]string {
	e, err := k.find(c)
	if err != nil || e.Boundary == "" {
		return nil
	}
	return map[string][]string{"iam:permissionsboundary": {e.Boundary}}
}
