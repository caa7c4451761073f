package dynamicfile_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// document returns the JSON with the sections. A section that is not YAML makes it
// invalid.
func document(sections map[string]string) string {
	text := `{"Version": "1", "LastUpdatedDateTime": "12345678"`
	for name, section := range sections {
		var value any
		if err := yaml.Unmarshal([]byte(section), &value); err != nil {
			return section
		}
		list, err := json.MarshalIndent(value, "", "\t")
		if err != nil {
			return section
		}
		text += fmt.Sprintf(",\n%q: %s", name, list)
	}
	return text + "\n}\n"
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Suite{
		Synctest: true,
		Make: func(t *testing.T, sections map[string]string) sourcetest.Place {
			f := sourcetest.NewFile(t, document(sections))
			followed, err := dynamicfile.New(t.Context(), dynamicfile.Config{Path: f.Path, Options: awsauth.Options{Source: "test"}, Watch: f.Watch})
			if err != nil {
				t.Fatal(err)
			}
			return f.Place(followed, document)
		},
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data map[string]string
		run  func(t *testing.T, name string, current func() *mapper.Table)
		ids  bool
	}{
		"by ARN":     {mappertest.Data(), mappertest.Run, false},
		"by user ID": {mappertest.UserIDs(), mappertest.RunUserIDs, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "access-entries.json")
			if err := os.WriteFile(path, []byte(document(test.data)), 0o600); err != nil {
				t.Fatal(err)
			}
			followed, err := dynamicfile.New(t.Context(), dynamicfile.Config{Path: path, Options: awsauth.Options{Source: "test", Partition: "aws", UserIDs: test.ids}})
			if err != nil {
				t.Fatal(err)
			}
			test.run(t, "test", func() *mapper.Table { return followed.Current().Table })
		})
	}
}

const bob = `{"Version": "2", "LastUpdatedDateTime": "1700000000", "mapUsers": [{"userarn": "arn:aws:iam::231144931069:user/bob", "userid": "AIDAEXAMPLE", "username": %q}]}`

// missing takes the place of the content of a file that does not exist.
const missing = "missing"

// follow returns a source that follows a file with a content, in a bubble.
func follow(t *testing.T, content string, config dynamicfile.Config) (*dynamicfile.File, *sourcetest.File) {
	t.Helper()
	f := sourcetest.NewFile(t, content)
	config.Path, config.Watch = f.Path, f.Watch
	if content == missing {
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
	followed, err := dynamicfile.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.Follow(t, followed)
	return followed, f
}

// TestStart checks what a source does with a file that is missing or bad when the server
// starts, as aws-iam-authenticator does: it waits for a good one.
func TestStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content string
		isRead  bool
		problem string
	}{
		"missing":    {missing, true, "does not exist"},
		"empty":      {"", false, "line 1: unexpected end of JSON input"},
		"truncated":  {`{"mapUsers": [`, false, "line 1: unexpected end of JSON input (expected the JSON of a DynamicFile)"},
		"YAML":       {"mapUsers: []\n", false, "line 1: invalid character 'm'"},
		"not a list": {"{\n\"mapUsers\": {}}", false, "line 2: mapUsers is of type object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var updates []string
				var log strings.Builder
				failures := 0
				followed, f := follow(t, test.content, dynamicfile.Config{
					Updated: func(at string) { updates = append(updates, at) }, Failed: func() { failures++ }, Log: slog.New(slog.NewTextHandler(&log, nil)),
				})
				f.Await()
				current := followed.Current()
				const notReady = "the server is not ready until the file is correct, or removed"
				if !test.isRead && (!strings.Contains(log.String(), "cannot be read: "+notReady) || current.Problems[0].Effect != notReady) {
					t.Errorf("logged %s; %+v", log.String(), current.Problems)
				}
				if (current.Table != nil) != test.isRead || len(current.Problems) != 1 || current.Problems[0].Code != source.Unreadable || !strings.Contains(current.Problems[0].Message, test.problem) {
					t.Errorf("%+v, want the problem %q", current, test.problem)
				}
				if want := map[bool]int{true: 0, false: 1}[test.isRead]; failures != want {
					t.Errorf("%d failures, want %d", failures, want)
				}
				if kept := current.KeptSince; !kept.IsZero() {
					t.Errorf("its content is kept since %s, although it has none", kept)
				}
				f.Write(fmt.Sprintf(bob, "bob"))
				if got := sourcetest.Username(t, followed, "bob"); got != "bob" || len(followed.Current().Problems) > 0 || len(updates) > 0 {
					t.Errorf("bob is %q with %v, and %d updates are observed", got, followed.Current().Problems, len(updates))
				}
			})
		})
	}
}

// TestUpdates checks that every good version but the first is observed, and every bad
// one counted. A bad one leaves the last good one in force.
func TestUpdates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var updates []string
		var log strings.Builder
		failures := 0
		followed, f := follow(t, fmt.Sprintf(bob, "first"), dynamicfile.Config{
			Updated: func(at string) { updates = append(updates, at) }, Failed: func() { failures++ }, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		f.Await()
		for _, bad := range []string{"{", " \n", `{"mapUsers": 1}`} {
			f.Write(bad)
			if got := sourcetest.Username(t, followed, "bob"); got != "first" {
				t.Errorf("bob is %q after %q", got, bad)
			}
		}
		f.Write(fmt.Sprintf(bob, "second"))
		f.Remove()
		if got := sourcetest.Username(t, followed, "bob"); got != "" {
			t.Errorf("bob is %q after the removal", got)
		}
		f.Write(fmt.Sprintf(bob, "third"))
		if got := sourcetest.Username(t, followed, "bob"); got != "third" {
			t.Errorf("bob is %q in a new file", got)
		}
		if !slices.Equal(updates, []string{"1700000000", "1700000000"}) || failures != 3 {
			t.Errorf("updates %q and %d failures, want 2 and 3", updates, failures)
		}
		if got := log.String(); strings.Count(got, "level=ERROR") != 3 || !strings.Contains(got, "version=2") || !strings.Contains(got, "does not exist") {
			t.Errorf("log %s", got)
		}
	})
}

// TestWrittenInPlace checks that half a file is never used.
func TestWrittenInPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		followed, f := follow(t, fmt.Sprintf(bob, "first"), dynamicfile.Config{})
		f.Await()
		whole := fmt.Sprintf(bob, "second")
		for i := range len(whole) {
			f.WriteInPlace(whole[:i])
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := sourcetest.Username(t, followed, "bob"); got != "first" {
				t.Fatalf("bob is %q when %d bytes are written", got, i)
			}
		}
		f.WriteInPlace(whole)
		f.Await()
		if got := sourcetest.Username(t, followed, "bob"); got != "second" {
			t.Errorf("bob is %q", got)
		}
	})
}

// TestBounds checks the limits of a file.
func TestBounds(t *testing.T) {
	t.Parallel()
	entries := strings.Repeat(`{"userarn": "arn:aws:iam::231144931069:user/bob", "username": "bob"},`, 20_001)
	for name, test := range map[string]struct{ content, want string }{
		"values": {`{"x": [` + strings.Repeat("1,", 400_000) + `1]}`, "YAML values"},
		"bytes":  {`{"x": "` + strings.Repeat("x", 5<<20) + `"}`, "bytes"},
		"depth":  {strings.Repeat(`{"x":`, 20_000), "exceeded max depth"},
	} {
		if _, err := dynamicfile.Parse([]byte(test.content), nil, awsauth.Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	read, err := dynamicfile.Parse([]byte(`{"mapUsers": [`+entries[:len(entries)-1]+`]}`), nil, awsauth.Options{})
	if err != nil || !read.Mappings.Found(mapper.SectionTooLarge) {
		t.Errorf("20,001 entries: %v", err)
	}
}

// TestRemovedIsForgotten checks that a section that is too large keeps its last good
// content and its age, but not that of a file that was removed before.
func TestRemovedIsForgotten(t *testing.T) {
	t.Parallel()
	entries := strings.Repeat(`{"userarn": "arn:aws:iam::231144931069:user/eve", "username": "eve"},`, 20_001)
	tooLarge := `{"mapUsers": [` + entries[:len(entries)-1] + `]}`
	synctest.Test(t, func(t *testing.T) {
		followed, f := follow(t, fmt.Sprintf(bob, "bob"), dynamicfile.Config{})
		f.Await()
		f.Write("{")
		since := followed.Current().KeptSince
		time.Sleep(40 * time.Minute)
		f.Write(tooLarge)
		if got := sourcetest.Username(t, followed, "bob"); got != "bob" {
			t.Errorf("bob is %q, although the section is too large", got)
		}
		if got := followed.Current().KeptSince; since.IsZero() || !got.Equal(since) {
			t.Errorf("the content is kept since %s, want %s: the file could not be read before", got, since)
		}
		f.Remove()
		f.Write(tooLarge)
		if got := sourcetest.Username(t, followed, "bob"); got != "" {
			t.Errorf("bob is %q in a new file", got)
		}
	})
}

// FuzzParse checks that no file makes the server panic, that parsing it again gives the
// same, and that every entry that applies by user ID has one.
func FuzzParse(f *testing.F) {
	f.Add(fmt.Sprintf(bob, "bob"), true)
	f.Add(document(mappertest.Data()), false)
	f.Add(document(mappertest.UserIDs()), true)
	f.Add(`{"mapRoles": [{"rolearn": "not-an-arn", "userid": "AROAX"}]}`, true)
	f.Add(`{"MAPROLES": [null, 1, [], {"ROLEARN": 1}], "mapAccounts": ["1"]}`, false)
	f.Fuzz(func(t *testing.T, text string, ids bool) {
		options := awsauth.Options{Source: "test", UserIDs: ids}
		read, err := dynamicfile.Parse([]byte(text), nil, options)
		if err != nil {
			return
		}
		for entry := range read.Mappings.Table.Applying() {
			if (entry.UserID != "") != ids {
				t.Errorf("%+v applies", entry)
			}
		}
		again, err := dynamicfile.Parse([]byte(text), read, options)
		if err != nil || again.Mappings.Table.Len() != read.Mappings.Table.Len() {
			t.Errorf("read again: %v", err)
		}
	})
}
