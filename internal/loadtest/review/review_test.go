package review_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
	"github.com/kube-iam/authenticator/pkg/token"
)

// TestTokensParse checks that what is measured is the whole way of a token: one
// that is malformed would be refused early, and so look fast.
func TestTokensParse(t *testing.T) {
	t.Parallel()
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	var maker review.Maker
	seen := map[string]bool{}
	for _, test := range []struct {
		name, key, region string
		length            int
		shortest, longest int
	}{
		{"user", sts.Key(42), sts.Region, 0, 450, 500},
		{"nobody", sts.UnknownKey(7), sts.DeadRegion, 0, 450, 500},
		{"15 KiB", sts.UnknownKey(7), sts.DeadRegion, 15 << 10, 15 << 10, 15<<10 + 3},
		{"user again", sts.Key(42), sts.Region, 0, 450, 500},
	} {
		made := maker.Token(test.key, sts.Host(test.region), test.region, test.length)
		if seen[made] {
			t.Errorf("%s: the token was made before", test.name)
		}
		seen[made] = true
		request, err := token.Parse(made, hosts, time.Now())
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if request.AccessKeyID() != test.key || request.Host() != sts.Host(test.region) {
			t.Errorf("%s: key %s at %s", test.name, request.AccessKeyID(), request.Host())
		}
		if len(made) < test.shortest || len(made) > test.longest {
			t.Errorf("%s: %d bytes, want %d to %d", test.name, len(made), test.shortest, test.longest)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	var decoded struct {
		Kind string
		Spec struct{ Token string }
	}
	body := review.Body("k8s-aws-v1.abc")
	if err := json.Unmarshal(body, &decoded); err != nil || decoded.Kind != "TokenReview" || decoded.Spec.Token != "k8s-aws-v1.abc" {
		t.Errorf("%+v, %v", decoded, err)
	}
	if found, ok := review.Token(body); !ok || found != "k8s-aws-v1.abc" {
		t.Errorf("Token found %q, %v", found, ok)
	}
	if found, ok := review.Token([]byte(strings.TrimSuffix(string(body), `"},"status":{"user":{}}}`+"\n"))); ok {
		t.Errorf("Token found %q in a body that is cut off", found)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   review.Answer
	}{
		{200, `{"status":{"authenticated":true,"user":{}}}`, review.Yes},
		{200, `{"status":{"user":{}}}`, review.No},
		{403, `{"metadata":{},"spec":{},"status":{"user":{}}}`, review.No},
		{403, `{"status":{"authenticated":true}}`, review.No},
		{429, `{}`, review.Undecided},
		{503, `{"kind":"Status"}`, review.Undecided},
	} {
		if got := review.Read(test.status, []byte(test.body)); got != test.want {
			t.Errorf("%d %s: got %s, want %s", test.status, test.body, got, test.want)
		}
	}
}

func TestUsername(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"kind":"TokenReview","status":{"authenticated":true,"user":{"username":"bob","uid":"1"}}}`: "bob",
		`{"status":{"user":{}}}`: "",
		`busy`:                   "",
	} {
		if got := review.Username([]byte(body)); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	var maker review.Maker
	for b.Loop() {
		review.Body(maker.Token(sts.Key(42), sts.Host(sts.Region), sts.Region, 0))
	}
}
