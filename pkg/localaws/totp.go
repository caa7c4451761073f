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

// totp is the one-time code of six digits of a time step (RFC 6238).
func totp(seed []byte, step int64) string {
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, step) // to a hash, which never fails
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

// accepts reports whether a code is the device's now, or was one step ago, or
// will be one step on: clocks differ. A code is good once.
func (d *mfaDevice) accepts(code string, now time.Time) bool {
	step := now.Unix() / int64(stepLength/time.Second)
	for _, candidate := range []int64{step - 1, step, step + 1} {
		if candidate > d.LastStep && hmac.Equal([]byte(totp(d.Seed, candidate)), []byte(code)) {
			d.LastStep = candidate
			return true
		}
	}
	return false
}
