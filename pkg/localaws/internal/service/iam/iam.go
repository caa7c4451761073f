// Package iam is IAM: users, groups, roles and policies, and whatever they prove
// themselves with. Other services ask it through [account.Identities].
package iam

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// New returns IAM. Administrators are the access keys of the users administrator, by
// account ID; an account without one gets a new key.
func New(awsPolicies *managedpolicy.Catalog, administrators map[string]Key) api.Service {
	keys := map[string]Key{} // clients keep the keys that were made here: a reset or an import must not replace them
	maps.Copy(keys, administrators)
	return api.Service{
		Name: "iam", Title: "IAM", Global: true, Translate: api.TranslateQuery, Bars: bars, Operations: define(operations()),
		Protocol: protocol.Query{Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/"},
		State: account.Part{
			New: func() account.Section { return newState(awsPolicies) },
			Begin: func(tx *account.Tx) {
				s := account.Get[*state](tx)
				s.dropExpired(tx.Time)
				s.addAdministrator(tx, keys[tx.Account.ID])
				keys[tx.Account.ID] = s.administrator
			},
		},
	}
}

// bars returns an error if a session may not call IAM, whatever the policies say: a
// session of a user needs MFA.
func bars(caller *account.Caller, _ string) error {
	if caller.Session != nil && !caller.IsRole() && !caller.Session.MFA {
		return newError(http.StatusForbidden, api.CodeInvalidToken, "The security token included in the request is invalid")
	}
	return nil
}

func operations() map[string]operation {
	all := map[string]operation{}
	for _, group := range []map[string]operation{
		userOperations(), accessKeyOperations(), groupOperations(), roleOperations(), managedPolicyOperations(),
		serviceLinkedOperations(), instanceProfileOperations(), oidcProviderOperations(), mfaDeviceOperations(), accountOperations(), simulationOperations(),
		loginOperations(), sshKeyOperations(), certificateOperations(), samlOperations(), reportOperations(), accessOperations(), outboundOperations(),
	} {
		maps.Copy(all, group)
	}
	for _, k := range kinds() {
		maps.Copy(all, k.operations())
	}
	needPermissionToTag(all)
	protectServiceLinked(all)
	return all
}

// needPermissionToTag makes creating a thing with tags need the permission to tag.
func needPermissionToTag(operations map[string]operation) {
	for name, create := range operations {
		noun, creates := strings.CutPrefix(strings.Replace(name, "Upload", "Create", 1), "Create")
		action := "Tag" + strings.TrimPrefix(noun, "Virtual") // the action to tag an MFA device has no "Virtual"
		if _, taggable := operations[action]; !creates || !taggable {
			continue
		}
		run, resource := create.Run, create.Resource
		create.Run = func(tx *account.Tx, form api.Form) (any, error) {
			if keys := callOf(tx, form).tagKeys(); len(keys) > 0 {
				if err := tx.Authorize("iam:"+action, resource(tx, form), keys); err != nil {
					return nil, err
				}
			}
			return run(tx, form)
		}
		operations[name] = create
	}
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// A tag of a user, role or policy.
type tag = account.Tag

// maxTags bounds the tags of one thing, in every service.
const maxTags = 50

// tagKeys returns the condition keys of the tags in a request.
func (c *call) tagKeys() map[string][]string {
	keys := map[string][]string{}
	values := c.List("Tags.member", ".Value")
	for i, key := range c.List("Tags.member", ".Key") {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], key)
		if i < len(values) {
			keys["aws:requesttag/"+lower(key)] = []string{values[i]}
		}
	}
	if untagged := c.List("TagKeys.member", ""); len(untagged) > 0 {
		keys["aws:tagkeys"] = untagged
	}
	return keys
}

// tagsOf returns the tags of the IAM resource that an ARN names.
func (s *state) tagsOf(arn string) []tag {
	name := lower(arn[strings.LastIndex(arn, "/")+1:])
	if u, ok := s.Users[name]; ok && u.ARN == arn {
		return u.Tags
	}
	if r, ok := s.Roles[name]; ok && r.ARN == arn {
		return r.Tags
	}
	if profile, ok := s.Profiles[name]; ok && profile.ARN == arn {
		return profile.Tags
	}
	if provider, ok := s.Providers[arn]; ok {
		return provider.Tags
	}
	if device, ok := s.MFADevices[arn]; ok {
		return device.Tags
	}
	if certificate, ok := s.ServerCertificates[name]; ok && certificate.ARN == arn {
		return certificate.Tags
	}
	if provider, ok := s.SAMLProviders[arn]; ok {
		return provider.Tags
	}
	if m, ok := s.Policies[arn]; ok {
		return m.Tags
	}
	return nil
}

// tagPattern does not check the length: a counted pattern compiles to as many
// copies, and this one is large.
var tagPattern = pattern.New(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

func isTag(text string, atLeast, atMost int) bool {
	n := utf8.RuneCountInString(text)
	return atLeast <= n && n <= atMost && tagPattern.MatchString(text)
}

// tags returns the tags in a call. Tag keys are case insensitive.
func (c *call) tags() ([]tag, error) {
	keys, values := c.List("Tags.member", ".Key"), c.List("Tags.member", ".Value")
	if len(keys) != len(values) {
		return nil, invalid("tags", "failed to satisfy constraint: every tag has a key and a value")
	}
	if len(keys) > maxTags {
		return nil, tooLong("tags", maxTags)
	}
	var tags []tag
	for i, key := range keys {
		member := "tags." + strconv.Itoa(i+1) + ".member."
		switch {
		case !isTag(key, 1, 128):
			return nil, invalid(member+"key", `failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`)
		case !isTag(values[i], 0, 256):
			return nil, invalid(member+"value", `failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`)
		case strings.HasPrefix(lower(key), "aws:"):
			return nil, invalidInput("Tag key " + key + " is reserved: keys that begin with aws: are AWS's own.")
		case findTag(tags, key) >= 0:
			return nil, invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tags = append(tags, tag{Key: key, Value: values[i]})
	}
	return tags, nil
}

// findTag returns the index of the tag with a key, or -1.
func findTag(tags []tag, key string) int {
	return slices.IndexFunc(tags, func(t tag) bool { return strings.EqualFold(t.Key, key) })
}

// tagOperations returns the operations on the tags of one kind of thing, which a
// parameter names. Find returns the tags for a call to change.
func tagOperations(noun, nameParameter string, resource func(*call) string, find func(*call) (*[]tag, error)) map[string]operation {
	return map[string]operation{
		"Tag" + noun: write(resource, func(c *call) (any, error) {
			tags, err := find(c)
			if err != nil {
				return nil, err
			}
			added, err := c.tags()
			if err != nil {
				return nil, err
			}
			if len(added) == 0 {
				return nil, missing("tags")
			}
			all := slices.Clone(*tags)
			for _, t := range added {
				if at := findTag(all, t.Key); at >= 0 {
					all[at] = t
				} else {
					all = append(all, t)
				}
			}
			if len(all) > maxTags {
				return nil, limitExceeded("The number of tags has reached the maximum limit.")
			}
			*tags = all
			return nil, nil
		}, nameParameter, "Tags.member.N.Key", "Tags.member.N.Value"),
		"Untag" + noun: write(resource, func(c *call) (any, error) {
			tags, err := find(c)
			if err != nil {
				return nil, err
			}
			keys := c.List("TagKeys.member", "")
			if len(keys) == 0 {
				return nil, missing("tagKeys")
			}
			all := slices.Clone(*tags)
			for _, key := range keys {
				if at := findTag(all, key); at >= 0 {
					all = slices.Delete(all, at, at+1)
				}
			}
			*tags = all
			return nil, nil
		}, nameParameter, "TagKeys.member.N"),
		"List" + noun + "Tags": read(resource, func(c *call) (any, error) {
			tags, err := find(c)
			if err != nil {
				return nil, err
			}
			return paged(c, "Tags", slices.SortedFunc(slices.Values(*tags), func(a, b tag) int { return strings.Compare(a.Key, b.Key) }))
		}, nameParameter, "MaxItems", "Marker"),
	}
}

// missing returns the error for a missing field; field is its name on the wire.
func missing(field string) error {
	return invalid(field, "failed to satisfy constraint: Member must not be null")
}

func tooShort(field string, limit int) error {
	return invalid(field, "failed to satisfy constraint: Member must have length greater than or equal to "+strconv.Itoa(limit))
}

func tooLong(field string, limit int) error {
	return invalid(field, "failed to satisfy constraint: Member must have length less than or equal to "+strconv.Itoa(limit))
}

var (
	namePattern     = pattern.New(`^[\w+=,.@-]+$`)
	pathPattern     = pattern.New(`^/([\x21-\x7E]+/)?$`)
	prefixPattern   = pattern.New(`^/[\x21-\x7F]*$`)
	documentPattern = pattern.New(`^[\t\n\r\x{20}-\x{FF}]+$`)
)

// checkName checks the name of a user, role or policy; field is its name on the
// wire.
func checkName(field, name string, limit int) error {
	switch {
	case name == "":
		return missing(field)
	case len(name) > limit:
		return tooLong(field, limit)
	case !namePattern.MatchString(name):
		return validationError("The specified value for " + field + " is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	return nil
}

func checkPath(path string) (string, error) {
	path = orSlash(path)
	if len(path) > 512 || !pathPattern.MatchString(path) {
		return "", validationError("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return path, nil
}

// pathPrefix returns the prefix that filters a list by path; "/" matches all.
func (c *call) pathPrefix() (string, error) {
	prefix := orSlash(c.Get("PathPrefix"))
	if len(prefix) > 512 || !prefixPattern.MatchString(prefix) {
		return "", validationError("The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.")
	}
	return prefix, nil
}

// word returns the value of an enumerated parameter; empty if it is missing.
func (c *call) word(name string, words ...string) (string, error) {
	if value := c.Get(name); !c.Has(name) || slices.Contains(words, value) {
		return value, nil
	}
	return "", invalid(onWire(name), "failed to satisfy constraint: Member must satisfy enum value set: ["+strings.Join(words, ", ")+"]")
}

// flag returns a boolean parameter, false if it is missing.
func (c *call) flag(name string) (bool, error) {
	value, err := c.word(name, "true", "false")
	return value == "true", err
}

// maxDocument is the maximum length of a policy that AWS reads.
const maxDocument = 131072

// document returns the policy in a call.
func (c *call) document(name string, parse func([]byte) (*policy.Document, error)) (document, error) {
	text := c.Get(name)
	switch {
	case text == "":
		return document{}, missing(onWire(name))
	case utf8.RuneCountInString(text) > maxDocument:
		return document{}, tooLong(onWire(name), maxDocument)
	}
	if err := checkPrintable(onWire(name), text); err != nil {
		return document{}, err
	}
	return parseDocument(text, parse)
}

// checkPrintable checks the characters of a policy; field is its name on the wire.
func checkPrintable(field, text string) error {
	if !documentPattern.MatchString(text) {
		return validationError("The specified value for " + field + " is invalid. It must contain only printable ASCII characters.")
	}
	return nil
}

// onWire returns the name of a parameter in errors: policyName for PolicyName.
func onWire(name string) string { return lower(name[:1]) + name[1:] }
