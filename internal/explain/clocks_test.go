package explain_test

import (
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestClocks checks the sentence and the command for a token whose time is not valid, by
// the clocks of this machine and of STS.
func TestClocks(t *testing.T) {
	const (
		again   = "authenticator explain --cluster-id blue --as-me --context blue"
		set     = "timedatectl set-ntp true"
		compare = "date --utc; curl --silent --head https://sts.amazonaws.com | grep -i ^date"
	)
	at := func(after time.Duration) time.Time { return signedAt().Add(after) }
	for name, test := range map[string]struct {
		now, sts          time.Time
		sentence, command string
	}{
		"this machine is ahead": {at(2 * time.Hour), at(0), "The token is not valid: the clock of this machine is 2h0m0s ahead of that of AWS STS.", set},
		"the token is old":      {at(time.Hour), at(time.Hour), "The token is not valid: the token was signed 1h0m0s ago, or the clock of the machine that made it is up to 1h0m0s behind that of AWS STS; the clock of this machine is right.", again},
		"its maker is ahead":    {at(-time.Hour), at(-time.Hour), "The token is not valid: the clock of the machine that made the token is at least 1h0m0s ahead of that of AWS STS; the clock of this machine is right.", set},
		"STS does not answer":   {at(time.Hour), time.Time{}, "The token is not valid: it was signed 1h0m0s ago by the clock of this machine, which was not compared with that of AWS STS: either clock may be wrong.", compare},
		"STS refuses the time":  {at(0), at(20 * time.Minute), "STS refused the token (SignatureDoesNotMatch): the clock of this machine is 20m0s behind that of AWS STS; by the clock of AWS STS, the token was signed 20m0s ago.", set},
	} {
		t.Run(name, func(t *testing.T) {
			s := setting{now: test.now, sts: test.sts, verify: func() (identity.Identity, error) {
				return identity.Identity{}, &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch", Date: test.sts}
			}}
			c, facts := s.of(t, user(users+"bob"))
			e := explain.New(facts, c.Explain(t.Context(), token.Encode(urlFor("sts.eu-west-2.amazonaws.com", "eu-west-2"))))
			if e.Result != explain.NotMapped || e.Sentence != test.sentence || e.Command != test.command {
				t.Errorf("%s: %s\n%s\nwant %s\n%s", e.Result, e.Sentence, e.Command, test.sentence, test.command)
			}
		})
	}
}
