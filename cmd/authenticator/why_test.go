package main

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/decisions"
)

// TestWhyDenied checks what to do about a denial by the deny file. An explanation of the ARN
// would not find an access key in that file, and say that the caller signs in.
func TestWhyDenied(t *testing.T) {
	t.Parallel()
	e := decisions.Entry{
		ID: "K3QF7M2A", Cluster: "blue", Outcome: authn.Denied, ARN: "arn:aws:iam::111122223333:user/bob", CanonicalARN: "arn:aws:iam::111122223333:user/bob",
		AccessKeyID: "AKIATLABCDEFGHIJKLMN", Rule: decisions.Rule{Source: "deny file", Line: 3}, Error: "it is denied by the deny file",
	}
	text := (&whyOptions{}).whyText(&program{}, e)
	for _, want := range []string{"\nMAPPING       deny file line 3\n", "\n\nIt is in line 3 of the server's deny file (--deny-file). Remove the line only if it may sign in again.\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, " explain ") {
		t.Errorf("the command does not find a key:\n%s", text)
	}
	for _, rule := range []decisions.Rule{{Source: "EKSConfigMap", Section: "mapUsers", Line: 3}, {Source: "cluster owner"}} {
		e.Rule = rule
		if text := (&whyOptions{}).whyText(&program{}, e); !strings.Contains(text, " explain --cluster-id blue --arn") {
			t.Errorf("a denial by a mapping:\n%s", text)
		}
	}
}
