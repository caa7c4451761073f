package localaws

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"time"
)

// stepLength is how long a one-time code is good for.
const stepLength = 30 * time.Second

// maxDrift is by how many steps a device's clock can be off: by a day.
const maxDrift = int64(24 * time.Hour / stepLength)

// totp is the one-time code of six digits of a time step (RFC 6238).
func totp(seed []byte, step int64) string {
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, step) // to a hash, which never fails
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

// stepAt is the time step by our clock.
func stepAt(now time.Time) int64 { return now.Unix() / int64(stepLength/time.Second) }

func (d *mfaDevice) made(code string, step int64) bool {
	return hmac.Equal([]byte(totp(d.Seed, step)), []byte(code))
}

// accepts reports whether a code is the device's now, or was one step ago, or
// will be one step on: clocks differ. A code is good once.
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

// synchronise finds by two codes, made one after the other, how far the device's
// clock is off, and reckons with that from then on. The nearest fit is taken.
func (d *mfaDevice) synchronise(first, second string, now time.Time) bool {
	step := stepAt(now)
	for off := range maxDrift + 1 {
		for _, candidate := range []int64{step - off, step + off} {
			if !d.made(second, candidate) || !d.made(first, candidate-1) {
				continue
			}
			d.LastStep, d.Drift = candidate, 0
			if off > 1 { // a step either way is always allowed for
				d.Drift = candidate - step
			}
			return true
		}
	}
	return false
}
