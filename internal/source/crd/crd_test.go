package crd_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/convert"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) {
	// klog, which client-go logs with, has one goroutine that never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"))
}

func config(url string) crd.Config {
	return crd.Config{REST: &rest.Config{Host: url, QPS: -1}, Options: awsauth.Options{Source: "CRD", Partition: "aws"}}
}

func newSource(t *testing.T, c crd.Config) *crd.CRD {
	t.Helper()
	made, err := crd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// usernames returns the ARNs in force and their usernames.
func usernames(s source.Source) map[string]string {
	table := s.Current().Table
	if table == nil {
		return nil
	}
	found := map[string]string{}
	for entry, applies := range table.Entries() {
		if applies {
			found[strings.ToLower(entry.ARN)] = entry.Username.String()
		}
	}
	return found
}

func becomes(t *testing.T, s source.Source, want map[string]string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v in force, but %v", want, usernames(s)), func() bool {
		got := usernames(s)
		return got != nil && maps.Equal(got, want)
	})
}

// A place holds the entries of sections as objects.
type place struct {
	t      *testing.T
	server *apiServer
	source source.Source
	want   map[string]string
}

// write makes the objects those of the sections. In a section the later entry wins, so
// that is the older object.
func (p *place) write(sections map[string]string) {
	p.t.Helper()
	table := awsauth.Parse(sections, nil, awsauth.Options{Source: "x"}).Table
	names, age := map[string]bool{}, 0
	p.want = map[string]string{}
	for entry, applies := range table.Entries() {
		if entry.SSO != nil {
			continue
		}
		m := mapping{name: nameOf(entry.ARN), arn: entry.ARN, username: entry.Username.String(), age: age}
		for _, group := range entry.Groups {
			m.groups = append(m.groups, group.String())
		}
		for names[m.name] {
			m.name += "-again"
		}
		names[m.name] = true
		age++
		p.server.apply(m)
		if applies {
			p.want[strings.ToLower(entry.ARN)] = entry.Username.String()
		}
	}
	p.server.mu.Lock()
	kept := slices.Collect(maps.Keys(p.server.objects))
	p.server.mu.Unlock()
	for _, name := range kept {
		if !names[name] {
			p.server.remove(name)
		}
	}
}

func nameOf(arn string) string {
	return strings.NewReplacer(":", "-", "/", "-", "_", "-").Replace(strings.ToLower(arn))
}

func (p *place) await() { p.t.Helper(); becomes(p.t, p.source, p.want) }

func newPlace(t *testing.T, sections map[string]string) *place {
	p := &place{t: t, server: newAPIServer(t)}
	p.source = newSource(t, config(p.server.url))
	p.write(sections)
	return p
}

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Objects: true,
		Unread: func(t *testing.T) source.Source {
			s := newAPIServer(t)
			s.refuse(http.StatusForbidden)
			return newSource(t, config(s.url))
		},
		Make: func(t *testing.T, sections map[string]string) sourcetest.Place {
			p := newPlace(t, sections)
			write := func(sections map[string]string) { t.Helper(); p.write(sections); p.await() }
			return sourcetest.Place{Source: p.source, Await: p.await, Write: write, Remove: func() { write(nil) }}
		},
	})
}

func TestConformance(t *testing.T) {
	p := newPlace(t, mappertest.Data())
	sourcetest.Follow(t, p.source)
	p.await()
	mappertest.RunObjects(t, "CRD", func() *mapper.Table { return p.source.Current().Table })
}

// TestConverted checks that the objects of map convert map as the entries do.
func TestConverted(t *testing.T) {
	table := awsauth.Parse(mappertest.Data(), nil, awsauth.Options{Source: "x"}).Table
	text, _ := convert.Convert(table, convert.CRD, "")
	s := newAPIServer(t)
	s.mu.Lock()
	for document := range strings.SplitSeq(text, "---\n") {
		var object struct {
			Metadata struct{ Name string }
			Spec     map[string]any
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object.Metadata.Name != "" {
			s.write(object.Metadata.Name, 0, object.Spec)
		}
	}
	s.mu.Unlock()
	followed := newSource(t, config(s.url))
	sourcetest.Follow(t, followed)
	eventually(t, "read", func() bool { return followed.Current().Table != nil })
	for _, change := range mapper.Diff(table, followed.Current().Table).Changes {
		if change.For.SSO == nil && change.For.Account == "" && (change.Old == nil || !change.Old.ByAccount) {
			t.Errorf("%s: %s", change.For, change)
		}
	}
}

const (
	account = "arn:aws:iam::231144931069:"
	session = "arn:aws:sts::231144931069:assumed-role/"
)

// TestConditions checks that each object says whether it is in force.
func TestConditions(t *testing.T) {
	s := newAPIServer(t)
	s.apply(
		mapping{name: "admin", arn: account + "role/Admin", username: "admin:{{SessionName}}", groups: []string{"system:masters"}, age: 5},
		mapping{name: "another", arn: account + "ROLE/admin", username: "usurper", age: 4},
		mapping{name: "by-name", arn: account + "user/same", username: "first", age: 3},
		mapping{name: "by-name-too", arn: account + "user/same", username: "second", age: 3},
		mapping{name: "group", arn: account + "user/group", username: "group", groups: []string{"good", "{{Nonsense}}"}},
		mapping{name: "nonsense", arn: "nonsense", username: "x"},
		mapping{name: "path", arn: account + "role/team/Path", username: "x:{{SessionName}}"},
		mapping{name: "placeholder", arn: account + "user/x", username: "{{Nonsense}}"},
		mapping{name: "reserved", arn: account + "user/y", username: "system:{{AccountID}}"},
		mapping{name: "session", arn: session + "Ops/bob", username: "ops:{{SessionName}}"},
		mapping{name: "session-of-admin", arn: session + "Admin/bob", username: "x:{{SessionName}}", age: 9},
		mapping{name: "space", arn: " " + account + "user/z", username: "z"},
		mapping{name: "too-long", arn: account + "user/" + strings.Repeat("x", 5000), username: "x"},
		mapping{name: "partition", arn: "arn:aws-cn:iam::231144931069:user/z", username: "z"},
	)
	s.mu.Lock()
	s.write("no-list", 0, map[string]any{"arn": account + "user/list", "username": "x", "groups": "system:masters"})
	s.write("no-text", 0, map[string]any{"arn": account + "user/list", "username": 7})
	s.write("no-spec", 0, nil)
	s.mu.Unlock()
	c := config(s.url)
	c.ReservedPrefixes = []string{"system:"}
	source := newSource(t, c)
	sourcetest.Follow(t, source)
	for name, want := range map[string]struct{ status, reason, message, canonicalARN string }{
		"admin":            {"True", "Mapped", "maps " + account + "role/Admin to admin:{{SessionName}}", account + "role/admin"},
		"another":          {"False", "DuplicateEntry", "iamidentitymapping/admin is for the same principal and wins: it is older, or as old and first by name", account + "role/admin"},
		"by-name":          {"True", "Mapped", "", account + "user/same"},
		"by-name-too":      {"False", "DuplicateEntry", "iamidentitymapping/by-name is", account + "user/same"},
		"group":            {"True", "GroupTemplate", "the entry applies without it", account + "user/group"},
		"nonsense":         {"False", "EntryInvalidARN", `"nonsense" is not an ARN`, ""},
		"path":             {"False", "RolePath", "AWS never returns a role's path", account + "role/team/path"},
		"placeholder":      {"False", "EntryTemplate", "", ""},
		"reserved":         {"False", "ReservedUsername", `the username starts with "system:"`, account + "user/y"},
		"session":          {"True", "Mapped", "maps every session of the role", account + "role/ops"},
		"session-of-admin": {"False", "DuplicateEntry", "iamidentitymapping/admin is for the role itself", account + "role/admin"},
		"space":            {"False", "EntryInvalidARN", "white space", ""},
		"too-long":         {"False", "EntryTooLong", "", ""},
		"partition":        {"False", "EntryPartition", "", ""},
		"no-list":          {"False", "EntryWrongType", "spec.groups is not a list", ""},
		"no-text":          {"False", "EntryWrongType", "spec.arn or spec.username is not text", ""},
		"no-spec":          {"False", "EntryNoARN", "the object has no arn", ""},
	} {
		eventually(t, "a condition of "+name, func() bool { status, _, _, _ := s.inForce(name); return status != "" })
		status, reason, message, arn := s.inForce(name)
		if status != want.status || reason != want.reason || !strings.Contains(message, want.message) || arn != want.canonicalARN {
			t.Errorf("%s: %s, %s, %q, %q; want %+v", name, status, reason, message, arn, want)
		}
	}
	becomes(t, source, map[string]string{
		account + "role/admin": "admin:{{SessionName}}", account + "user/same": "first", account + "user/group": "group", account + "role/ops": "ops:{{SessionName}}",
		account + "user/y": "system:{{AccountID}}", // denied by the prefix, so that no later source maps it
	})
	// The next one takes over from the winner that is gone.
	s.remove("admin")
	eventually(t, "another in force", func() bool { status, _, _, _ := s.inForce("another"); return status == "True" })
	s.apply(mapping{name: "by-name", arn: "junk", username: "x"})
	eventually(t, "the canonical ARN of an edited object gone", func() bool {
		_, _, _, arn := s.inForce("by-name")
		return arn == ""
	})
}

// TestStatusesOfOthers checks that what another program writes in the status stays, and
// that a status is not written again for what did not change.
func TestStatusesOfOthers(t *testing.T) {
	s := newAPIServer(t)
	s.apply(mapping{name: "admin", arn: account + "role/Admin", username: "admin"})
	s.mu.Lock()
	s.objects["admin"]["status"] = map[string]any{
		"canonicalARN": account + "role/admin", "userID": "AROAEXAMPLE",
		"conditions": []any{map[string]any{"type": "Theirs", "status": "True"}},
	}
	s.mu.Unlock()
	for range 2 { // servers
		sourcetest.Follow(t, newSource(t, config(s.url)))
	}
	eventually(t, "a condition", func() bool { status, _, _, _ := s.inForce("admin"); return status == "True" })
	s.mu.Lock()
	status, _ := s.objects["admin"]["status"].(map[string]any)
	conditions, _ := status["conditions"].([]any)
	if len(conditions) != 2 || status["userID"] != "AROAEXAMPLE" {
		t.Errorf("the status is %v", status)
	}
	s.mu.Unlock()
	s.apply(mapping{name: "other", arn: account + "role/Other", username: "other"})
	eventually(t, "another condition", func() bool { status, _, _, _ := s.inForce("other"); return status == "True" })
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := []string{"admin", "other"}; !slices.Equal(s.patches, want) {
		t.Errorf("two servers wrote %q, want each once", s.patches)
	}
}

type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.String(), text)
}

// TestUnreadable checks what keeps the objects from being read, and that the source
// reads them when that is over.
func TestUnreadable(t *testing.T) {
	for code, want := range map[int]string{
		http.StatusNotFound:  "is not installed",
		http.StatusForbidden: "may not list and watch",
	} {
		s := newAPIServer(t)
		s.apply(mapping{name: "bob", arn: account + "user/bob", username: "bob"})
		s.refuse(code)
		var log buffer
		c := config(s.url)
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		followed := newSource(t, c)
		sourcetest.Follow(t, followed)
		eventually(t, "logged: "+want, func() bool { return log.contains(want) && log.contains("components/crd") })
		eventually(t, "a problem", func() bool { return len(followed.Current().Problems) > 0 })
		if current := followed.Current(); current.Table != nil || current.Problems[0].Code != source.Unreadable {
			t.Errorf("%+v is in force", current)
		}
		s.refuse(0)
		becomes(t, followed, map[string]string{account + "user/bob": "bob"})
		if problems := followed.Current().Problems; len(problems) > 0 {
			t.Errorf("problems: %v", problems)
		}
	}
}

// TestGaps checks that what happens while no watch is open is not missed.
func TestGaps(t *testing.T) {
	s := newAPIServer(t)
	s.apply(mapping{name: "bob", arn: account + "user/bob", username: "bob"}, mapping{name: "eve", arn: account + "user/eve", username: "eve"})
	followed := newSource(t, config(s.url))
	sourcetest.Follow(t, followed)
	becomes(t, followed, map[string]string{account + "user/bob": "bob", account + "user/eve": "eve"})
	s.hangUp(true, func() { s.remove("eve") })
	becomes(t, followed, map[string]string{account + "user/bob": "bob"})
	s.hangUp(false, func() { s.apply(mapping{name: "bob", arn: account + "user/bob", username: "robert"}) })
	becomes(t, followed, map[string]string{account + "user/bob": "robert"})
}

// TestLimits checks that beyond the limits the oldest objects stay in force.
func TestLimits(t *testing.T) {
	s := newAPIServer(t)
	s.apply(
		mapping{name: "a", arn: account + "user/young", username: "young", age: 1},
		mapping{name: "b", arn: account + "user/old", username: "old", age: 3},
		mapping{name: "c", arn: account + "user/middle", username: "middle", age: 2},
	)
	followed := newSource(t, config(s.url))
	followed.Limit(2, 1<<20, time.Hour)
	sourcetest.Follow(t, followed)
	want := map[string]string{account + "user/old": "old", account + "user/middle": "middle"}
	becomes(t, followed, want)
	if problems := followed.Current().Problems; len(problems) == 0 || problems[0].Code != "TooManyObjects" {
		t.Errorf("problems: %v", problems)
	}
	eventually(t, "a condition", func() bool { _, reason, _, _ := s.inForce("a"); return reason == "TooManyObjects" })
	s.apply(mapping{name: "d", arn: account + "user/new", username: "new"})
	s.remove("b") // revoked at once
	becomes(t, followed, map[string]string{account + "user/middle": "middle"})

	// A list finds the next oldest.
	s = newAPIServer(t)
	s.apply(mapping{name: "a", arn: account + "user/a", username: "a"}, mapping{name: "b", arn: account + "user/b", username: "b", age: 1})
	followed = newSource(t, config(s.url))
	followed.Limit(1, 1<<20, time.Millisecond)
	sourcetest.Follow(t, followed)
	becomes(t, followed, map[string]string{account + "user/b": "b"})
	s.remove("b")
	becomes(t, followed, map[string]string{account + "user/a": "a"})

	s = newAPIServer(t)
	s.apply(mapping{name: "a", arn: account + "user/a", username: "a", age: 1}, mapping{name: "b", arn: account + "user/b", username: strings.Repeat("b", 100), age: 2})
	followed = newSource(t, config(s.url))
	followed.Limit(10, 150, time.Hour)
	sourcetest.Follow(t, followed)
	becomes(t, followed, map[string]string{account + "user/b": strings.Repeat("b", 100)})
}
