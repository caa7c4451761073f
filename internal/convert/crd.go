package convert

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/internal/encode"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// object writes the manifest of an IAMIdentityMapping. Names counts the names that are
// taken.
func (c *conversion) object(entry *mapper.Entry, names map[string]int) {
	if entry.ARN == "" {
		c.lose("unique ID %s: an IAMIdentityMapping needs the ARN of its principal", entry.UserID)
		return
	}
	spec := map[string]any{"arn": entry.ARN, "username": entry.Username.String()}
	if groups := groupsOf(entry); len(groups) > 0 {
		spec["groups"] = groups
	}
	name := objectName(entry.ARN)
	if names[name]++; names[name] > 1 {
		name = fmt.Sprintf("%s-%d", name, names[name])
	}
	text, err := encode.YAML(map[string]any{
		"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping", "metadata": map[string]any{"name": name}, "spec": spec,
	})
	if err != nil {
		c.lose("%s: %v", entry.ARN, err)
		return
	}
	fmt.Fprintf(c, "---\n%s", text)
}

// maxObjectName is less than the 253 characters that the name of an object has at most.
const maxObjectName = 240

// objectName returns a name for an object, such as role-admin-111122223333.
func objectName(arn string) string {
	_, resource, account := cutARN(arn)
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(resource))
	return strings.Trim(name[:min(len(name), maxObjectName-len(account))], "-") + "-" + account
}
