package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/token"
)

// TestInspect checks that the parts are those that were read before the error.
func TestInspect(t *testing.T) {
	good := token.Encode(goodURL())
	all := token.Parts{Host: "sts.eu-west-2.amazonaws.com", Region: "eu-west-2", AccessKeyID: "AKIATLABCDEFGHIJKLM2", Signed: signedAt()}
	with := func(old, new string) string { return token.Encode(strings.Replace(goodURL(), old, new, 1)) }
	for _, test := range []struct {
		name, bearer string
		now          time.Time
		want         token.Parts
		err          error
	}{
		{"valid", good, signedAt(), all, nil},
		{"expired", good, signedAt().Add(time.Hour), all, token.ErrExpired},
		{"from the future", good, signedAt().Add(-time.Hour), all, token.ErrNotYetValid},
		{"another date", with("X-Amz-Date=2026", "X-Amz-Date=2025"), signedAt(), token.Parts{Host: all.Host, AccessKeyID: all.AccessKeyID}, token.ErrCredential},
		{"another signed header", with("host%3Bx-k8s-aws-id", "host"), signedAt(), token.Parts{Host: all.Host, Region: all.Region, AccessKeyID: all.AccessKeyID}, token.ErrSignedHeaders},
		{"another host", with("sts.eu-west-2.amazonaws.com", "sts.example.com"), signedAt(), token.Parts{Host: "sts.example.com"}, token.ErrHost},
		{"the signature as the host", with("sts.eu-west-2.amazonaws.com", signature), signedAt(), token.Parts{}, token.ErrHost},
		{"text as the host", with("sts.eu-west-2.amazonaws.com", "a=b"), signedAt(), token.Parts{}, token.ErrHost},
		{"no token", "x", signedAt(), token.Parts{}, token.ErrPrefix},
		{"nothing", "", signedAt(), token.Parts{}, token.ErrPrefix},
	} {
		got, err := token.Inspect(test.bearer, hostsOf(t, "aws"), test.now)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %+v, %v, want %+v, %v", test.name, got, err, test.want, test.err)
		}
	}
}
