package sts

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

var (
	wordPattern          = pattern.New(`^\w*$`)
	digitPattern         = pattern.New(`^\d*$`)
	sessionNamePattern   = pattern.New(`^[\w+=,.@-]*$`)
	externalIDPattern    = pattern.New(`^[\w+=,.@:/-]*$`)
	sessionPolicyPattern = pattern.New(`^[\t\n\r\x{20}-\x{FF}]*$`)
	// tagPattern does not check the length: a counted pattern compiles to as many
	// copies, and this one is large.
	tagPattern = pattern.New(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// A form reads the parameters of a call, and collects those that break a constraint.
type form struct {
	api.Form
	violations []string
}

// violate records that a parameter breaks a constraint. The value is quoted, as STS
// does.
func (f *form) violate(name, quoted, constraint string) {
	f.violations = append(f.violations, "Value "+quoted+" at '"+onWire(name)+"' failed to satisfy constraint: "+constraint)
}

// err returns the error for all violations; nil without any.
func (f *form) err() error {
	switch n := len(f.violations); n {
	case 0:
		return nil
	case 1:
		return validationError("1 validation error detected: " + f.violations[0])
	default:
		return validationError(strconv.Itoa(n) + " validation errors detected: " + strings.Join(f.violations, "; "))
	}
}

// onWire returns the name of a parameter in errors: roleArn for RoleArn.
func onWire(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// optional returns a parameter after checking its length and its pattern, or an empty
// string if it is missing.
func (f *form) optional(name string, least, most int, p pattern.Pattern) string {
	value := f.Get(name)
	if !f.Has(name) {
		return ""
	}
	quoted := "'" + value + "'"
	if isSecret(name) {
		quoted = "'***'"
	}
	if length := utf8.RuneCountInString(value); length < least {
		f.violate(name, quoted, "Member must have length greater than or equal to "+strconv.Itoa(least))
	} else if length > most {
		f.violate(name, quoted, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
	if !p.MatchString(value) {
		f.violate(name, quoted, "Member must satisfy regular expression pattern: "+strings.TrimSuffix(strings.TrimPrefix(p.String(), "^"), "$"))
	}
	return value
}

// isSecret reports whether errors must not contain the value of a parameter.
func isSecret(name string) bool { return name == "WebIdentityToken" || name == "TokenCode" }

// required is like optional for a required parameter.
func (f *form) required(name string, least, most int, p pattern.Pattern) string {
	if !f.Has(name) {
		f.violate(name, "null", "Member must not be null")
	}
	return f.optional(name, least, most, p)
}

// duration returns the duration that a call asks for, up to a number of seconds.
func (f *form) duration(most int, otherwise time.Duration) time.Duration {
	const name = "DurationSeconds"
	text := f.Get(name)
	if !f.Has(name) {
		return otherwise
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 900 {
		f.violate(name, "'"+text+"'", "Member must have value greater than or equal to 900")
	} else if seconds > most {
		f.violate(name, "'"+text+"'", "Member must have value less than or equal to "+strconv.Itoa(most))
	}
	return time.Duration(seconds) * time.Second
}

// text returns a function that decodes the only parameter of an operation.
func text(name string, least, most int, p pattern.Pattern) func(api.Input) (string, error) {
	return func(input api.Input) (string, error) {
		f := form{Form: input.Form}
		value := f.required(name, least, most, p)
		return value, f.err()
	}
}

const maxTags = 50

// tags returns the session tags in a call. Check them with checkTags.
func (f *form) tags() []account.Tag {
	keys, values := f.List("Tags.member", ".Key"), f.List("Tags.member", ".Value")
	if len(keys) != len(values) {
		f.violate("Tags", "null", "every tag has a key and a value")
		return nil
	}
	var tags []account.Tag
	for i, key := range keys {
		tags = append(tags, account.Tag{Key: key, Value: values[i]})
	}
	f.checkTags(tags)
	return tags
}

// checkTags records what in tags breaks a constraint.
func (f *form) checkTags(tags []account.Tag) {
	if len(tags) > maxTags {
		f.violate("Tags", "of "+strconv.Itoa(len(tags))+" tags", "Member must have length less than or equal to "+strconv.Itoa(maxTags))
		return
	}
	for i, tag := range tags {
		member := "tags." + strconv.Itoa(i+1) + ".member."
		if !isTag(tag.Key, 1, 128) {
			f.violate(member+"key", "'"+tag.Key+"'", `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`)
		}
		if !isTag(tag.Value, 0, 256) {
			f.violate(member+"value", "'"+tag.Value+"'", `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`)
		}
	}
}

func isTag(text string, atLeast, atMost int) bool {
	n := utf8.RuneCountInString(text)
	return atLeast <= n && n <= atMost && tagPattern.MatchString(text)
}

// checkKeys returns what no constraint of a single tag says: keys are case
// insensitive, and some are AWS's own.
func checkKeys(tags []account.Tag) error {
	for i, tag := range tags {
		if strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return invalidParameter("Tag key " + tag.Key + " is reserved: keys that begin with aws: are AWS's own.")
		}
		if findTag(tags, tag.Key) < i {
			return invalidParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
	}
	return nil
}

// findTag returns the index of the first tag with a key, or -1.
func findTag(tags []account.Tag, key string) int {
	return slices.IndexFunc(tags, func(t account.Tag) bool { return strings.EqualFold(t.Key, key) })
}

// tagKeys returns the condition keys of session tags.
func tagKeys(tags []account.Tag) map[string][]string {
	keys := map[string][]string{}
	for _, tag := range tags {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], tag.Key)
		keys["aws:requesttag/"+strings.ToLower(tag.Key)] = []string{tag.Value}
	}
	return keys
}
