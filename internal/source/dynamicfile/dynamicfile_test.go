package dynamicfile_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bob returns the username that the file maps bob to.
func bob(t *testing.T, file *dynamicfile.File) string {
	t.Helper()
	table := func() *mapper.Table { return file.Current().Table }
	match, _, err := mapper.Entries(table, nil).Map(t.Context(), mappertest.User(t, mappertest.Account, "bob"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return match.Username
}

const entry = "mapUsers:\n- userarn: arn:aws:iam::231144931069:user/bob\n  username: "

// TestFollow edits the file in the ways that editors do.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aws-auth.yaml")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, entry+"first\n")
	read := make(chan struct{}, 16)
	file, err := dynamicfile.New(dynamicfile.Config{
		Path: path, Options: awsauth.Options{Source: "test"},
		OnRead: func() { read <- struct{}{} },
		After:  func(time.Duration) <-chan time.Time { return time.After(0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-read
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { file.Run(ctx) })
	defer func() { stop(); running.Wait() }()
	becomes := func(want string) {
		t.Helper()
		for {
			got := bob(t, file)
			if got == want {
				return
			}
			select {
			case <-read: // a file written in place may be read half written, and again
			case <-t.Context().Done():
				t.Fatalf("bob is %q, want %q", got, want)
			}
		}
	}
	becomes("first")
	write(path, entry+"in-place\n")
	becomes("in-place")
	write(path+".new", entry+"renamed\n")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	becomes("renamed")
	write(path+".new", "mapUsers: [") // does not parse: what was read last stays
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	becomes("renamed")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	becomes("")
	write(path, entry+"back\n")
	becomes("back")
}

// TestFileWrittenInPlace is empty for a moment, as cp and many editors leave it.
func TestFileWrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aws-auth.yaml")
	if err := os.WriteFile(path, []byte(entry+"good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, written := make(chan struct{}, 64), make(chan struct{})
	file, err := dynamicfile.New(dynamicfile.Config{
		Path: path, Options: awsauth.Options{Source: "test"},
		After: func(time.Duration) <-chan time.Time {
			settled := make(chan time.Time)
			go func() { <-written; close(settled) }()
			return settled
		},
		OnRead: func() { read <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-read
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { file.Run(ctx) })
	defer func() { stop(); running.Wait() }()
	for _, content := range []string{entry + "second\n", "mapUsers: [", entry + "third\n"} {
		for range 100 { // so that somebody who reads at once sees it empty
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	close(written)
	<-read
	if got := bob(t, file); got != "third" {
		t.Errorf("bob is %q after the first reading, want third", got)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", filepath.Join(dir, "nowhere"), filepath.Join(dir, "no", "where"), broken, dir} {
		if _, err := dynamicfile.New(dynamicfile.Config{Path: path}); err == nil {
			t.Errorf("%q is followed", path)
		}
	}
}

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aws-auth.yaml")
	content := "data:\n"
	for name, text := range mappertest.Data() {
		content += "  " + name + ": |\n"
		for _, line := range strings.Split(text, "\n") {
			content += "    " + line + "\n"
		}
	}
	if err := os.WriteFile(path, []byte("kind: ConfigMap\n"+content), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := dynamicfile.New(dynamicfile.Config{Path: path, Options: awsauth.Options{Source: "test", Partition: "aws"}})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mappertest.Run(t, "test", func() *mapper.Table { return file.Current().Table })
}
