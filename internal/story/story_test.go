package story

import (
	"slices"
	"strings"
	"testing"
)

// TestStory checks that the commands fit together: each reads files that one
// before it wrote, and names the story's user and cluster.
func TestStory(t *testing.T) {
	t.Parallel()
	written := map[string]bool{}
	for _, step := range Steps() {
		if step.Title == "" || !strings.HasSuffix(step.Why, ".") || strings.ContainsAny(step.Why, "\n") {
			t.Errorf("step %q: %q is not one sentence", step.Title, step.Why)
		}
		for _, command := range step.Commands {
			if text, ok := strings.CutPrefix(command, "cat <<EOF2 > "); ok {
				file, content, _ := strings.Cut(text, "\n")
				if !strings.HasSuffix(content, "\nEOF2") {
					t.Errorf("the text of %s never ends", file)
				}
				written[file] = true
				continue
			}
			for option, value := range options(command) {
				file, isFile := strings.CutPrefix(value, "file://")
				switch {
				case (isFile || option == "-f") && !written[file]:
					t.Errorf("%s: no command before it writes %s", command, file)
				case option == "--user-name" && value != User, option == "--name" && value != "kubedemy":
					t.Errorf("%s: the story's user and cluster are %s", command, User)
				}
			}
		}
	}
}

// options returns the options of a command line, each with the word after it.
func options(command string) map[string]string {
	found := map[string]string{}
	words := strings.Fields(command)
	for i, word := range words[:len(words)-1] {
		if strings.HasPrefix(word, "-") {
			found[word] = words[i+1]
		}
	}
	return found
}

// TestAnswers checks that the answers contain the access key of the story.
func TestAnswers(t *testing.T) {
	t.Parallel()
	prompts := 0
	for _, step := range Steps() {
		answers := step.Answers("AKIAEXAMPLE", "the secret")
		if answers == nil {
			continue
		}
		prompts++
		if want := []string{"AKIAEXAMPLE", "the secret", "eu-west-2", "json"}; !slices.Equal(answers, want) {
			t.Errorf("step %q: answers %q, want %q", step.Title, answers, want)
		}
	}
	if prompts != 1 {
		t.Errorf("%d steps have prompts, want one", prompts)
	}
}
