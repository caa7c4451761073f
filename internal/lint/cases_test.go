package lint_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/lint"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

var update = flag.Bool("update", false, "write the golden files")

func options() lint.Options {
	return lint.Options{Mappings: awsauth.Options{Source: "test", Partition: "aws"}}
}

func check(t testing.TB, content string, opts lint.Options) *lint.Report {
	t.Helper()
	report, err := lint.File([]byte(content), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestCases compares what lint prints for each case of the parser's tests, whose first
// lines state what is right, with a text that was read and judged. -update writes it.
func TestCases(t *testing.T) {
	const dir = "../../pkg/mapper/awsauth/testdata/cases"
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(files) != 9 {
		t.Fatalf("%d cases in %s, want 9 (%v)", len(files), dir, err)
	}
	for _, path := range files {
		base := filepath.Base(path)
		t.Run(base, func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(content), "\n")
			got := first + "\n" + lint.Checked{Name: base, Report: check(t, string(content), options())}.Text()
			golden(t, "testdata/cases/"+strings.TrimSuffix(base, ".yaml")+".txt", got)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}
