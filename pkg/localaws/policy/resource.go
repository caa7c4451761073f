package policy

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

func (p *parser) resources(s *statement, raw object) error {
	list, negated, err := p.oneOf(raw, "Resource")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return malformed("Policy statement must contain resources.")
	}
	s.resources.negated = negated
	for _, resource := range list {
		if err := checkResource(resource); err != nil {
			return err
		}
		// Only the last part of an ARN may contain variables.
		fixed, last := "", resource
		if parts := strings.SplitAfterN(resource, ":", 6); len(parts) == 6 {
			fixed, last = strings.Join(parts[:5], ""), parts[5]
		}
		pattern, err := p.text(last, escaped)
		if err != nil {
			return err
		}
		pattern.literal = fixed + pattern.literal
		s.resources.list = append(s.resources.list, pattern)
	}
	return nil
}

// partition matches the partitions of AWS.
const partition = `aws(?:-cn|-us-gov|-iso|-iso-b|-iso-e|-iso-f|-eusc)?`

var partitionPattern = pattern.New(`^(` + partition + `|\*)$`)

func checkResource(resource string) error {
	parts := strings.SplitN(resource, ":", 6)
	for len(parts) < 6 && len(parts) > 1 {
		parts = append(parts, "*") // AWS treats a missing part like this
	}
	short := strings.Count(resource, ":") < 5
	reaches := strings.Contains(resource, "*") && !strings.Contains(resource, "::")
	switch {
	case resource == "*":
		return nil
	case len(parts) == 1:
		return malformed("Resource " + resource + ` must be in ARN format or "*".`)
	case parts[0] != "arn" || !partitionPattern.MatchString(parts[1]):
		return malformed(fmt.Sprintf("Partition %q is not valid for resource %q.", parts[1], "arn:"+strings.Join(parts[1:], ":")))
	case strings.ContainsAny(parts[2], "*?"):
		return malformed("Resource vendor must be fully qualified and cannot contain regexes.")
	case parts[2] == "" || short && !reaches:
		return malformed(unreadable)
	case parts[2] == "iam" && parts[3] != "" && !strings.ContainsAny(parts[3], "*?"):
		return malformed("IAM resource " + resource + " cannot contain region information.")
	default:
		return nil
	}
}
