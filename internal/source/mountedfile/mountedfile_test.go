package mountedfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/source/mountedfile"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configuration returns a configuration file with the sections.
func configuration(sections map[string]string) string {
	text := "port: 1\nserver:\n  mapAccounts: []\n"
	for name, section := range sections {
		if name == "mapAccounts" {
			text = strings.Replace(text, " []", " "+section, 1)
			continue
		}
		text += "  " + name + ":\n    " + strings.ReplaceAll(section, "\n", "\n    ") + "\n"
	}
	return text
}

// parse parses a file of configuration; the rest of it is the port.
func parse(content []byte) (mountedfile.Parsed, error) {
	var file struct {
		Port, Odd string
		Server    yaml.Node
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return mountedfile.Parsed{}, err
	}
	var warnings []string
	if file.Odd != "" {
		warnings = []string{"odd is " + file.Odd}
	}
	return mountedfile.Parsed{
		Warnings: warnings,
		Mappings: awsauth.ParseNode(&file.Server, nil, awsauth.Options{Source: "MountedFile", Partition: "aws"}),
		Rest:     map[string]string{"port": file.Port},
	}, nil
}

// config returns the configuration of a source that follows a file.
func config(f *sourcetest.File) mountedfile.Config {
	return mountedfile.Config{Name: "MountedFile", Path: f.Path, Parse: parse, Started: map[string]string{"port": "1"}, Watch: f.Watch}
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Suite{
		Synctest: true,
		Make: func(t *testing.T, sections map[string]string) sourcetest.Place {
			f := sourcetest.NewFile(t, configuration(sections))
			mounted, err := mountedfile.New(t.Context(), config(f))
			if err != nil {
				t.Fatal(err)
			}
			place := f.Place(mounted, configuration)
			place.KeepsRemoved = true
			return place
		},
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	mounted, err := mountedfile.New(t.Context(), config(sourcetest.NewFile(t, configuration(mappertest.Data()))))
	if err != nil {
		t.Fatal(err)
	}
	mappertest.Run(t, "MountedFile", func() *mapper.Table { return mounted.Current().Table })
}

const entry = "port: 1\nserver:\n  mapUsers:\n  - userarn: arn:aws:iam::231144931069:user/bob\n    username: "

// TestReread checks new contents after a good one: a content that would keep the server
// from starting leaves the whole last good content in force.
func TestReread(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, bob, log string }{
		"other mappings":    {entry + "second\n", "second", ""},
		"no mappings":       {"port: 1\n", "", ""},
		"a bad ARN":         {entry + "second\n  - userarn: alice\n", "first", `alice`},
		"two bad ARNs":      {entry + "second\n  - userarn: alice\n  - userarn: carol\n", "first", `and 1 more like it`},
		"an ARN is missing": {entry + "second\n  - username: alice\n", "first", "mapUsers line 6"},
		"not a list":        {entry + "second\n  mapRoles: alice\n", "first", "mapRoles line 6"},
		"broken":            {entry + "second\n  }", "first", "yaml: "},
		"another key":       {strings.Replace(entry, "1", "2", 1) + "second\n", "second", `take effect only after a restart" file=`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				mounted, f := follow(t, &log)
				f.Write(test.content)
				if got := sourcetest.Username(t, mounted, "bob"); got != test.bob {
					t.Errorf("bob is %q, want %q", got, test.bob)
				}
				if !strings.Contains(log.String(), test.log) || (test.log == "") != (log.Len() == 0) {
					t.Errorf("logged %q, want %q", log.String(), test.log)
				}
				if keeps := strings.Contains(log.String(), "its last good mappings stay in force, and a restart would fail"); keeps != (test.bob == "first") {
					t.Errorf("logged %q", log.String())
				}
			})
		})
	}
}

// TestEmptied checks that nobody loses access before a restart when the file is
// emptied.
func TestEmptied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		mounted, f := follow(t, &log)
		f.Write(" \n")
		if got := sourcetest.Username(t, mounted, "bob"); got != "first" || !strings.Contains(log.String(), "a restart would map nobody") {
			t.Errorf("bob is %q, want first; logged %q", got, log.String())
		}
	})
}

// TestOtherKeys checks that a change of a key that takes effect only after a restart
// is logged once, and a reverted change is not.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		_, f := follow(t, &log)
		for i, port := range []int{2, 2, 3, 1} {
			f.Write(fmt.Sprintf("port: %d\n# %d\n", port, i))
		}
		if got := strings.Count(log.String(), "keys=[port]"); got != 2 {
			t.Errorf("%d changes are logged, want 2: %s", got, log.String())
		}
	})
}

// TestWarnings checks that each new warning is logged once, and that the warning of
// the start, which was printed already, is not.
func TestWarnings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := sourcetest.NewFile(t, "port: 1\nodd: first\n")
		followLogged(t, &log, f)
		for i, odd := range []string{"first", "second", "second", ""} {
			f.Write(fmt.Sprintf("port: 1\nodd: %s\n# %d\n", odd, i))
		}
		if got := log.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, `warning="odd is second"`) {
			t.Errorf("logged %s, want one warning about the second", got)
		}
	})
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	beyond := entry + "bob\n" + strings.Repeat("  - userarn: arn:aws:iam::1:user/bob\n", 300) + "  - userarn: alice\n" // its error is beyond the listed problems
	for _, content := range []string{entry + "bob\n  - userarn: alice\n", "server: [", beyond} {
		if _, err := mountedfile.New(t.Context(), config(sourcetest.NewFile(t, content))); err == nil {
			t.Errorf("New accepts %.200q", content)
		}
	}
	if _, err := mountedfile.New(t.Context(), mountedfile.Config{Name: "MountedFile"}); err == nil {
		t.Error("New accepts a configuration without a parser")
	}
	if _, err := mountedfile.New(t.Context(), mountedfile.Config{Name: "MountedFile", Path: "nowhere", Parse: parse}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("following no file: %v", err)
	}
}

// TestWithoutFile checks that a source without a file has an empty table.
func TestWithoutFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mounted, err := mountedfile.New(t.Context(), mountedfile.Config{Name: "MountedFile", Parse: parse})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		mounted.Run(ctx)
		if table := mounted.Current().Table; table == nil || table.Len() != 0 || len(mounted.Current().Problems) != 0 {
			t.Errorf("in force is %+v, want an empty table", mounted.Current())
		}
	})
}

// follow returns a source that follows a file, and logs warnings and errors. The file
// maps bob to first.
func follow(t *testing.T, log *bytes.Buffer) (*mountedfile.File, *sourcetest.File) {
	t.Helper()
	f := sourcetest.NewFile(t, entry+"first\n")
	return followLogged(t, log, f), f
}

func followLogged(t *testing.T, log *bytes.Buffer, f *sourcetest.File) *mountedfile.File {
	t.Helper()
	c := config(f)
	c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	mounted, err := mountedfile.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.Follow(t, mounted)
	f.Await()
	return mounted
}

// TestChangedBeforeNew checks that a key is reported that changed between the server's
// start and New.
func TestChangedBeforeNew(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := config(sourcetest.NewFile(t, "port: 2\n"))
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	if _, err := mountedfile.New(t.Context(), c); err != nil || !strings.Contains(log.String(), "keys=[port]") {
		t.Errorf("%v; logged %q", err, log.String())
	}
}
