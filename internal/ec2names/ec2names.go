// Package ec2names finds the private DNS names of EC2 instances, by which nodes
// are called in Kubernetes.
//
// Lookups are coalesced and sent in batches, so that a cluster whose nodes all
// start at once makes a few calls; names are remembered for a while, and that an
// instance is not there only briefly, for EC2 may know it in a moment.
package ec2names

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
)

// ErrNoName means that there is no running instance of the ID, or that it has
// no private DNS name.
var ErrNoName = errors.New("no running instance with a private DNS name")

// maxBatch is how many instances one call asks for: EC2 takes 200 values of a filter.
const maxBatch = 100

// Config of [New]. Client must be set.
type Config struct {
	// Client of EC2, made when it is first needed: a server whose mappings have
	// no {{EC2PrivateDNSName}} needs no AWS credentials.
	Client func(context.Context) (ec2.DescribeInstancesAPIClient, error)
	// TTL of a name. Zero means 10 min: an instance keeps its name for life.
	TTL time.Duration
	// MissTTL is how long it is remembered that there is none. Zero means 10 s.
	MissTTL time.Duration
	// Size is how many names, and how many misses, are remembered. Zero means 4096.
	Size int
	// Window is how long a lookup waits for others to join it. Zero means 20 ms.
	Window time.Duration
	// Timeout of one call. Zero means 8 s.
	Timeout time.Duration
	// QPS and Burst limit the calls. Zero means 15 and 5.
	QPS   float64
	Burst int
	// Observe is told of every call. Nil means nobody.
	Observe func()
	// Now is the clock of the caches. Nil means time.Now.
	Now func() time.Time
}

// Resolver finds private DNS names. It is safe for concurrent use.
type Resolver struct {
	config  Config
	limiter *rate.Limiter
	// Two caches, so that misses, which anyone with a role can cause, do not
	// push names out.
	names, misses *cache.LRUExpireCache

	mu sync.Mutex
	// open is the batch that lookups join; underway are all that are not answered.
	open     *batch
	underway map[string]*batch
}

// A batch is one call of DescribeInstances and those who wait for it.
type batch struct {
	ids  []string
	full chan struct{}
	done chan struct{}
	// names and err are set when done is closed.
	names map[string]string
	err   error
}

// New makes a resolver.
func New(config Config) (*Resolver, error) {
	if config.Client == nil {
		return nil, errors.New("looking up instance names: no EC2 client is given")
	}
	config.TTL = cmp.Or(config.TTL, 10*time.Minute)
	config.MissTTL = cmp.Or(config.MissTTL, 10*time.Second)
	config.Size = cmp.Or(config.Size, 4096)
	config.Window = cmp.Or(config.Window, 20*time.Millisecond)
	config.Timeout = cmp.Or(config.Timeout, 8*time.Second)
	config.QPS = cmp.Or(config.QPS, 15)
	config.Burst = cmp.Or(config.Burst, 5)
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Observe == nil {
		config.Observe = func() {}
	}
	return &Resolver{
		config:   config,
		limiter:  rate.NewLimiter(rate.Limit(config.QPS), config.Burst),
		names:    cache.NewLRUExpireCacheWithClock(config.Size, clock(config.Now)),
		misses:   cache.NewLRUExpireCacheWithClock(config.Size, clock(config.Now)),
		underway: map[string]*batch{},
	}, nil
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

// PrivateDNSName is the private DNS name of a running instance. The error is
// [ErrNoName] if there is none, and any other if it cannot be told.
func (r *Resolver) PrivateDNSName(ctx context.Context, id string) (string, error) {
	if name, ok := r.names.Get(id); ok {
		return name.(string), nil
	}
	if _, missed := r.misses.Get(id); missed {
		return "", ErrNoName
	}
	b := r.join(id)
	select {
	case <-b.done:
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for EC2: %w", context.Cause(ctx))
	}
	if b.err != nil {
		return "", b.err
	}
	name, ok := b.names[id]
	if !ok {
		return "", ErrNoName
	}
	return name, nil
}

// join makes a lookup part of the batch that asks for it.
func (r *Resolver) join(id string) *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.underway[id]; ok {
		return b
	}
	if r.open == nil {
		r.open = &batch{full: make(chan struct{}), done: make(chan struct{})}
		go r.run(r.open)
	}
	b := r.open
	b.ids = append(b.ids, id)
	r.underway[id] = b
	if len(b.ids) == maxBatch {
		r.open = nil
		close(b.full)
	}
	return b
}

// run waits for others to join, asks EC2 and lets all who wait know. It runs on
// a context of its own: a caller who hangs up fails nobody else.
func (r *Resolver) run(b *batch) {
	window := time.NewTimer(r.config.Window)
	defer window.Stop()
	select {
	case <-window.C:
	case <-b.full:
	}
	r.mu.Lock()
	if r.open == b {
		r.open = nil
	}
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), r.config.Timeout)
	defer cancel()
	b.names, b.err = r.describe(ctx, b.ids)
	if b.err == nil {
		r.remember(b)
	}
	r.mu.Lock()
	for _, id := range b.ids {
		delete(r.underway, id)
	}
	r.mu.Unlock()
	close(b.done)
}

func (r *Resolver) remember(b *batch) {
	for _, id := range b.ids {
		if name, ok := b.names[id]; ok {
			r.names.Add(id, name, r.config.TTL)
		} else {
			r.misses.Add(id, struct{}{}, r.config.MissTTL)
		}
	}
}

// describe asks EC2 by a filter: by InstanceIds, one ID that EC2 does not know
// would fail the whole batch.
func (r *Resolver) describe(ctx context.Context, ids []string) (map[string]string, error) {
	client, err := r.config.Client(ctx)
	if err != nil {
		return nil, fmt.Errorf("making an EC2 client: %w", err)
	}
	names := map[string]string{}
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("instance-id"), Values: ids},
		{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}},
	}})
	for pages.HasMorePages() {
		if err := r.limiter.Wait(ctx); err != nil {
			return nil, fmt.Errorf("waiting for a turn to ask EC2: %w", err)
		}
		r.config.Observe()
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("asking EC2: %w", err)
		}
		for _, reservation := range page.Reservations {
			for _, instance := range reservation.Instances {
				if name := aws.ToString(instance.PrivateDnsName); name != "" && isAlive(instance.State) {
					names[aws.ToString(instance.InstanceId)] = name
				}
			}
		}
	}
	return names, nil
}

func isAlive(state *types.InstanceState) bool {
	return state != nil && (state.Name == types.InstanceStateNamePending || state.Name == types.InstanceStateNameRunning)
}
