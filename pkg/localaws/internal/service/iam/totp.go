package iam

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"time"
)

// stepLength is how long a one-time code is valid.
const stepLength = 30 * time.Second

// maxDrift bounds the drift of a device's clock in steps: a day.
const maxDrift = int64(24 * time.Hour / stepLength)

// totp returns the one-time code of six digits of a time step (RFC 6238).
func totp(seed []byte, step int64) string {
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash never fails
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

// stepAt returns the time step by the local clock.
func stepAt(now time.Time) int64 { return now.Unix() / int64(stepLength/time.Second) }

func (d *mfaDevice) made(code string, step int64) bool {
	return hmac.Equal([]byte(totp(d.Seed, step)), []byte(code))
}

// accepts reports whether a code is the device's of now, one step ago or one step
// ahead, to allow for drift. A code works once.
func (d *mfaDevice) accepts(code string, now time.Time) bool {
	step := stepAt(now) + d.Drift
	for _, candidate := range []int64{step - 1, step, step + 1} {
		if candidate > d.LastStep && d.made(code, candidate) {
			d.LastStep = candidate
			return true
		}
	}
	return false
}

// synchronise finds the drift of the device's clock from two consecutive codes, and
// stores it. It takes the nearest match.
func (d *mfaDevice) synchronise(first, second string, now time.Time) bool {
	step := stepAt(now)
	for off := range maxDrift + 1 {
		for _, candidate := range []int64{step - off, step + off} {
			if !d.made(second, candidate) || !d.made(first, candidate-1) {
				continue
			}
			d.LastStep, d.Drift = candidate, 0
			if off > 1 { // accepts allows one step either way
				d.Drift = candidate - step
			}
			return true
		}
	}
	return false
}
