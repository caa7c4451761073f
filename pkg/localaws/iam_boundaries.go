package localaws

// boundary is the permissions boundary that a call names: the ARN of a managed
// policy. It is empty without one.
func (p *parameters) boundary() (string, *Error) {
	arn := p.get("PermissionsBoundary")
	if !p.has("PermissionsBoundary") {
		return "", nil
	}
	if err := checkPolicyARN("permissionsBoundary", arn); err != nil {
		return "", err
	}
	if p.managedPolicy(arn) == nil {
		return "", noSuchEntity("Scope ARN: " + arn + " does not exist or is not attachable.")
	}
	return arn, nil
}

type xmlBoundary struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

// boundaryXML says Policy, as AWS does, where its documentation has
// PermissionsBoundaryPolicy.
func (e *entity) boundaryXML() *xmlBoundary {
	if e.Boundary == "" {
		return nil
	}
	return &xmlBoundary{"Policy", e.Boundary}
}

// boundaryOperations set and lift the permissions boundary of a kind of entity.
func boundaryOperations(k kind) map[string]operation {
	owner := k.name + "Name"
	return map[string]operation{
		"Put" + k.name + "PermissionsBoundary": write(k.resource, func(_ *call, p *parameters) (any, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			if !p.has("PermissionsBoundary") {
				return nil, missing("permissionsBoundary")
			}
			arn, err := p.boundary()
			if err != nil {
				return nil, err
			}
			e.Boundary = arn
			return nil, nil
		}, owner, "PermissionsBoundary"),
		"Delete" + k.name + "PermissionsBoundary": write(k.resource, func(_ *call, p *parameters) (any, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			e.Boundary = ""
			return nil, nil
		}, owner).with(k.boundaryKey),
	}
}

// boundaryKey tells by what the entity is bounded whose policies are changed.
func (k kind) boundaryKey(p *parameters) map[string][]string {
	e, err := k.find(p)
	if err != nil || e.Boundary == "" {
		return nil
	}
	return map[string][]string{"iam:permissionsboundary": {e.Boundary}}
}
