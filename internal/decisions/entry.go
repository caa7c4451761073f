// Package decisions keeps the last decisions of a server in memory, and serves them to
// the operator: why somebody could not sign in.
package decisions

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

const (
	// maxText and maxGroup bound the texts of an entry, and the name of a group, in
	// bytes. No ARN is longer than maxText.
	maxText  = 640
	maxGroup = 128
	// maxGroups bounds the groups of an entry.
	maxGroups = 16
	// clipped ends a text, and a list of groups, that was longer.
	clipped = "…"
)

// An Entry is a decision that is kept. It contains no credential, and all of it is
// bounded.
type Entry struct {
	// ID is empty for a sign-in.
	ID      string        `json:"id,omitempty"`
	Time    time.Time     `json:"time"`
	Cluster string        `json:"cluster"`
	Outcome authn.Outcome `json:"outcome"`
	// ARN, CanonicalARN and AccessKeyID are set if STS verified the token.
	ARN          string   `json:"arn,omitempty"`
	CanonicalARN string   `json:"canonicalARN,omitempty"`
	AccessKeyID  string   `json:"accessKeyID,omitempty"`
	Username     string   `json:"username,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	// Rule is the rule that matched.
	Rule Rule `json:"rule,omitzero"`
	// Unverified is what the token claims. Nobody has proven it.
	Unverified *Claim `json:"unverified,omitempty"`
	// Clocks says whose clock is wrong if the time of the token is not valid.
	Clocks *skew.Reading `json:"clocks,omitempty"`
	// Foreign means that no mapping matches the identity or names its account.
	Foreign bool `json:"foreign,omitempty"`
	// Error is the reason for every outcome but mapped.
	Error string `json:"error,omitempty"`
	// Cached means that STS was not asked again.
	Cached  bool    `json:"cached,omitempty"`
	Seconds float64 `json:"seconds"`
}

// A Rule is the place of a mapping.
type Rule struct {
	Source  string `json:"source"`
	Section string `json:"section,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// A Claim is what a token claims that STS did not verify.
type Claim struct {
	AccessKeyID string `json:"accessKeyID,omitempty"`
	Region      string `json:"region"`
	Host        string `json:"host"`
}

// newEntry returns the entry of a decision. For a sign-in it allocates only if
// something must be clipped.
func newEntry(clusterID string, d *authn.Decision) Entry {
	who := d.Identity.Principal()
	e := Entry{
		ID: d.ID, Time: d.Time, Cluster: clip(clusterID, maxText), Outcome: d.Outcome,
		ARN: clip(who.ARN, maxText), CanonicalARN: clip(who.CanonicalARN, maxText), AccessKeyID: clip(who.AccessKeyID, maxText),
		Username: clip(d.User.Username, maxText), Groups: clipGroups(d.User.Groups), Rule: newRule(d.Rule),
		Clocks: d.Clocks, Foreign: d.Foreign, Cached: d.Cached, Seconds: d.Duration.Seconds(),
	}
	if d.Claim != nil {
		e.Unverified = &Claim{clip(d.Claim.AccessKeyID, maxText), clip(d.Claim.Region, maxText), clip(d.Claim.Host, maxText)}
	}
	if d.Err != nil {
		e.Error = clip(d.Err.Error(), maxText)
	}
	return e
}

func newRule(r mapper.Rule) Rule {
	return Rule{clip(r.Source, maxText), clip(r.Section, maxText), r.Line}
}

// principal returns whom the entry is about, as far as the server knows.
func (e *Entry) principal() string {
	switch {
	case e.CanonicalARN != "":
		return e.CanonicalARN
	case e.Unverified != nil:
		return e.Unverified.AccessKeyID
	default:
		return ""
	}
}

// clip returns a text of at most limit bytes. It copies what it clips, so that the
// rest can be freed.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(clipped)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) + clipped
}

// clipGroups returns at most maxGroups groups. It returns the same slice, which
// nobody writes to, if all of it fits.
func clipGroups(groups []string) []string {
	fits := len(groups) <= maxGroups
	for _, group := range groups[:min(len(groups), maxGroups)] {
		fits = fits && len(group) <= maxGroup
	}
	if fits {
		return groups
	}
	few := make([]string, 0, maxGroups+1)
	for _, group := range groups[:min(len(groups), maxGroups)] {
		few = append(few, clip(group, maxGroup))
	}
	if len(groups) > maxGroups {
		few = append(few, clipped)
	}
	return few
}
