// Package ec2names finds the private DNS names of EC2 instances, which are the
// names of nodes in Kubernetes.
//
// A name belongs to one running instance at a time, and only for as long as EC2
// confirms it. An instance that EC2 no longer answers as running loses its name
// within a minute. While EC2 does not answer, instances keep their names for up
// to ten minutes.
//
// Calls to EC2 are few. Lookups that arrive together share one, and a call that
// is made anyway asks again for the names that were confirmed longest ago, 100
// instances in all. In a cluster of 1,000 nodes whose tokens are reviewed every
// two minutes, 8 lookups a second find the names that are older than 30 s and
// renew them: 1,000 names, 100 a call, once in 30 s each, make one call in 3 s,
// and hardly any lookup waits for it. Even a call for each lookup would make 8 a
// second, of the 15 that the limiter allows and the 20 that EC2 grants an account
// in a region.
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

// The age of a name counts from when the call that confirmed it was made, for
// the instance may have stopped right after.
const (
	// refreshAfter is the age from which a lookup asks EC2 again, without
	// waiting. It leaves a slow call time to end before the name is stale.
	refreshAfter = 30 * time.Second
	// freshFor is the age up to which a name needs no answer. It is what an
	// instance keeps its name for after it has stopped, while EC2 answers.
	freshFor = 50 * time.Second
	// keepFor is the age up to which a name stands while EC2 does not answer.
	keepFor = 10 * time.Minute
	// failingFor is how long after a failed call lookups do not wait for the
	// next, if they have a name that stands.
	failingFor = 10 * time.Second
	// missFor is how long an instance has no name without EC2 being asked again.
	// It is short, since EC2 may learn of the instance at any moment.
	missFor = 10 * time.Second

	// maxNames bounds the names that are remembered, and maxMisses the instances
	// without one. Beyond it the oldest is forgotten, and EC2 is asked again.
	maxNames, maxMisses = 4096, 4096
	// maxWaiting bounds the lookups that wait for EC2. Beyond it a lookup fails at
	// once, unless it has a name that stands.
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
	// Observe is called before every call. Nil means nothing is.
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
	// misses has the errors of instances without a name. It is apart from names,
	// since anyone with a role can cause misses, and they must not push names out.
	misses *cache.LRUExpireCache

	mu    sync.Mutex
	names *names
	// open is the batch that lookups join; underway has the batch of every
	// instance that EC2 is being asked for.
	open     *batch
	underway map[string]*batch
	waiting  int
	// failed is when the last call failed. It is zero if that call succeeded.
	failed time.Time
}

// New returns a resolver.
func New(config Config) (*Resolver, error) {
	if config.Client == nil {
		return nil, errors.New("looking up instance names: no EC2 client is given")
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
// [ErrNoName] if EC2 answers that there is none. Any other error means that the
// name is unknown: EC2 does not answer, or answers the name of another running
// instance.
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

// lookUp returns what is known of an instance, or the batch to wait for if that
// does not suffice.
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
