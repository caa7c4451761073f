package mappingfile_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/mappingfile"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	source := mapper.NewSource(nil)
	read := make(chan struct{}, 16)
	file, err := mappingfile.New(mappingfile.Config{
		Path: path, Source: source, Options: awsauth.Options{Source: "test"},
		OnRead: func(*awsauth.Result) { read <- struct{}{} },
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
			match, _, err := source.Entries().Map(t.Context(), mappertest.User(t, mappertest.Account, "bob"))
			if err != nil {
				t.Fatal(err)
			}
			if match.Username == want {
				return
			}
			select {
			case <-read: // a file written in place may be read half written, and again
			case <-t.Context().Done():
				t.Fatalf("bob is %q, want %q", match.Username, want)
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
	source := mapper.NewSource(nil)
	read, written := make(chan string, 64), make(chan struct{})
	file, err := mappingfile.New(mappingfile.Config{
		Path: path, Source: source, Options: awsauth.Options{Source: "test"},
		After: func(time.Duration) <-chan time.Time {
			settled := make(chan time.Time)
			go func() { <-written; close(settled) }()
			return settled
		},
		OnRead: func(*awsauth.Result) {
			match, _, _ := source.Entries().Map(context.Background(), mappertest.User(t, mappertest.Account, "bob"))
			read <- match.Username
		},
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
	if got := <-read; got != "third" {
		t.Errorf("bob is %q on the way to third", got)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", filepath.Join(dir, "nowhere"), filepath.Join(dir, "no", "where"), broken, dir} {
		if _, err := mappingfile.New(mappingfile.Config{Path: path, Source: mapper.NewSource(nil)}); err == nil {
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
	source := mapper.NewSource(mappertest.Instances())
	file, err := mappingfile.New(mappingfile.Config{Path: path, Source: source, Options: awsauth.Options{Source: "test", Partition: "aws"}})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mappertest.Run(t, "test", source)
}
