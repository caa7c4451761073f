package iam

import (
	"testing"
	"time"
)

// The seed of the SHA-1 test vectors of RFC 6238.
const rfcSeed = "12345678901234567890"

// TestTOTP checks the vectors of RFC 6238, appendix B: the last six of their eight
// digits.
func TestTOTP(t *testing.T) {
	for seconds, want := range map[int64]string{
		59:          "287082",
		1111111109:  "081804",
		1111111111:  "050471",
		1234567890:  "005924",
		2000000000:  "279037",
		20000000000: "353130",
	} {
		if got := totp([]byte(rfcSeed), stepAt(time.Unix(seconds, 0))); got != want {
			t.Errorf("at %d s: %s, want %s", seconds, got, want)
		}
	}
}

func TestCodesAreGoodOnceAndForAWhile(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	codeAt := func(steps int64) string { return totp([]byte(rfcSeed), stepAt(now)+steps) }
	for _, test := range []struct {
		name  string
		codes []string
		want  []bool
	}{
		{"now", []string{codeAt(0)}, []bool{true}},
		{"a step ago", []string{codeAt(-1)}, []bool{true}},
		{"a step on", []string{codeAt(1)}, []bool{true}},
		{"two steps ago", []string{codeAt(-2)}, []bool{false}},
		{"two steps on", []string{codeAt(2)}, []bool{false}},
		{"twice", []string{codeAt(0), codeAt(0)}, []bool{true, false}},
		{"an older one after it", []string{codeAt(0), codeAt(-1)}, []bool{true, false}},
		{"a newer one after it", []string{codeAt(0), codeAt(1)}, []bool{true, true}},
		{"none", []string{""}, []bool{false}},
		{"too long", []string{codeAt(0) + "0"}, []bool{false}},
	} {
		device := mfaDevice{Seed: []byte(rfcSeed)}
		for i, code := range test.codes {
			if got := device.accepts(code, now); got != test.want[i] {
				t.Errorf("%s: code %d is accepted: %t", test.name, i+1, got)
			}
		}
	}
}

func TestSynchronise(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	codeAt := func(steps int64) string { return totp([]byte(rfcSeed), stepAt(now)+steps) }
	for _, test := range []struct {
		name          string
		first, second string
		good          bool
		drift         int64
	}{
		{"the last two", codeAt(-1), codeAt(0), true, 0},
		{"this one and the next", codeAt(0), codeAt(1), true, 0},
		{"an hour behind", codeAt(-121), codeAt(-120), true, -120},
		{"an hour ahead", codeAt(119), codeAt(120), true, 120},
		{"a day ahead", codeAt(maxDrift - 1), codeAt(maxDrift), true, maxDrift},
		{"more than a day ahead", codeAt(maxDrift), codeAt(maxDrift + 1), false, 0},
		{"the wrong way round", codeAt(0), codeAt(-1), false, 0},
		{"the same twice", codeAt(0), codeAt(0), false, 0},
		{"a gap between them", codeAt(-2), codeAt(0), false, 0},
		{"none", "", "", false, 0},
	} {
		device := mfaDevice{Seed: []byte(rfcSeed)}
		if good := device.synchronise(test.first, test.second, now); good != test.good || device.Drift != test.drift {
			t.Errorf("%s: %t, drift %d; want %t, %d", test.name, good, device.Drift, test.good, test.drift)
		}
		if !test.good {
			continue
		}
		if device.accepts(test.second, now) {
			t.Errorf("%s: the second code is accepted again", test.name)
		}
		later := now.Add(2 * stepLength)
		if !device.accepts(totp(device.Seed, stepAt(later)+test.drift), later) {
			t.Errorf("%s: the code a minute later is rejected", test.name)
		}
	}
}
