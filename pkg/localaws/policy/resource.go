package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

func (p *parser) resources(s *statement, raw object) {
	list, negated, ok := p.oneOf(raw, "Resource")
	if !ok {
		return
	}
	if len(list) == 0 {
		p.refuse(malformed(ofNoResource, "Policy statement must contain resources."))
	}
	s.resources.negated = negated
	for _, resource := range list {
		p.refuse(p.checkResource(resource))
		// Only the last part of an ARN may contain variables.
		fixed, last := "", resource
		if resource != "*" {
			parts := partsOf(resource)
			fixed, last = strings.Join(parts[:5], ":")+":", parts[5]
		}
		pattern, ok := p.text(last, escaped)
		if !ok {
			p.refuse(unreadable())
		}
		pattern.literal = fixed + pattern.literal
		s.resources.list = append(s.resources.list, pattern)
	}
}

// partsOf returns the six parts of an ARN. A missing part is a wildcard, as in AWS.
func partsOf(arn string) []string {
	parts := strings.SplitN(arn, ":", 6)
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	return parts
}

// partition matches the partitions of AWS.
const partition = `aws(?:-cn|-us-gov|-iso|-iso-b|-iso-e|-iso-f|-eusc)?`

var partitionPattern = pattern.New(`^(` + partition + `|\*)$`)

var (
	// fixedPattern matches an ARN's service, region or account. Variables have no
	// effect there, but are not refused.
	fixedPattern  = pattern.New(`^[\w.*?-]*$`)
	embedsPattern = pattern.New(`\$\{[^{}]*\}`)
)

func (p *parser) checkResource(resource string) *MalformedError {
	if resource == "*" {
		return nil
	}
	if !strings.Contains(resource, ":") {
		return malformed(ofResource, "Resource "+resource+` must be in ARN format or "*".`)
	}
	parts := partsOf(resource)
	service, region, path := parts[2], parts[3], parts[5]
	short := strings.Count(resource, ":") < 5
	switch {
	case parts[0] != "arn" || !partitionPattern.MatchString(parts[1]):
		return malformed(ofResource, fmt.Sprintf("Partition %q is not valid for resource %q.", parts[1], "arn:"+strings.Join(parts[1:], ":")))
	case strings.ContainsAny(service, "*?"):
		return malformed(ofResource, "Resource vendor must be fully qualified and cannot contain regexes.")
	case service == "" || short && strings.Contains(resource, "::"):
		return unreadable()
	case service == "iam" && region != "" && !strings.ContainsAny(region, "*?"):
		return malformed(ofResource, "IAM resource "+resource+" cannot contain region information.")
	case p.stored:
		return nil
	case slices.ContainsFunc(partsOf(embedsPattern.ReplaceAllString(resource, ""))[2:5], func(part string) bool { return !fixedPattern.MatchString(part) }):
		return unreadable()
	case service == "s3" && region != "" && !strings.ContainsAny(region, "*?") && !hasPrefix(path, regional()):
		return malformed(ofResource, "Resource "+resource+" can not contain region information.")
	case service == "iam" && path != "*" && path != "root" && !hasPrefix(path, iamPaths()):
		return malformed(ofResource, `IAM resource path must either be "*" or start with `+strings.Join(iamPaths(), ", ")+".")
	default:
		return nil
	}
}

func hasPrefix(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// iamPaths returns the types of IAM's resources, in AWS's order.
func iamPaths() []string {
	return []string{
		"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/", "sms-mfa/",
		"saml-provider/", "oidc-provider/", "report/", "access-report/",
	}
}

// regional returns the types of S3's resources that are in a region.
func regional() []string {
	return []string{"accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/"}
}
