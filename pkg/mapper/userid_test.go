package mapper_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// byID returns an entry that matches by a unique ID.
func byID(t testing.TB, line int, id, arn string) mapper.Entry {
	e := entry(t, line, arn)
	e.UserID = id
	return e
}

// session returns a session of a role with a unique ID.
func session(t testing.TB, role, id string) identity.Principal {
	return mappertest.Principal(t, mappertest.Account, "arn:aws:sts::"+mappertest.Account+":assumed-role/"+role+"/x", id+":x")
}

func TestUserID(t *testing.T) {
	t.Parallel()
	const arnOfAdmin = roles + "Admin"
	for _, test := range []struct {
		name    string
		entries []mapper.Entry
		who     identity.Principal
		applies int         // 0: none
		miss    mapper.Miss // of the first entry
		reason  string
	}{
		{"the ID alone", []mapper.Entry{byID(t, 1, "AROA1", "")}, session(t, "Admin", "AROA1"), 1, "", ""},
		{"the ID and the ARN", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin)}, session(t, "admin", "AROA1"), 1, "", ""},
		{"the ARN with a path", []mapper.Entry{byID(t, 1, "AROA1", roles+"team/Admin")}, session(t, "Admin", "AROA1"), 1, "", ""},
		{"an ID in another case", []mapper.Entry{byID(t, 1, "aroa1", arnOfAdmin)}, session(t, "Admin", "AROA1"), 0, mapper.MissUserID, "unique ID aroa1"},
		{"a role that was created again", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin)}, session(t, "Admin", "AROA2"), 0, mapper.MissUserID,
			"it is for unique ID AROA1, but the principal's is AROA2: the role was deleted and created again, which gave it a new ID; write the new ID into the entry"},
		{"another ID", []mapper.Entry{byID(t, 1, "AROA1", "")}, session(t, "Admin", "AROA2"), 0, mapper.MissUserID, "it is for unique ID AROA1, but the principal's is AROA2"},
		{"another ARN", []mapper.Entry{byID(t, 1, "AROA1", roles+"Other")}, session(t, "Admin", "AROA1"), 0, mapper.MissOtherARN, "its ARN is " + roles + "Other"},
		{"another name and ID", []mapper.Entry{byID(t, 1, "AROA1", roles+"Other")}, session(t, "Admin", "AROA2"), 0, mapper.MissName, "it is for role Other"},
		{"an unknown ID", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin)}, identity.Principal{CanonicalARN: arnOfAdmin, Partition: "aws", AccountID: mappertest.Account}, 0,
			mapper.MissUserID, "the principal's is unknown"},
		{"the later of two", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin), byID(t, 2, "AROA1", "")}, session(t, "Admin", "AROA1"), 2, mapper.MissOverridden, "mapRoles line 2"},
		{"two IDs with one ARN", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin), byID(t, 2, "AROA2", arnOfAdmin)}, session(t, "Admin", "AROA1"), 1, "", ""},
		{"an ID before an ARN", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin), entry(t, 2, arnOfAdmin)}, session(t, "Admin", "AROA1"), 1, "", ""},
		{"an ARN after another ID", []mapper.Entry{byID(t, 1, "AROA1", arnOfAdmin), entry(t, 2, arnOfAdmin)}, session(t, "Admin", "AROA2"), 2, mapper.MissUserID, "created again"},
		{"an inert entry", []mapper.Entry{inert(byID(t, 1, "AROA1", arnOfAdmin), mapper.MissWhiteSpace)}, session(t, "Admin", "AROA1"), 0, mapper.MissWhiteSpace, "white space"},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := mapper.NewTable(test.entries, nil, 0)
			want := ""
			if test.applies > 0 {
				want = fmt.Sprint("line ", test.applies)
			}
			var trace mapper.Trace
			if match, _, err := lookup(table).Map(t.Context(), test.who, &trace); err != nil || match.Username != want {
				t.Errorf("%q applies, want %q (%v)", match.Username, want, err)
			}
			if tried := trace.Tried[0]; tried.Miss != test.miss || !strings.Contains(tried.Reason, test.reason) {
				t.Errorf("miss %q: %q, want %q: %q", tried.Miss, tried.Reason, test.miss, test.reason)
			}
		})
	}
}

// TestUserIDDiff checks that a role that is created again loses its access, and gains it
// with its new ID.
func TestUserIDDiff(t *testing.T) {
	t.Parallel()
	of := func(entries ...mapper.Entry) *mapper.Table { return mapper.NewTable(entries, nil, 0) }
	delta := mapper.Diff(of(byID(t, 1, "AROA1", roles+"Admin"), byID(t, 2, "AIDA1", ""), byID(t, 3, "AROA0", roles+"Admin")), of(byID(t, 1, "AROA2", roles+"Admin"), byID(t, 1, "AIDA1", "")))
	var got []string
	for _, change := range delta.Changes {
		got = append(got, change.String())
	}
	want := []string{
		"loses access: role Admin of account " + mappertest.Account + " with unique ID AROA0, was line 3 in no groups",
		"loses access: role Admin of account " + mappertest.Account + " with unique ID AROA1, was line 1 in no groups",
		"changes access: unique ID AIDA1, was line 2 in no groups, now line 1 in no groups",
		"gains access: role Admin of account " + mappertest.Account + " with unique ID AROA2, now line 1 in no groups",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// TestUserIDModel compares the table with a naive model: the last entry with the ID of
// the principal applies, if its ARN is absent or the principal's.
func TestUserIDModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	matched, missed := 0, 0
	for range 2000 {
		var entries []mapper.Entry
		for line := range 1 + random.IntN(6) {
			arn := pick("", roles+"A", roles+"a", roles+"B", roles+"team/A", roles+"a/b/B", "arn:aws:iam::"+mappertest.Account+":user/A")
			entries = append(entries, byID(t, line+1, pick("AROA1", "AROA2", "AIDA3", "aroa1"), arn))
		}
		table := mapper.NewTable(entries, nil, mapper.RolePaths(random.IntN(2)))
		for range 20 {
			who := session(t, pick("A", "a", "B"), pick("AROA1", "AROA2", "aroa1"))
			want := ""
			for _, e := range entries {
				if e.UserID != who.PrincipalID {
					continue
				}
				want = ""
				name := e.ARN[strings.LastIndex(e.ARN, "/")+1:]
				if e.ARN == "" || strings.Contains(e.ARN, ":role/") && strings.EqualFold(roles+name, who.CanonicalARN) {
					want = e.Username.String()
				}
			}
			match, ok, err := lookup(table).Map(t.Context(), who, nil)
			if err != nil || match.Username != want {
				t.Fatalf("%+v maps %s with %s to %q, want %q (%v)", entries, who.CanonicalARN, who.PrincipalID, match.Username, want, err)
			}
			if ok {
				matched++
			} else {
				missed++
			}
		}
	}
	if matched < 5000 || missed < 5000 {
		t.Errorf("%d pairs match and %d do not, want at least 5000 of each", matched, missed)
	}
}
