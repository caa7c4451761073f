package limit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	own  = "eu-west-2"
	dead = "eu-west-3"
)

func host(region string) string { return "sts." + region + ".amazonaws.com" }

// request returns a token of an access key for a region, of at least so many bytes.
func request(t testing.TB, region string, key, bytes int) token.Request {
	t.Helper()
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	bearer := token.Encode("https://" + host(region) + "/?Action=GetCallerIdentity&Version=2011-06-15" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + fmt.Sprintf("AKIA%016d", key) + "%2F20261123%2F" + region + "%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id" +
		"&X-Amz-Security-Token=x" + strings.Repeat("x", bytes) + "&X-Amz-Signature=" + strings.Repeat("5f0e3bd1", 8))
	r, err := token.Parse(bearer, hosts, time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sts is the verifier that is limited. It returns what answer returns, which may take
// time.
type sts struct {
	t      *testing.T
	answer func(ctx context.Context, req token.Request) error

	mu            sync.Mutex
	asked         int
	running, most map[string]int // by host; "" is all
}

func newSTS(t *testing.T, answer func(context.Context, token.Request) error) *sts {
	return &sts{t: t, answer: answer, running: map[string]int{}, most: map[string]int{}}
}

func (s *sts) Verify(ctx context.Context, _ string, req token.Request) (identity.Identity, error) {
	s.count(req.Host(), 1)
	defer s.count(req.Host(), -1)
	return identity.Identity{}, s.answer(ctx, req)
}

func (s *sts) count(host string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += max(n, 0)
	for _, of := range []string{host, ""} {
		s.running[of] += n
		s.most[of] = max(s.most[of], s.running[of])
	}
}

// now returns the requests under way to a host, or to all for "".
func (s *sts) now(host string) int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[host]
}

var errTimeout = errors.New("no answer")

func unanswered() error { return &verify.UnreachableError{Err: errTimeout} }

// unanswering fails after a time-out, as verify.STS does.
func unanswering(ctx context.Context) error {
	select {
	case <-time.After(4 * time.Second):
		return unanswered()
	case <-ctx.Done():
		return &verify.UnreachableError{Err: ctx.Err()}
	}
}

// until returns an answer once a channel is closed.
func until(release <-chan struct{}) func(context.Context, token.Request) error {
	return func(context.Context, token.Request) error { <-release; return nil }
}

// ask verifies a request in the background.
func ask(t *testing.T, l *limit.Limiter, req token.Request) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := l.Verify(t.Context(), "kubedemy", req)
		result <- err
	}()
	return result
}

// askAll verifies n requests in the background and waits until all of them block or
// have ended. It returns the results that came at once.
func askAll(t *testing.T, l *limit.Limiter, region string, first, n, bytes int) (early []error) {
	t.Helper()
	results := make([]<-chan error, n)
	for i := range n {
		results[i] = ask(t, l, request(t, region, first+i, bytes))
	}
	synctest.Wait()
	for _, result := range results {
		select {
		case err := <-result:
			early = append(early, err)
		default:
		}
	}
	return early
}

// signIn verifies a token and reports its sign-in.
func signIn(t *testing.T, l *limit.Limiter, region string, key int) {
	t.Helper()
	req := request(t, region, key, 0)
	if _, err := l.Verify(t.Context(), "kubedemy", req); err != nil {
		t.Fatalf("%s, key %d: %v", region, key, err)
	}
	l.SignedIn("kubedemy", req)
}

// flood sends junk, each token with its own key, until stopped.
func flood(t *testing.T, l *limit.Limiter, region string, everySecond int) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(everySecond))
		defer tick.Stop()
		for n := 1_000_000; ; n++ {
			select {
			case <-tick.C:
				all.Go(func() { _, _ = l.Verify(t.Context(), "kubedemy", request(t, region, n, 0)) })
			case <-done:
				return
			}
		}
	})
	return func() { close(done); all.Wait() }
}

// TestDeadHostDelaysNobody floods a host that does not answer, on a new server without
// named hosts, and on one where the other host is proven.
func TestDeadHostDelaysNobody(t *testing.T) {
	for _, proven := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newSTS(t, func(ctx context.Context, req token.Request) error {
				if req.Host() == host(dead) {
					return unanswering(ctx)
				}
				return nil
			})
			l := limit.New(s)
			if proven {
				signIn(t, l, own, 0)
			}
			stop := flood(t, l, dead, 300)
			time.Sleep(2 * time.Second)
			for n := range 100 {
				started := time.Now()
				if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, n, 0)); err != nil || time.Since(started) > 0 {
					t.Fatalf("good token %d: %v after %s", n, err, time.Since(started))
				}
				time.Sleep(100 * time.Millisecond)
			}
			stop()
		})
	}
}

// TestDeadHostsDelayNobodyForLong floods several hosts that do not answer, so that
// they take all of the shared pool, with too few keys to open a circuit. The first
// good token of a server without named hosts still gets its turn, and proves its
// host.
func TestDeadHostsDelayNobodyForLong(t *testing.T) {
	for _, hosts := range []int{2, 10, 60} {
		synctest.Test(t, func(t *testing.T) {
			l := limit.New(newSTS(t, func(ctx context.Context, req token.Request) error {
				if req.Host() != host(own) {
					return unanswering(ctx)
				}
				return nil
			}))
			stop := make(chan struct{})
			var junk sync.WaitGroup
			junk.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					case <-time.After(time.Second / 300):
						junk.Go(func() {
							_, _ = l.Verify(t.Context(), "kubedemy", request(t, fmt.Sprintf("eu-dead-%d", n%hosts), n/hosts%2, 0))
						})
					}
				}
			})
			time.Sleep(10 * time.Second)
			for n := range 20 {
				started := time.Now()
				signIn(t, l, own, n)
				if took := time.Since(started); n > 0 && took > 0 {
					t.Errorf("%d dead hosts, good token %d gets in after %s", hosts, n, took)
				}
				time.Sleep(100 * time.Millisecond)
			}
			close(stop)
			junk.Wait()
		})
	}
}

// TestKnownKeysGetIn floods the good host with junk that STS is too slow to refuse.
func TestKnownKeysGetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(newSTS(t, func(ctx context.Context, req token.Request) error {
			if strings.HasPrefix(req.AccessKeyID(), "AKIA000000000000") {
				time.Sleep(20 * time.Millisecond)
				return nil
			}
			return unanswering(ctx)
		}))
		const keys = 50
		for key := range keys {
			signIn(t, l, own, key)
		}
		var junk sync.WaitGroup
		stop := make(chan struct{})
		junk.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Second / 300):
					junk.Go(func() {
						_, _ = l.Verify(t.Context(), "kubedemy", request(t, own, 1e15+n, 0))
					})
				}
			}
		})
		time.Sleep(time.Second)
		const tokens = 1000
		var all sync.WaitGroup
		for n := range tokens {
			all.Go(func() {
				started := time.Now()
				if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, n%keys, 0)); err != nil || time.Since(started) > time.Second {
					t.Errorf("token %d: %v after %s", n, err, time.Since(started))
				}
			})
			time.Sleep(20 * time.Millisecond)
		}
		all.Wait()
		close(stop)
		junk.Wait()
	})
}

// TestFullQueue checks that requests are refused only if the queue is full, and at once.
func TestFullQueue(t *testing.T) {
	for name, test := range map[string]struct {
		named         []string
		bytes         int
		inside, waits int
		// of another host that is not named
		elseInside, elseWait int
	}{
		"a named host":                             {named: []string{host(own)}, inside: 48, waits: 128, elseInside: 8, elseWait: 128},
		"a host without its own pool":              {inside: 8, waits: 128, elseInside: 8, elseWait: 128},
		"long tokens":                              {named: []string{host(own)}, bytes: 11_500, inside: 48, waits: 44, elseInside: 8, elseWait: 44},
		"long tokens, a host without its own pool": {bytes: 11_500, inside: 8, waits: 44, elseInside: 8, elseWait: 44},
	} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := newSTS(t, until(release))
			l := limit.New(s, test.named...)
			early := askAll(t, l, own, 0, 500, test.bytes)
			if refused := 500 - test.inside - test.waits; len(early) != refused || s.now(host(own)) != test.inside {
				t.Errorf("%s: %d inside and %d refused, want %d and %d", name, s.now(host(own)), len(early), test.inside, refused)
			}
			for _, err := range early {
				if !errors.Is(err, limit.ErrSaturated) || !strings.Contains(err.Error(), host(own)) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			early = askAll(t, l, dead, 0, 500, test.bytes)
			if refused := 500 - test.elseInside - test.elseWait; len(early) != refused || s.now(host(dead)) != test.elseInside {
				t.Errorf("%s: %d inside and %d refused at another host, want %d and %d", name, s.now(host(dead)), len(early), test.elseInside, refused)
			}
			close(release)
		})
	}
}

// TestSharedPoolIsShared checks that all hosts that are not proven share the slots, the
// queue, and the memory of the queue.
func TestSharedPoolIsShared(t *testing.T) {
	for _, test := range []struct{ bytes, waiting int }{{0, 256}, {11_500, 88}} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := newSTS(t, until(release))
			l := limit.New(s)
			for n := range 10 {
				askAll(t, l, fmt.Sprintf("eu-west-%d", 10+n), 0, 100, test.bytes)
			}
			waiting, fewest := 0, test.waiting
			for _, host := range l.Status() {
				waiting, fewest = waiting+host.Waiting, min(fewest, host.Waiting)
			}
			if s.now("") != 16 || waiting != test.waiting {
				t.Errorf("%d inside, %d waiting, want 16 and %d", s.now(""), waiting, test.waiting)
			}
			if fewest < test.waiting/10-1 {
				t.Errorf("one of ten hosts has %d of %d places", fewest, waiting)
			}
			close(release)
		})
	}
}

// TestTurn checks that waiting requests get in one after another, and that those that
// do not within 5 s are saturated, not unreachable.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := newSTS(t, until(release))
		l := limit.New(s, host(own))
		askAll(t, l, own, 0, 48, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		if _, err := l.Verify(ctx, "kubedemy", request(t, own, 50, 0)); !errors.Is(err, limit.ErrSaturated) || time.Since(started) != time.Second {
			t.Errorf("the error of a caller who hangs up is %v after %s", err, time.Since(started))
		}
		started = time.Now()
		if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 51, 0)); !errors.Is(err, limit.ErrSaturated) || time.Since(started) != 5*time.Second {
			t.Errorf("the error without a turn is %v after %s", err, time.Since(started))
		}
		patient := ask(t, l, request(t, own, 52, 0))
		time.Sleep(4 * time.Second)
		close(release)
		if err := <-patient; err != nil {
			t.Errorf("the error after 4 s is %v", err)
		}
		synctest.Wait()
		if status := l.Status(); len(status) != 1 || status[0].Running != 0 || status[0].Waiting != 0 {
			t.Errorf("afterwards %+v", status)
		}
		if early := askAll(t, l, own, 0, 48, 0); len(early) != 48 {
			t.Errorf("afterwards %d of 48 get in", len(early))
		}
	})
}

// TestReservedSlots checks that reserved slots are for keys that signed in, an eighth
// for each.
func TestReservedSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var release chan struct{}
		s := newSTS(t, func(context.Context, token.Request) error {
			if release != nil {
				<-release
			}
			return nil
		})
		l := limit.New(s)
		for key := range 9 {
			signIn(t, l, own, key)
		}
		release = make(chan struct{})
		askAll(t, l, own, 1000, 500, 0) // with unknown keys
		if got := s.now(host(own)); got != 48 {
			t.Fatalf("%d unknown keys are inside, want 48", got)
		}
		for range 100 { // someone who knows a key's ID
			ask(t, l, request(t, own, 0, 0))
		}
		if got := s.now(host(own)); got != 50 {
			t.Errorf("one key has %d reserved slots, want 2", got-48)
		}
		for key := range 9 {
			ask(t, l, request(t, own, key, 0))
			ask(t, l, request(t, own, key, 0))
		}
		if got := s.now(host(own)); got != limit.MaxPerHost {
			t.Errorf("%d requests are under way at one host, want %d", got, limit.MaxPerHost)
		}
		// A known key that has to wait for a reserved slot gets one.
		last := ask(t, l, request(t, own, 8, 0))
		synctest.Wait()
		close(release)
		if err := <-last; err != nil {
			t.Error(err)
		}
	})
}

// TestKeysAreForgotten checks that a key is known for an hour, and only for its cluster
// and host.
func TestKeysAreForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		after   time.Duration
		cluster string
		key     int
		getsIn  bool
	}{
		"known":           {59 * time.Minute, "kubedemy", 1, true},
		"after an hour":   {61 * time.Minute, "kubedemy", 1, false},
		"another cluster": {0, "production", 1, false},
		"another key":     {0, "kubedemy", 2, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var release chan struct{}
			s := newSTS(t, func(context.Context, token.Request) error {
				if release != nil {
					<-release
				}
				return nil
			})
			l := limit.New(s, host(own))
			signIn(t, l, own, 1)
			time.Sleep(test.after)
			release = make(chan struct{})
			askAll(t, l, own, 1000, 500, 0)
			go func() { _, _ = l.Verify(t.Context(), test.cluster, request(t, own, test.key, 0)) }()
			if got := s.now(host(own)) == 49; got != test.getsIn {
				t.Errorf("%s: it gets in: %v, want %v", name, got, test.getsIn)
			}
			close(release)
		})
	}
}

// knows reports whether a key gets a reserved slot while junk fills all others. Call it
// only once for a limiter.
func knows(t *testing.T, l *limit.Limiter, s *sts, keys ...int) (known []bool) {
	t.Helper()
	release := make(chan struct{})
	defer close(release)
	s.answer = until(release)
	askAll(t, l, own, 1_000_000, 500, 0)
	for _, key := range keys {
		before := s.now(host(own))
		ask(t, l, request(t, own, key, 0))
		known = append(known, s.now(host(own)) > before)
	}
	return known
}

// TestOutsidersStayUnknown checks that tokens that STS accepts, but that are not mapped,
// evict no known key.
func TestOutsidersStayUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSTS(t, func(context.Context, token.Request) error { return nil })
		l := limit.New(s)
		signIn(t, l, own, 0)
		for n := range 5000 {
			if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1+n, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if got := knows(t, l, s, 0, 5000); !slices.Equal(got, []bool{true, false}) {
			t.Errorf("the key that signed in and an outsider's are known: %v, want true and false", got)
		}
	})
}

// TestKnownKeysAreBounded checks that one key beyond the limit evicts the key that was
// used longest ago.
func TestKnownKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSTS(t, func(context.Context, token.Request) error { return nil })
		l := limit.New(s)
		const most = 16_384
		for key := range most {
			signIn(t, l, own, key)
		}
		signIn(t, l, own, 0) // used again
		signIn(t, l, own, most)
		if got := knows(t, l, s, 0, 1, 2, most); !slices.Equal(got, []bool{true, false, true, true}) {
			t.Errorf("keys 0, 1, 2 and %d are known: %v, want all but 1", most, got)
		}
	})
}

// TestPanic checks that a panic, which net/http recovers from, returns the slot.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(newSTS(t, func(context.Context, token.Request) error { panic("a bug") }))
		for n := range 100 {
			func() {
				defer func() { _ = recover() }()
				_, err := l.Verify(t.Context(), "kubedemy", request(t, own, n, 0))
				t.Errorf("%d: %v", n, err)
			}()
		}
	})
}

func BenchmarkLimiter(b *testing.B) {
	l := limit.New(verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) {
		return identity.Identity{}, nil
	}))
	req := request(b, own, 1, 0)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Verify(context.Background(), "kubedemy", req); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// TestNothingIsLeft sends tokens of all kinds to hosts of all kinds. Many callers hang
// up. Afterwards every slot and every place must be free.
func TestNothingIsLeft(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var release chan struct{}
			s := newSTS(t, func(ctx context.Context, req token.Request) error {
				if release != nil {
					<-release
					return nil
				}
				switch n := len(req.URL()) % 5; {
				case strings.Contains(req.Host(), "dead"):
					return unanswering(ctx)
				case n == 0:
					return unanswered()
				case n == 1:
					time.Sleep(5 * time.Second)
					return &verify.RefusedError{Status: 403}
				default:
					return nil
				}
			})
			l := limit.New(s, host(own))
			var all sync.WaitGroup
			for range 2_000 {
				region := []string{own, "eu-live-1", "eu-live-2", "eu-dead-1", fmt.Sprintf("eu-dead-%d", random.IntN(100))}[random.IntN(5)]
				req := request(t, region, random.IntN(50), random.IntN(100)*random.IntN(100))
				patience := time.Duration(random.IntN(8_000)) * time.Millisecond
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					_, _ = l.Verify(ctx, "kubedemy", req)
				})
				time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
			}
			all.Wait()
			for _, h := range l.Status() {
				if h.Running != 0 || h.Waiting != 0 {
					t.Errorf("%+v", h)
				}
			}
			// The circuits close, and an hour later no key is known any more.
			for range 100 {
				_, _ = l.Verify(t.Context(), "kubedemy", request(t, own, 1, 2))
				time.Sleep(time.Minute)
			}
			time.Sleep(2 * time.Hour)
			release = make(chan struct{})
			askAll(t, l, own, 1000, 500, 0)
			askAll(t, l, "eu-new-1", 1000, 500, 0)
			askAll(t, l, "eu-new-2", 1000, 500, 0)
			inside := map[string]int{host(own): 48, host("eu-new-1"): 8, host("eu-new-2"): 8}
			for _, h := range l.Status() {
				if want := inside[h.Host]; want > 0 && (h.Running != want || h.Waiting != 128) {
					t.Errorf("%s: %d inside and %d waiting, want %d and 128", h.Host, h.Running, h.Waiting, want)
				}
			}
			close(release)
		})
	}
}
