package kubernetes_test

import (
	"testing"

	"k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// TestAuditPolicy checks, as kube-apiserver evaluates it, that every edit of aws-auth is
// recorded, and that no token is.
func TestAuditPolicy(t *testing.T) {
	t.Parallel()
	rules, err := policy.LoadPolicyFromFile("audit/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	evaluator := policy.NewPolicyRuleEvaluator(rules)
	for _, test := range []struct {
		verb, group, resource, subresource, name string
		want                                     audit.Level
	}{
		{"update", "", "configmaps", "", "aws-auth", audit.LevelRequestResponse},
		{"patch", "", "configmaps", "", "aws-auth", audit.LevelRequestResponse},
		{"delete", "", "configmaps", "", "aws-auth", audit.LevelRequestResponse},
		{"update", "", "configmaps", "", "aws-auth-last-good", audit.LevelMetadata},
		{"update", "", "configmaps", "", "aws-auth-history", audit.LevelMetadata},
		{"create", "", "configmaps", "", "", audit.LevelMetadata},
		{"deletecollection", "", "configmaps", "", "", audit.LevelMetadata},
		{"create", "authentication.k8s.io", "tokenreviews", "", "", audit.LevelMetadata},
		{"create", "", "serviceaccounts", "token", "default", audit.LevelMetadata},
		{"get", "", "pods", "", "x", audit.LevelMetadata},
	} {
		got := evaluator.EvaluatePolicyRule(&authorizer.AttributesRecord{
			User: &user.DefaultInfo{Name: "u"}, ResourceRequest: true, Namespace: "kube-system",
			Verb: test.verb, APIGroup: test.group, APIVersion: "v1", Resource: test.resource, Subresource: test.subresource, Name: test.name,
		})
		if got.Level != test.want {
			t.Errorf("%s %s%s %s: level %s, want %s", test.verb, test.resource, test.subresource, test.name, got.Level, test.want)
		}
	}
}
