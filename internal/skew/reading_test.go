package skew_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/skew"
)

// TestReading checks whose clock is blamed, and in which words, for tokens that were
// signed and checked by clocks that are ahead of that of STS by some time.
func TestReading(t *testing.T) {
	const (
		day   = 24 * time.Hour
		right = "; the clock of node-1 is right"
	)
	for name, test := range map[string]struct {
		machine, maker time.Duration
		fault          skew.Fault
		text, remedy   string
	}{
		"all are right":                       {0, 0, skew.None, "the clocks are right", ""},
		"the machine is 59 s ahead":           {59 * time.Second, 0, skew.None, "the clocks are right", ""},
		"the machine is ahead by a minute":    {time.Minute, 0, skew.Machine, "the clock of node-1 is 1m0s ahead of that of AWS STS", "Set the clock of node-1: timedatectl set-ntp true"},
		"the machine is behind by a minute":   {-time.Minute, 0, skew.Machine, "the clock of node-1 is 1m0s behind that of AWS STS", "Set the clock of node-1: timedatectl set-ntp true"},
		"the machine is ahead by 3 hours":     {3 * time.Hour, 0, skew.Machine, "the clock of node-1 is 3h0m0s ahead of that of AWS STS", "Set the clock of node-1: timedatectl set-ntp true"},
		"the machine is behind by a day":      {-day, 0, skew.Machine, "the clock of node-1 is 24h0m0s behind that of AWS STS", "Set the clock of node-1: timedatectl set-ntp true"},
		"the maker is ahead by 14 minutes":    {0, 14 * time.Minute, skew.None, "the clocks are right", ""},
		"the maker is ahead by 16 minutes":    {0, 16 * time.Minute, skew.Maker, "the clock of the machine that made the token is at least 16m0s ahead of that of AWS STS" + right, "Set the clock of the machine that made the token: timedatectl set-ntp true"},
		"the maker is behind by 2 hours":      {0, -2 * time.Hour, skew.Old, "the token was signed 2h0m0s ago, or the clock of the machine that made it is up to 2h0m0s behind that of AWS STS" + right, "Make a new token. If it is refused too, set the clock of the machine that makes it: timedatectl set-ntp true"},
		"both are ahead by an hour":           {time.Hour, time.Hour, skew.Machine, "the clock of node-1 is 1h0m0s ahead of that of AWS STS, and the clock of the machine that made the token is at least 1h0m0s ahead of it", "Set the clock of node-1, and that of the machine that made the token: timedatectl set-ntp true"},
		"both are behind by an hour":          {-time.Hour, -time.Hour, skew.Machine, "the clock of node-1 is 1h0m0s behind that of AWS STS; by the clock of AWS STS, the token was signed 1h0m0s ago", "Set the clock of node-1: timedatectl set-ntp true"},
		"the machine ahead, the maker behind": {time.Hour, -time.Hour, skew.Machine, "the clock of node-1 is 1h0m0s ahead of that of AWS STS; by the clock of AWS STS, the token was signed 1h0m0s ago", "Set the clock of node-1: timedatectl set-ntp true"},
	} {
		sts := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
		r := skew.New(skew.Config{Machine: "node-1"}).ReadAt(sts, sts.Add(test.maker), sts.Add(test.machine))
		sentence, command := r.Remedy()
		remedy := strings.TrimSpace(sentence + " " + command)
		if r.Fault() != test.fault || r.String() != test.text || remedy != test.remedy {
			t.Errorf("%s: fault %d\n%s\n%s\nwant %d\n%s\n%s", name, r.Fault(), r, remedy, test.fault, test.text, test.remedy)
		}
	}
}

// TestUnknown checks the readings without a comparison, also those of a nil meter.
func TestUnknown(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
	var none *skew.Meter
	none.Compare(t.Context(), "https://sts.amazonaws.com")
	if ahead, known := none.Ahead(); known {
		t.Errorf("a nil meter knows %s", ahead)
	}
	for signed, want := range map[time.Duration]string{
		-time.Hour: "it was signed 1h0m0s ago by the clock of this machine, which was not compared with that of AWS STS: either clock may be wrong",
		time.Hour:  "it was signed 1h0m0s in the future by the clock of this machine, which was not compared with that of AWS STS: either clock may be wrong",
		0:          "the clocks are right",
	} {
		if got := none.Read("https://sts.amazonaws.com", now.Add(signed), now).String(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// TestReadingOfAnyYear checks that a token cannot claim a time so far away that another
// clock is blamed.
func TestReadingOfAnyYear(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for year, want := range map[int]skew.Fault{1: skew.Old, 9999: skew.Maker} {
		signed := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, ahead := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
			if r := (*skew.Meter)(nil).ReadAt(now.Add(-ahead), signed, now); r.Fault() != want {
				t.Errorf("year %d, %s ahead: %s", year, ahead, r)
			}
		}
		if r := (*skew.Meter)(nil).Read(origin, signed, now); (r.AgeSeconds < 0) != (want == skew.Maker) || strings.Contains(r.String(), "ago") != (want == skew.Old) {
			t.Errorf("year %d: %s", year, r)
		}
	}
}
