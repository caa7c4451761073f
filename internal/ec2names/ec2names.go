// Package ec2names finds the private DNS names of EC2 instances, which are the
// names of nodes in Kubernetes.
//
// A name belongs to one running instance at a time, and only as long as EC2
// confirms it. An instance that EC2 no longer reports as running loses its name
// within a minute. While EC2 does not answer, instances keep their names for up
// to ten minutes.
//
// Calls to EC2 are few. Lookups that arrive together share a call, and each call
// also renews the names that were confirmed longest ago, up to 100 instances in
// all. For example, a cluster of 1,000 nodes, each with a token review every two
// minutes, makes 8 lookups a second, which renew names older than 30 s. With 100
// names a call, 1,000 names need one call every 3 s, and hardly any lookup waits
// for it. Even one call per lookup would be only 8 a second: the limiter allows 15,
// and EC2 allows an account 20 in a region.
package ec2names

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
)

// The age of a name counts from the start of the call that confirmed it, since
// the instance may have stopped right after.
const (
	// refreshAfter is the age from which a lookup asks EC2 again, without
	// waiting. It leaves a slow call time to end before the name is stale.
	refreshAfter = 30 * time.Second
	// freshFor is the age up to which a lookup does not wait for EC2. While EC2
	// answers, a stopped instance keeps its name no longer than this.
	freshFor = 50 * time.Second
	// keepFor is the age up to which a name is valid while EC2 does not answer.
	keepFor = 10 * time.Minute
	// failingFor is how long after a failed call lookups with a valid name do not
	// wait for the next call.
	failingFor = 10 * time.Second
	// missFor is how long an instance without a name is cached. It is short, since
	// EC2 may report the instance at any moment.
	missFor = 10 * time.Second

	// maxNames bounds the cached names, and maxMisses the cached instances without
	// one. At the limit the oldest is evicted, and its next lookup calls EC2.
	maxNames, maxMisses = 4096, 4096
	// maxWaiting bounds the lookups that wait for EC2. At the limit a lookup fails at
	// once, unless it has a valid name.
	maxWaiting = 4096
)

// ErrNoName means that no running instance has the ID, or that it has no private
// DNS name.
var ErrNoName = errors.New("no running instance with a private DNS name")

var errTooManyWaiting = errors.New("too many lookups of instances are waiting for EC2")

// Config configures [New]. Client must be set.
type Config struct {
	// Client returns a client of EC2. It is called when a name is first needed: a
	// server without {{EC2PrivateDNSName}} in its mappings needs no AWS credentials.
	Client func(context.Context) (ec2.DescribeInstancesAPIClient, error)
	// QPS and Burst limit the calls. Zero means 15 and 5; a QPS of [rate.Inf] is no
	// limit.
	QPS   float64
	Burst int
	// Observe is called before every call of EC2. It may be nil.
	Observe func()
	// Log gets a line when EC2 starts to fail and when it answers again. Nil
	// discards them.
	Log *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Resolver finds private DNS names. It is safe for concurrent use.
type Resolver struct {
	config  Config
	limiter *rate.Limiter
	// misses caches the errors of instances without a name. It is separate from
	// names, because anyone with a role can cause misses, which must not evict names.
	misses *cache.LRUExpireCache

	mu    sync.Mutex
	names *names
	// open is the batch that lookups join. underway has the batch of each instance
	// that is being looked up.
	open     *batch
	underway map[string]*batch
	waiting  int
	// failed is when the last call failed. It is zero if that call succeeded.
	failed time.Time
}

// New returns a resolver.
func New(config Config) (*Resolver, error) {
	if config.Client == nil {
		return nil, errors.New("looking up instance names: Config.Client is required")
	}
	config.QPS = cmp.Or(config.QPS, 15)
	config.Burst = cmp.Or(config.Burst, 5)
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Observe == nil {
		config.Observe = func() {}
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Resolver{
		config:   config,
		limiter:  rate.NewLimiter(rate.Limit(config.QPS), config.Burst),
		names:    newNames(maxNames),
		misses:   cache.NewLRUExpireCacheWithClock(maxMisses, clock(config.Now)),
		underway: map[string]*batch{},
	}, nil
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

// PrivateDNSName returns the private DNS name of a running instance. The error is
// [ErrNoName] if EC2 reports none. Any other error means that the name is unknown:
// EC2 does not answer, or reports the name of another running instance.
func (r *Resolver) PrivateDNSName(ctx context.Context, id string) (string, error) {
	last, pending, err := r.lookUp(id)
	if pending == nil {
		return last.name, err
	}
	found, err := pending.wait(ctx, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
	if err == nil {
		return found.name, found.err
	}
	// The name may have gone to another instance in the meantime.
	if last, known := r.names.of(id); known && r.config.Now().Sub(last.asked) < keepFor {
		return last.name, nil
	}
	return "", err
}

// lookUp returns what is known about an instance, or the batch to wait for if that
// is not enough.
func (r *Resolver) lookUp(id string) (last holding, pending *batch, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config.Now()
	last, known := r.names.of(id)
	age := now.Sub(last.asked)
	if known && age < refreshAfter {
		return last, nil, nil
	}
	if miss, missed := r.misses.Get(id); missed && !known {
		return holding{}, nil, miss.(error)
	}
	isCrowded := r.waiting == maxWaiting
	isFailing := now.Sub(r.failed) < failingFor
	if known && (age < freshFor || age < keepFor && (isFailing || isCrowded)) {
		r.join(id)
		return last, nil, nil
	}
	if isCrowded {
		return holding{}, nil, errTooManyWaiting
	}
	r.waiting++
	return holding{}, r.join(id), nil
}
