package mapper_test

import (
	"errors"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestDeny checks that a denial comes before every mapper, and that all others map as
// without it.
func TestDeny(t *testing.T) {
	owner, err := mapper.Owner("aws", "arn:aws:iam::"+mappertest.Account+":role/Owner")
	if err != nil {
		t.Fatal(err)
	}
	rule := mapper.Rule{Source: "deny file", Line: 7}
	chain := mapper.Deny(func(p identity.Principal) (mapper.Rule, bool) { return rule, p.SessionName == "leaked" }, owner)
	var trace mapper.Trace
	match, ok, err := chain.Map(t.Context(), mappertest.Role(t, "Owner", "leaked"), &trace)
	if denied, isDenied := errors.AsType[*mapper.DeniedError](err); ok || !isDenied || denied.Rule != rule || denied.Reason != "it is denied by the deny file" {
		t.Errorf("%+v, %v, %v", match, ok, err)
	}
	if len(trace.Tried) != 1 || trace.Tried[0].Miss != mapper.MissDenyFile || trace.Tried[0].Rule != rule {
		t.Errorf("tried %+v, want only the deny file", trace.Tried)
	}
	if match, ok, err := chain.Map(t.Context(), mappertest.Role(t, "Owner", "other"), nil); !ok || err != nil || match.Username != mapper.OwnerUsername {
		t.Errorf("%+v, %v, %v", match, ok, err)
	}
}
