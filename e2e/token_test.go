//go:build e2e

package e2e

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab"
	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// tokensAt makes tokens of a user, as if made when the clock says.
func tokensAt(t *testing.T, user accessKey, clock func() time.Time) func() string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", user.id)
	t.Setenv("AWS_SECRET_ACCESS_KEY", user.secret)
	presigner, err := presign.New(t.Context(), presign.Config{ClusterID: lab.ClusterName, Region: lab.Region, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		t.Helper()
		made, err := presigner.Token(t.Context())
		if err != nil {
			t.Error(err)
		}
		return made.Token
	}
}

// newTokens returns a function that makes tokens of a user. Each is as if made a
// second before the last, so that no cache knows it. After ten minutes' worth it
// starts over.
func newTokens(t *testing.T, user accessKey) func() string {
	t.Helper()
	var made atomic.Int64
	start := time.Now()
	return tokensAt(t, user, func() time.Time {
		return start.Add(-time.Duration(made.Add(1)%600) * time.Second)
	})
}
