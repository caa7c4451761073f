package gobuild

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An event of a recorded build: a task begins, or with a cost of 0 a step ends.
type event struct {
	at   time.Duration
	cost float64
}

func readRecord(t *testing.T, name string) []event {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var events []event
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), "#") {
			continue
		}
		at, what, _ := strings.Cut(scanner.Text(), " ")
		seconds, err := strconv.ParseFloat(at, 64)
		if err != nil {
			t.Fatal(err)
		}
		e := event{at: time.Duration(seconds * float64(time.Second))}
		if what != "end" {
			if e.cost, err = strconv.ParseFloat(what, 64); err != nil {
				t.Fatal(err)
			}
		}
		events = append(events, e)
	}
	return events
}

// From the first minute on, the forecast is right within 30 % or some seconds; before
// that it is not wildly wrong.
func TestForecast(t *testing.T) {
	t.Parallel()
	events := readRecord(t, "demo.log")
	end := events[len(events)-1].at
	f := forecast{slots: 2}
	for _, e := range events {
		f.total += e.cost
	}
	var step float64
	for now, next := time.Second, 0; now < end; now += time.Second {
		for ; events[next].at <= now; next++ {
			if cost := events[next].cost; cost > 0 {
				f.begin(cost, events[next].at)
				step += cost
			} else {
				f.endStep(step)
				step = 0
			}
		}
		left, ok := f.left(now)
		if early := now < earlyTime; ok == early {
			t.Errorf("after %s there is a forecast: %v", now, ok)
		}
		truth := end - now
		off := math.Abs(left.Seconds()-truth.Seconds()) / truth.Seconds()
		bound := 0.3
		if now < time.Minute {
			bound = 0.6
		}
		if ok && off > bound && (left-truth).Abs() > 25*time.Second {
			t.Errorf("after %s the forecast is %s, and it took %s: %.0f %% off", now, left, truth, 100*off)
		}
		if now%(30*time.Second) == 0 {
			t.Logf("after %s: forecast %s, truth %s, %+.0f %%", now, left.Round(time.Second), truth.Round(time.Second), 100*(left.Seconds()/truth.Seconds()-1))
		}
	}
}

// A package that began a moment ago is not compiled, whatever it costs.
func TestForecastCountsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	f := forecast{slots: 2, total: 400}
	f.begin(100, 0)
	f.begin(100, 0)
	f.begin(200, 19*time.Second)
	if left, ok := f.left(20 * time.Second); !ok || left < 15*time.Second || left > 20*time.Second {
		t.Errorf("left = %s, %v, want somewhat less than 20 s: half was done in 19 s", left, ok)
	}
}

func TestForecastOfWhatIsDone(t *testing.T) {
	t.Parallel()
	f := forecast{slots: 2, total: 100}
	f.begin(100, 0)
	f.endStep(100)
	if left, ok := f.left(time.Minute); !ok || left != 0 {
		t.Errorf("left = %s, %v, want 0", left, ok)
	}
}

func TestAbout(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                 "a few seconds",
		9 * time.Second:   "a few seconds",
		14 * time.Second:  "about 10 s",
		54 * time.Second:  "about 50 s",
		55 * time.Second:  "about 1 min",
		80 * time.Second:  "about 1 min 30 s",
		170 * time.Second: "about 3 min",
		269 * time.Second: "about 4 min",
	} {
		if got := about(d); got != want {
			t.Errorf("about(%s) = %q, want %q", d, got, want)
		}
	}
}
