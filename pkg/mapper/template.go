package mapper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// A Template is a valid username or group with placeholders. It is expanded in one
// pass: a placeholder's value is never expanded again.
type Template struct{ text string }

type placeholder int

const (
	noPlaceholder placeholder = iota
	accountID
	accessKeyID
	sessionName
	sessionNameRaw
	ec2PrivateDNSName
)

func placeholderOf(name string) (placeholder, bool) {
	switch name {
	case "AccountID":
		return accountID, true
	case "AccessKeyID":
		return accessKeyID, true
	case "SessionName":
		return sessionName, true
	case "SessionNameRaw":
		return sessionNameRaw, true
	case "EC2PrivateDNSName":
		return ec2PrivateDNSName, true
	}
	return noPlaceholder, false
}

// Placeholders returns the names that are valid between {{ and }}.
func Placeholders() []string {
	return []string{"AccountID", "AccessKeyID", "EC2PrivateDNSName", "SessionName", "SessionNameRaw"}
}

// ParseTemplate parses a username or group. A placeholder that is unknown or not
// closed is an error.
func ParseTemplate(text string) (Template, error) {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "{{")
		if !found {
			return Template{text: text}, nil
		}
		name, tail, closed := strings.Cut(after, "}}")
		if !closed {
			return Template{}, fmt.Errorf("template %q: {{ is not closed by }}", text)
		}
		if _, known := placeholderOf(name); !known {
			return Template{}, fmt.Errorf("template %q: unknown placeholder {{%s}} (supported: {{%s}})", text, name, strings.Join(Placeholders(), "}}, {{"))
		}
		rest = tail
	}
}

// String returns the template as it was written.
func (t Template) String() string { return t.text }

// Uses reports whether the template has the placeholder with a name.
func (t Template) Uses(name string) bool { return strings.Contains(t.text, "{{"+name+"}}") }

// expand returns the template's text for a principal.
func (t Template) expand(ctx context.Context, principal identity.Principal, names InstanceNames) (string, error) {
	literal, rest, found := strings.Cut(t.text, "{{")
	if !found {
		return t.text, nil
	}
	var b strings.Builder
	for ; found; literal, rest, found = strings.Cut(rest, "{{") {
		b.WriteString(literal)
		var name string
		name, rest, _ = strings.Cut(rest, "}}")
		p, _ := placeholderOf(name)
		value, err := p.value(ctx, principal, names)
		if err != nil {
			return "", fmt.Errorf("expanding %q: %w", t.text, err)
		}
		b.WriteString(value)
	}
	b.WriteString(literal)
	return b.String(), nil
}

func (p placeholder) value(ctx context.Context, principal identity.Principal, names InstanceNames) (string, error) {
	switch p {
	case accountID:
		return principal.AccountID, nil
	case accessKeyID:
		return principal.AccessKeyID, nil
	case ec2PrivateDNSName:
		return instanceName(ctx, principal, names)
	}
	if principal.SessionName == "" {
		return "", &DeniedError{Reason: "its mapping needs a session name, but the identity has none"}
	}
	if p == sessionName {
		return strings.ReplaceAll(principal.SessionName, "@", "-"), nil
	}
	return principal.SessionName, nil
}

func instanceName(ctx context.Context, principal identity.Principal, names InstanceNames) (string, error) {
	if !isInstanceID(principal.SessionName) {
		return "", &DeniedError{Reason: "its mapping needs an EC2 instance, but the session name is not an instance ID"}
	}
	if names == nil {
		return "", errors.New("looking up an EC2 instance: there is no EC2 client")
	}
	name, err := names.PrivateDNSName(ctx, principal.SessionName)
	if err != nil {
		return "", fmt.Errorf("looking up instance %s: %w", principal.SessionName, err)
	}
	if name == "" {
		return "", fmt.Errorf("looking up instance %s: it has no private DNS name", principal.SessionName)
	}
	return name, nil
}

// isInstanceID reports whether s is i- and 8 or 17 hexadecimal digits.
func isInstanceID(s string) bool {
	digits, ok := strings.CutPrefix(s, "i-")
	return ok && (len(digits) == 8 || len(digits) == 17) && isLowerHex(digits)
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
