package decisions_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "231144931069"

// about returns a decision about a session of a role.
func about(t testing.TB, outcome authn.Outcome, role, session string) *authn.Decision {
	t.Helper()
	id, err := identity.Proven(identity.Answer{
		Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session, UserID: "AROAEXAMPLE:" + session,
	}, "ASIAEXAMPLE")
	if err != nil {
		t.Fatal(err)
	}
	d := &authn.Decision{Outcome: outcome, Identity: id, Time: time.Now(), Duration: time.Millisecond}
	if outcome == authn.Mapped {
		d.User = authn.User{Username: session, Groups: []string{"people"}}
		d.Rule = mapper.Rule{Source: "EKSConfigMap", Section: "mapRoles", Line: 7}
		return d
	}
	d.ID, d.Err = fmt.Sprintf("%08d", rand.IntN(1e8)), errors.New("because")
	return d
}

// unproven returns a decision about a token of a key that STS did not verify.
func unproven(outcome authn.Outcome, key string) *authn.Decision {
	return &authn.Decision{
		Outcome: outcome, Time: time.Now(), ID: fmt.Sprintf("%08d", rand.IntN(1e8)), Err: errors.New("because"),
		Claim: &authn.Claim{AccessKeyID: key, Region: "eu-west-2", Host: "sts.eu-west-2.amazonaws.com"},
	}
}

// TestNothingPushesOutAPerson records the denials of a person, and then floods of all
// kinds: each of the denials can still be found.
func TestNothingPushesOutAPerson(t *testing.T) {
	const flood = 5000
	r := decisions.NewRecorder()
	var people []*authn.Decision
	for _, outcome := range []authn.Outcome{authn.Unmapped, authn.Denied, authn.MappingUnknown} {
		people = append(people, about(t, outcome, "people", "bob"))
	}
	people = append(people, unproven(authn.Refused, "AKIABOB"))
	for _, d := range people {
		r.Record("blue", d)
	}
	for i := range flood {
		r.Record("blue", about(t, authn.Mapped, "app", fmt.Sprint(i)))
		for _, outcome := range []authn.Outcome{authn.Malformed, authn.Expired, authn.Throttled, authn.Unreachable, authn.Saturated} {
			r.Record("blue", unproven(outcome, fmt.Sprintf("AKIA%d", i)))
		}
		foreign := about(t, authn.Unmapped, fmt.Sprint("stranger", i), "mallory")
		foreign.Foreign = true
		r.Record("blue", foreign)
		// Clients that retry in a loop.
		r.Record("blue", about(t, authn.Unmapped, "node", fmt.Sprint("i-", i)))
		r.Record("blue", about(t, authn.Denied, "node", fmt.Sprint("i-", i)))
		r.Record("blue", unproven(authn.Refused, "AKIANODE"))
	}
	for _, d := range people {
		if found := r.Find(decisions.Query{ID: d.ID, Limit: 10}); len(found) != 1 || found[0].Outcome != d.Outcome {
			t.Errorf("%s %s: found %+v", d.Outcome, d.ID, found)
		}
	}
	for what, want := range map[string]struct {
		count int
		query decisions.Query
	}{
		"sign-ins":         {256, decisions.Query{Outcomes: []authn.Outcome{authn.Mapped}}},
		"junk":             {64, decisions.Query{Outcomes: []authn.Outcome{authn.Malformed}}},
		"a looping client": {16, decisions.Query{ARN: "arn:aws:iam::" + account + ":role/node", Outcomes: []authn.Outcome{authn.Unmapped}}},
		"unmapped":         {1 + 16 + 64, decisions.Query{Outcomes: []authn.Outcome{authn.Unmapped}}},
	} {
		want.query.Limit = 1 << 20
		if found := r.Find(want.query); len(found) != want.count {
			t.Errorf("%s: %d are kept, want %d", what, len(found), want.count)
		}
	}
	latest := r.Find(decisions.Query{Outcomes: []authn.Outcome{authn.Mapped}, Limit: 1})
	if len(latest) != 1 || latest[0].Username != fmt.Sprint(flood-1) {
		t.Errorf("the latest sign-in is %+v", latest)
	}
	looping := r.Find(decisions.Query{ARN: "arn:aws:iam::" + account + ":role/node", Outcomes: []authn.Outcome{authn.Denied}, Limit: 16})
	if !strings.HasSuffix(looping[15].ARN, fmt.Sprint("i-", flood-1)) || !strings.HasSuffix(looping[0].ARN, fmt.Sprint("i-", flood-16)) {
		t.Errorf("of a looping client %s to %s are kept, want the latest", looping[0].ARN, looping[15].ARN)
	}
}

// TestClustersDoNotPushOutEachOther records a few decisions of small clusters, and then
// floods of one: each small cluster keeps all of its own, and the flooded one the rest.
func TestClustersDoNotPushOutEachOther(t *testing.T) {
	const small, each, flood = 10, 12, 2000
	for _, outcome := range []authn.Outcome{authn.Mapped, authn.Unmapped, authn.Refused} {
		r := decisions.NewRecorder()
		record := func(cluster string, i int) {
			if outcome == authn.Refused {
				r.Record(cluster, unproven(outcome, fmt.Sprintf("ASIA%d", i)))
				return
			}
			r.Record(cluster, about(t, outcome, fmt.Sprintf("role%d", i), "bob"))
		}
		for i := range each {
			for cluster := range small {
				record(fmt.Sprint("small", cluster), i)
			}
		}
		for i := range flood {
			record("flooded", i)
		}
		count := map[string]int{}
		for _, e := range r.Find(decisions.Query{Limit: 10_000}) {
			count[e.Cluster]++
		}
		for cluster := range small {
			if got := count[fmt.Sprint("small", cluster)]; got != each {
				t.Errorf("%s: small cluster %d keeps %d decisions, want %d", outcome, cluster, got, each)
			}
		}
		if got, want := count["flooded"], 256-small*each; got != want {
			t.Errorf("%s: the flooded cluster keeps %d decisions, want %d", outcome, got, want)
		}
		// One more cluster gets room from the one that has the most.
		record("another", 1)
		record("small0", each)
		for cluster, want := range map[string]int{"another": 1, "small0": each + 1, "small1": each, "flooded": 256 - small*each - 2} {
			if got := r.Find(decisions.Query{Cluster: cluster, Limit: 1000}); len(got) != want {
				t.Errorf("%s: afterwards, cluster %s keeps %d decisions, want %d", outcome, cluster, len(got), want)
			}
		}
	}
}

// TestMoreClustersThanRoom records decisions of more clusters than a ring has room for:
// the latest are kept, each of its own cluster.
func TestMoreClustersThanRoom(t *testing.T) {
	const clusters, size = 300, 256
	r := decisions.NewRecorder()
	var want, got []string
	for i := range 3 * clusters {
		d := about(t, authn.Mapped, fmt.Sprint("role", i), "bob")
		d.ID, d.Time = fmt.Sprintf("%08d", i), time.Unix(int64(i), 0)
		cluster := fmt.Sprint("cluster", i%clusters)
		r.Record(cluster, d)
		if found := r.Find(decisions.Query{Cluster: cluster, Limit: 10}); len(found) != 1 || found[0].ID != d.ID {
			t.Fatalf("%s keeps %d decisions, want the latest", cluster, len(found))
		}
		want = append(want, d.ID)
	}
	for _, e := range r.Find(decisions.Query{Limit: 1000}) {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, want[len(want)-size:]) {
		t.Errorf("kept are %d: %v", len(got), got)
	}
}

// TestRingKeepsTheLatest compares what is kept of one cluster with the last decisions, with
// principals that exceed their share in between.
func TestRingKeepsTheLatest(t *testing.T) {
	r := decisions.NewRecorder()
	var want []string
	for i := range 5000 {
		role := fmt.Sprint("role", i)
		if i%3 == 0 {
			role = "often"
		}
		d := about(t, authn.Unmapped, role, "bob")
		d.ID = fmt.Sprintf("%08d", i)
		d.Time = time.Unix(int64(i), 0)
		r.Record("c", d)
		want = append(want, d.ID)
	}
	// 16 of the principal that is denied often, and 240 others: two of three decisions are
	// theirs.
	var kept []string
	often := 0
	for i := len(want) - 1; len(kept) < 256; i-- {
		if i%3 == 0 {
			if often++; often > 16 {
				continue
			}
		}
		kept = append(kept, want[i])
	}
	slices.Reverse(kept)
	var got []string
	for _, e := range r.Find(decisions.Query{Limit: 1000}) {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, kept) {
		t.Errorf("kept are %d: %v\nwant %d: %v", len(got), got, len(kept), kept)
	}
}

// TestMemoryIsBounded floods a recorder with distinct decisions of the longest texts.
func TestMemoryIsBounded(t *testing.T) {
	r := decisions.NewRecorder()
	text := func(i int) string { return fmt.Sprint(i) + strings.Repeat("x", 5000) }
	fill := func(from, count int) uint64 {
		for i := from; i < from+count; i++ {
			for _, outcome := range authn.Outcomes() {
				d := unproven(outcome, text(i))
				d.Err, d.Rule = errors.New(text(i)), mapper.Rule{Source: text(i), Section: text(i)}
				if outcome == authn.Mapped {
					d.User = authn.User{Username: text(i), Groups: slices.Repeat([]string{text(i)}, 20)}
				}
				r.Record(text(i), d)
			}
		}
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		return memory.HeapAlloc
	}
	full := fill(0, 300)
	if more := fill(300, 100); more > full+1<<20 {
		t.Errorf("a full recorder grew by %d KiB", (more-full)>>10)
	}
	// docs/operations.md promises this bound.
	if full > 8<<20 {
		t.Errorf("a full recorder uses %d MiB", full>>20)
	}
	t.Logf("%d KiB with the longest texts", full>>10)
	runtime.KeepAlive(r)
}

// TestEntry checks what is kept, and that it is clipped.
func TestEntry(t *testing.T) {
	r := decisions.NewRecorder()
	d := about(t, authn.Mapped, "people", "bob")
	d.User.Username = strings.Repeat("é", 600)
	d.User.Groups = slices.Repeat([]string{"a", strings.Repeat("b", 200)}, 20)
	r.Record("blue", d)
	scrubbed := about(t, authn.Unmapped, "secret", "agent")
	scrubbed.Scrubbed = true
	r.Record("blue", scrubbed)
	found := r.Find(decisions.Query{Limit: 10})
	if len(found) != 1 {
		t.Fatalf("found %+v", found)
	}
	e := found[0]
	if e.Cluster != "blue" || e.Time.IsZero() || e.ARN != d.Identity.Principal().ARN || e.CanonicalARN != "arn:aws:iam::"+account+":role/people" || e.AccessKeyID != "ASIAEXAMPLE" || e.Rule.Line != 7 || e.Seconds != 0.001 {
		t.Errorf("%+v", e)
	}
	if len(e.Username) > 1024 || !strings.HasSuffix(e.Username, "é…") {
		t.Errorf("the username has %d bytes and ends with %q", len(e.Username), e.Username[len(e.Username)-8:])
	}
	if len(e.Groups) != 17 || e.Groups[0] != "a" || len(e.Groups[1]) != 128 || e.Groups[16] != "…" {
		t.Errorf("groups %q", e.Groups)
	}
	if len(d.User.Groups[1]) != 200 {
		t.Error("the mapping's groups are changed")
	}
}

func TestQueries(t *testing.T) {
	r := decisions.NewRecorder()
	first := about(t, authn.Unmapped, "people", "bob")
	first.ID = "K3QF7M2A"
	r.Record("blue", first)
	r.Record("blue", about(t, authn.Mapped, "people", "alice"))
	r.Record("blue", unproven(authn.Refused, "AKIABOB"))
	for name, test := range map[string]struct {
		query decisions.Query
		want  []authn.Outcome
	}{
		"all":              {decisions.Query{Limit: 10}, []authn.Outcome{authn.Unmapped, authn.Mapped, authn.Refused}},
		"the latest":       {decisions.Query{Limit: 1}, []authn.Outcome{authn.Refused}},
		"none":             {decisions.Query{}, nil},
		"ID in lower case": {decisions.Query{ID: "k3qf7m2a", Limit: 10}, []authn.Outcome{authn.Unmapped}},
		"unknown ID":       {decisions.Query{ID: "AAAAAAAA", Limit: 10}, nil},
		"role":             {decisions.Query{ARN: "arn:aws:iam::" + account + ":role/People", Limit: 10}, []authn.Outcome{authn.Unmapped, authn.Mapped}},
		"session":          {decisions.Query{ARN: "arn:aws:sts::" + account + ":assumed-role/people/alice", Limit: 10}, []authn.Outcome{authn.Mapped}},
		"outcomes":         {decisions.Query{Outcomes: []authn.Outcome{authn.Refused, authn.Mapped}, Limit: 10}, []authn.Outcome{authn.Mapped, authn.Refused}},
	} {
		var got []authn.Outcome
		for _, e := range r.Find(test.query) {
			got = append(got, e.Outcome)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestWatchers checks that watchers are few, and that a slow one loses decisions and
// learns how many.
func TestWatchers(t *testing.T) {
	r := decisions.NewRecorder()
	r.Record("blue", about(t, authn.Unmapped, "people", "before"))
	query := decisions.Query{Outcomes: []authn.Outcome{authn.Unmapped}, Limit: 10}
	var all []*decisions.Watcher
	for range 8 {
		past, w, err := r.Watch(query)
		if err != nil || len(past) != 1 {
			t.Fatal(past, err)
		}
		all = append(all, w)
	}
	if _, _, err := r.Watch(query); !errors.Is(err, decisions.ErrTooManyWatchers) {
		t.Errorf("a ninth: %v", err)
	}
	for i := range 300 {
		r.Record("blue", about(t, authn.Unmapped, "people", fmt.Sprint(i)))
		r.Record("blue", about(t, authn.Mapped, "people", "alice"))
	}
	if e := <-all[0].Entries(); !strings.HasSuffix(e.ARN, "/0") {
		t.Errorf("the first is about %s", e.ARN)
	}
	if first, second := all[0].Lost(), all[0].Lost(); first != 300-256 || second != 0 {
		t.Errorf("lost %d and then %d, want %d and none", first, second, 300-256)
	}
	for _, w := range all {
		w.Stop()
	}
	if _, w, err := r.Watch(query); err != nil {
		t.Error(err)
	} else {
		w.Stop()
	}
}

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	r := decisions.NewRecorder()
	var all sync.WaitGroup
	for range 4 {
		_, w, err := r.Watch(decisions.Query{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		all.Go(func() {
			for range 100 {
				<-w.Entries()
				r.Find(decisions.Query{Limit: 10})
			}
		})
	}
	for range 4 {
		all.Go(func() {
			for i := range 200 {
				r.Record("blue", about(t, authn.Mapped, "people", fmt.Sprint(i)))
				r.Record("blue", about(t, authn.Unmapped, "people", fmt.Sprint(i)))
			}
		})
	}
	all.Wait()
}

// A sign-in must cost nothing that people notice.
func BenchmarkRecord(b *testing.B) {
	r := decisions.NewRecorder()
	for _, outcome := range []authn.Outcome{authn.Mapped, authn.Unmapped} {
		d := about(b, outcome, "people", "bob")
		b.Run(string(outcome), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Record("blue", d)
			}
		})
	}
}

// TestSignInsDoNotAllocate checks that keeping a sign-in allocates nothing.
func TestSignInsDoNotAllocate(t *testing.T) {
	r := decisions.NewRecorder()
	d := about(t, authn.Mapped, "people", "bob")
	for range 256 {
		r.Record("blue", d)
	}
	if allocated := testing.AllocsPerRun(1000, func() { r.Record("blue", d) }); allocated > 0 {
		t.Errorf("keeping a sign-in makes %v allocations", allocated)
	}
}
