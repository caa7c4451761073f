package awsauth

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// leftovers matches the placeholders of documentation, shells, Terraform, Helm and
// Jinja. Remove the placeholders of mappings from a text before matching it.
var leftovers = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`<[^<>]*>|\$\{[^}]*\}?|\$\([^)]*\)?|\{\{[^}]*(\}\})?|\{%[^%]*(%\})?|\{#[^#]*(#\})?|%\([^)]*\)s|[<>]`)
})

// leftover describes a placeholder that was not filled in, and reports whether there
// is one.
func leftover(text string) (string, bool) {
	if !strings.ContainsAny(text, "<>${%") {
		return "", false // the usual case
	}
	found := leftovers().FindString(text)
	return fmt.Sprintf("the placeholder %s, which was not filled in", quoted(found)), found != ""
}

// warnOfName reports something odd in a username or group, which still applies.
// Subject is username or group.
func (r *reading) warnOfName(section, subject string, at *yaml.Node, text string) {
	literal := text
	for _, name := range mapper.Placeholders() {
		literal = strings.ReplaceAll(literal, "{{"+name+"}}", "")
	}
	_, unfilled := leftover(literal)
	odd := strings.IndexFunc(literal, isOdd)
	switch {
	case unfilled:
		r.warn(mapper.Unfilled, section, at, fmt.Sprintf("the %s %s contains a placeholder that was not filled in", subject, quoted(text)), "write the name itself")
	case strings.Contains(literal, "*"):
		r.warn(mapper.Wildcard, section, at, fmt.Sprintf("the %s %s contains *, which Kubernetes takes literally", subject, quoted(text)), "write the whole name")
	case odd >= 0:
		r.warn(mapper.OddCharacter, section, at, fmt.Sprintf("the %s %s contains %q", subject, quoted(text), []rune(literal[odd:])[0]), "remove it, and use the name without it in your RoleBindings")
	case strings.TrimSpace(text) != text:
		r.warn(mapper.OddCharacter, section, at, fmt.Sprintf("the %s %s starts or ends with a space", subject, quoted(text)), "remove the space")
	}
}

// isOdd reports whether a character is hardly intended in a name: an invisible
// character, or a quote that an editor inserted.
func isOdd(c rune) bool {
	return c != ' ' && !unicode.IsPrint(c) || strings.ContainsRune("“”„‘’\"`", c)
}
