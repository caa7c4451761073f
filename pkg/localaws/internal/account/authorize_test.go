package account_test

import (
	"errors"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// TestGlobalConditionKeys checks the keys that every signed call has.
func TestGlobalConditionKeys(t *testing.T) {
	all, err := open("", first, second)
	if err != nil {
		t.Fatal(err)
	}
	const own, other = "arn:aws:iam::" + first + ":role/a", "arn:aws:iam::" + second + ":role/a"
	for _, test := range []struct {
		condition, resource string
		keys                map[string][]string
	}{
		{`"Bool":{"aws:ViaAWSService":"false"}`, "*", nil},
		{`"Bool":{"aws:PrincipalIsAWSService":"false"}`, "*", nil},
		{`"StringLike":{"aws:UserAgent":"aws-cli/*"}`, "*", nil},
		{`"StringEquals":{"aws:ResourceAccount":"` + first + `"}`, "*", nil},
		{`"StringEquals":{"aws:ResourceAccount":"` + first + `"}`, "arn:aws:iam::aws:policy/ReadOnlyAccess", nil},
		{`"StringEquals":{"aws:ResourceAccount":"` + first + `"}`, own, nil},
		{`"StringEquals":{"aws:ResourceAccount":"` + second + `"}`, other, nil},
		{`"StringEquals":{"aws:ResourceAccount":"amazon"}`, "arn:aws:ec2:eu-west-2::image/ami-1", map[string][]string{"aws:resourceaccount": {"amazon"}}},
	} {
		document, err := policy.Parse([]byte(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{` + test.condition + `}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = all.Default().Do(account.Call{UserAgent: "aws-cli/2.31"}, func(tx *account.Tx) error {
			tx.Caller = &account.Caller{Principal: policy.Principal{AccountID: first}, Policies: policy.Policies{Identity: []*policy.Document{document}}}
			denied := tx.Authorize("iam:GetRole", test.resource, test.keys)
			if d, ok := errors.AsType[*account.DeniedError](denied); !ok || d.Verdict.Decision != policy.ExplicitDeny {
				t.Errorf("%s on %s: %v", test.condition, test.resource, denied)
			}
			return nil
		})
	}
}
