package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// patience is how long people wait before they wonder what is happening.
const patience = 2 * time.Second

// Waiting prints a line on w if a wait takes longer than two seconds. The caller
// calls done at the end of the wait; nothing is printed after that.
func Waiting(w io.Writer, line string) (done func()) {
	var mu sync.Mutex
	over := false
	timer := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			fmt.Fprintln(w, line)
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}
