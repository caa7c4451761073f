package awsauthfile_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/awsauthfile"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manifest returns the manifest of an aws-auth ConfigMap.
func manifest(sections map[string]string) string {
	text := "kind: ConfigMap\ndata:\n"
	for name, section := range sections {
		text += "  " + name + ": |\n    " + strings.ReplaceAll(section, "\n", "\n    ") + "\n"
	}
	return text
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Suite{
		Synctest: true,
		Make: func(t *testing.T, sections map[string]string) sourcetest.Place {
			f := sourcetest.NewFile(t, manifest(sections))
			followed, err := awsauthfile.New(t.Context(), awsauthfile.Config{Path: f.Path, Options: awsauth.Options{Source: "test"}, Watch: f.Watch})
			if err != nil {
				t.Fatal(err)
			}
			return f.Place(followed, manifest)
		},
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "aws-auth.yaml")
	write(t, path, manifest(mappertest.Data()))
	followed, err := awsauthfile.New(t.Context(), awsauthfile.Config{Path: path, Options: awsauth.Options{Source: "test", Partition: "aws"}})
	if err != nil {
		t.Fatal(err)
	}
	mappertest.Run(t, "test", func() *mapper.Table { return followed.Current().Table })
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const entry = "mapUsers:\n- userarn: arn:aws:iam::231144931069:user/bob\n  username: "

// follow returns a source that follows a file, in a bubble. The file maps bob to bob.
func follow(t *testing.T, config awsauthfile.Config) (*awsauthfile.File, *sourcetest.File) {
	t.Helper()
	f := sourcetest.NewFile(t, entry+"bob\n")
	config.Path, config.Watch = f.Path, f.Watch
	followed, err := awsauthfile.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.Follow(t, followed)
	f.Await()
	return followed, f
}

// TestWrittenInPlace checks that half a file is never used: it empties the file and
// writes it in pieces, as cp and many editors do.
func TestWrittenInPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, read := sourcetest.Log(slog.DiscardHandler, "read the file")
		followed, f := follow(t, awsauthfile.Config{Log: log})
		whole := "mapRoles: []\n" + entry + "second\n"
		for i := range len(whole) {
			f.WriteInPlace(whole[:i])
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := sourcetest.Username(t, followed, "bob"); got != "bob" {
				t.Fatalf("bob is %q when %d bytes are written", got, i)
			}
		}
		f.WriteInPlace(whole)
		f.Await()
		if got := sourcetest.Username(t, followed, "bob"); got != "second" || len(read) != 2 {
			t.Errorf("bob is %q after %d readings, want second after 2", got, len(read))
		}
	})
}

// TestEmptied checks that an empty file, as a full disk or a slow command in a shell
// leaves it, keeps the last good content in force.
func TestEmptied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		followed, f := follow(t, awsauthfile.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		f.WriteInPlace(" \n")
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := sourcetest.Username(t, followed, "bob"); got != "bob" {
			t.Errorf("bob is %q", got)
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != 1 || !strings.Contains(log.String(), "is empty") {
			t.Errorf("%d errors are logged, want 1 that the file is empty: %s", got, log.String())
		}
		if problems := followed.Current().Problems; len(problems) != 1 || problems[0].Code != source.Unreadable || problems[0].Severity != mapper.Error {
			t.Errorf("problems: %v, want one Unreadable", problems)
		}
		f.Write("mapUsers: []\n")
		if problems := followed.Current().Problems; len(problems) > 0 {
			t.Errorf("problems of a good file: %v", problems)
		}
		if got := sourcetest.Username(t, followed, "bob"); got != "" {
			t.Errorf("bob is %q after all was revoked", got)
		}
	})
}

// TestAge checks that a section's content has the age of the first version without a
// usable text, although the file as a whole could not be read in the meantime.
func TestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		followed, f := follow(t, awsauthfile.Config{})
		f.Write("mapUsers: [")
		since := followed.Current().KeptSince
		time.Sleep(40 * time.Minute)
		f.Write("mapRoles: []\nmapUsers: 1\n")
		if got := followed.Current(); since.IsZero() || !got.KeptSince.Equal(since) || len(got.Lost) > 0 {
			t.Errorf("the content is kept since %s, want %s; %v", got.KeptSince, since, got.Problems)
		}
		f.Remove()
		f.Write("mapUsers: [")
		if got := followed.Current(); !got.KeptSince.IsZero() || got.Problems[0].Effect != "it maps nobody until it is correct" {
			t.Errorf("a new file has kept its content since %s; %v", got.KeptSince, got.Problems)
		}
	})
}

// TestReread checks that an unchanged file is read again.
func TestReread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		followed, f := follow(t, awsauthfile.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		followed.Reread()
		f.Await()
		if got := strings.Count(log.String(), "read the file of mappings"); got != 2 {
			t.Errorf("the file is read %d times, want 2: %s", got, log.String())
		}
	})
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	write(t, broken, "[")
	for _, path := range []string{"", filepath.Join(dir, "nowhere"), filepath.Join(dir, "no", "where"), broken, dir, os.DevNull} {
		if _, err := awsauthfile.New(t.Context(), awsauthfile.Config{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("following %q: %v", path, err)
		}
	}
}

// TestFollow follows a real file, with the system's notifications and clock.
func TestFollow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "aws-auth.yaml")
	write(t, path, entry+"first\n")
	log, read := sourcetest.Log(slog.DiscardHandler, "read the file", "the file of mappings was removed")
	followed, err := awsauthfile.New(t.Context(), awsauthfile.Config{Path: path, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	<-read
	sourcetest.Follow(t, followed)
	write(t, path+".new", entry+"renamed\n")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	<-read
	if got := sourcetest.Username(t, followed, "bob"); got != "renamed" {
		t.Errorf("bob is %q, want renamed", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	<-read
	if got := sourcetest.Username(t, followed, "bob"); got != "" {
		t.Errorf("bob is %q after the file's removal", got)
	}
}
