package localaws_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestIAMParametersAreChecked checks parameters that name something or describe it.
func TestIAMParametersAreChecked(t *testing.T) {
	s := start(t, localaws.Config{})
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceArn":"Ω"}}}}`
	for _, test := range []struct{ operation, parameter, value, want string }{
		{"CreateRole", "AssumeRolePolicyDocument", trust, "value for assumeRolePolicyDocument is invalid"},
		{"UpdateAssumeRolePolicy", "PolicyDocument", trust, "value for policyDocument is invalid"},
		{"CreatePolicy", "Description", "Ω", "&#39;description&#39;"},
		{"DeleteOpenIDConnectProvider", "", "", "&#39;openIDConnectProviderArn&#39;"},
		{"GetUserPolicy", "", "", "&#39;policyName&#39;"},
		{"DeleteUserPolicy", "", "", "&#39;policyName&#39;"},
		{"DeleteAccountAlias", "", "", "&#39;accountAlias&#39;"},
	} {
		form := url.Values{"Action": {test.operation}, "Version": {"2010-05-08"}}
		switch {
		case strings.HasSuffix(test.operation, "UserPolicy"):
			form.Set("UserName", "administrator")
		case test.operation == "CreatePolicy":
			form.Set("PolicyName", "n")
		case strings.Contains(test.operation, "Role"):
			form.Set("RoleName", "n")
			newServiceRole(t, s, test.operation, "ec2")
			if test.operation == "UpdateAssumeRolePolicy" {
				form.Set("RoleName", test.operation)
			}
		}
		if test.parameter != "" {
			form.Set(test.parameter, test.value)
		}
		got := sendForm(t, s, s.SDK(), "iam.amazonaws.com", form.Encode(), "iam", "us-east-1")
		if !strings.Contains(got, "<Code>ValidationError</Code>") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %q", test.operation, got, test.want)
		}
	}
}
