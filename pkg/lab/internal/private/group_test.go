package private

import "testing"

func TestIsPrivateGroup(t *testing.T) {
	t.Parallel()
	const groups = "root:x:0:\nstaff:x:50:\nalice:x:1000:\nbob:x:1001:bob\ncarol:x:1002:alice\ndave:x:1003:alice,dave\nbroken:1004\n"
	for name, test := range map[string]struct {
		username string
		gid      int
		want     bool
	}{
		"the user's own":         {"alice", 1000, true},
		"names the user":         {"bob", 1001, true},
		"has another member":     {"carol", 1002, false},
		"has two members":        {"dave", 1003, false},
		"is another user's":      {"alice", 1001, false},
		"is shared":              {"alice", 50, false},
		"is not listed":          {"alice", 2000, false},
		"is on a malformed line": {"broken", 1004, false},
		"a number that differs":  {"alice", 100, false},
	} {
		if got := isPrivateGroup(groups, test.username, test.gid); got != test.want {
			t.Errorf("a group that %s: %v, want %v", name, got, test.want)
		}
	}
}
