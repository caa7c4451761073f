package localaws

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAnnounce(t *testing.T) {
	f := Files{Dir: t.TempDir()}
	if address, err := f.Address(); address != "" || err != nil {
		t.Errorf("nothing announced: %q, %v", address, err)
	}
	if err := f.Announce("127.0.0.1:4566"); err == nil {
		t.Error("announced without a CA")
	}
	if _, err := f.LoadOrCreateCA(time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"127.0.0.1:4566", "127.0.0.1:1"} {
		if err := f.Announce(want); err != nil {
			t.Fatal(err)
		}
		if address, err := f.Address(); address != want || err != nil {
			t.Errorf("got %q, %v, want %s", address, err, want)
		}
	}
}

func TestSystemCAs(t *testing.T) {
	dir := t.TempDir()
	whole, cut := filepath.Join(dir, "whole"), filepath.Join(dir, "cut")
	for file, text := range map[string]string{whole: "CA\n", cut: "CA"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(dir, "missing")
	for name, test := range map[string]struct {
		files []string
		want  string
		fails bool
	}{
		"the first that exists":   {[]string{missing, whole, cut}, "CA\n", false},
		"a last line without end": {[]string{cut}, "CA\n", false},
		"none":                    {[]string{missing}, "", false},
		"one that cannot be read": {[]string{dir, whole}, "", true},
	} {
		text, err := systemCAs(test.files)
		if string(text) != test.want || (err != nil) != test.fails {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
