package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli"
)

// TestLesson asks explain, lint and diff about the aws-auth of the lesson and about its
// broken variants. The first line of each file is the right answer. The next lines are
// the questions, each with parts of what the command must print:
//
//	# explain ARN [SESSION]: PART | PART
//	# lint: PART | PART
//	# diff: PART | PART
func TestLesson(t *testing.T) {
	t.Parallel()
	const dir = "testdata/lesson"
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 31 {
		t.Errorf("%d files, want the lesson and at least 30 variants", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitN(string(content), "\n", 5)
			if len(lines) != 5 {
				t.Fatal("the file has no header")
			}
			for _, line := range lines[1:4] {
				question, parts, _ := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
				printed := lessonAnswer(t, lessonCommand(t, question, dir, path))
				for part := range strings.SplitSeq(parts, " | ") {
					if !strings.Contains(printed, part) {
						t.Errorf("%s\n%s does not print %q:\n%s", lines[0], question, part, printed)
					}
				}
			}
		})
	}
}

// lessonCommand returns the arguments for a question about a file.
func lessonCommand(t *testing.T, question, dir, path string) []string {
	t.Helper()
	words := strings.Fields(question)
	switch {
	case len(words) == 1 && words[0] == "lint":
		return []string{"lint", path}
	case len(words) == 1 && words[0] == "diff":
		return []string{"diff", filepath.Join(dir, "lesson.yaml"), path}
	case len(words) == 2 && words[0] == "explain":
		return []string{"explain", "-f", path, "--arn", words[1]}
	case len(words) == 3 && words[0] == "explain":
		return []string{"explain", "-f", path, "--arn", words[1], "--session", words[2]}
	}
	t.Fatalf("unknown question %q", question)
	return nil
}

// answer returns everything that a command prints, with its error.
func lessonAnswer(t *testing.T, args []string) string {
	t.Helper()
	var printed bytes.Buffer
	err := run(t.Context(), args, nil, cli.Streams{In: strings.NewReader(""), Out: &printed, Err: &printed})
	if coded, ok := errors.AsType[*cli.Error](err); err != nil && (!ok || coded.Err != nil) {
		printed.WriteString(err.Error())
	}
	return printed.String()
}
