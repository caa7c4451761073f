package source_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/source"
)

func TestBroken(t *testing.T) {
	t.Parallel()
	minute := func(n int) time.Time { return time.Date(2026, 11, 30, 8, n, 0, 0, time.UTC) }
	var broken source.Broken
	for n, test := range []struct {
		broken, kept []string
		oldest       time.Time
	}{
		{nil, nil, time.Time{}},
		{[]string{"mapRoles"}, []string{"mapRoles"}, minute(1)},
		{[]string{"mapRoles", "mapUsers"}, []string{"mapRoles", "mapUsers"}, minute(1)},
		{[]string{"mapRoles", "mapUsers"}, []string{"mapUsers"}, minute(2)}, // mapRoles has no content
		{[]string{"mapUsers", "mapAccounts"}, []string{"mapUsers", "mapAccounts"}, minute(2)},
		{[]string{"mapAccounts"}, []string{"mapAccounts"}, minute(4)},
		{nil, nil, time.Time{}},
		{[]string{"mapAccounts"}, []string{"mapAccounts"}, minute(7)},
	} {
		broken = broken.Next(test.broken, minute(n))
		isKept := func(section string) bool { return slices.Contains(test.kept, section) }
		if got := broken.Oldest(isKept); !got.Equal(test.oldest) {
			t.Errorf("reading %d: the oldest content is kept since %s, want %s", n, got, test.oldest)
		}
	}
}
