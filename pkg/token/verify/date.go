package verify

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dates parses the Date headers of answers. It remembers the last one, because all answers
// of a second have the same, and parsing takes a hundredth of the time of a new token.
type dates struct{ last atomic.Pointer[date] }

type date struct {
	text string
	time time.Time
}

// parse returns the time of a Date header; zero if it is not valid.
func (d *dates) parse(text string) time.Time {
	if last := d.last.Load(); last != nil && last.text == text {
		return last.time
	}
	parsed, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	d.last.Store(&date{text, parsed})
	return parsed
}
