package authn

import (
	"crypto/rand"
	"strings"

	"github.com/kube-iam/authenticator/pkg/token"
)

// identify gives the decision an ID: 40 random bits, so that a log rarely has the same
// ID twice.
func (d *Decision) identify() {
	d.ID = rand.Text()[:8]
	if d.Reason != "" {
		d.Reason += " (decision " + d.ID + ")"
	}
}

// A Claim is what a token claims. Nobody has proven it.
type Claim struct {
	// AccessKeyID is empty if there are scrubbed accounts, since it can be of one.
	AccessKeyID  string
	Region, Host string
}

// claim returns what a token claims. It copies the strings, which are slices of the
// token, because the token is a credential.
func (a *Authenticator) claim(parts token.Parts) *Claim {
	c := Claim{Region: strings.Clone(parts.Region), Host: strings.Clone(parts.Host)}
	if len(a.config.ScrubbedAccounts) == 0 {
		c.AccessKeyID = strings.Clone(parts.AccessKeyID)
	}
	return &c
}
