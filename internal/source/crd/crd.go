// Package crd is the source that follows the IAMIdentityMappings of a Kubernetes API
// server, the custom resource of aws-iam-authenticator. It says in each object's status
// whether it is in force, and why not.
package crd

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Config is the configuration of [New]. REST must be set.
type Config struct {
	// REST is the address of the API server and the credentials for it.
	REST *rest.Config
	// Options are the options for reading an object. Options.Source is the name of this
	// source. The ARN of an assumed role matches the role, as in aws-iam-authenticator.
	Options awsauth.Options
	// ReservedPrefixes are the prefixes of usernames that are denied later. Objects with
	// such a username are not in force.
	ReservedPrefixes []string
	// OnFailure is called for every list and watch that fails, since the table in
	// force is then outdated. Nil means never.
	OnFailure func()
	// OnEdit is called for every change of the mappings, with the groups that it takes
	// away, see [lockout.Losses]. Nil means never.
	OnEdit func(lost []string)
	// Log gets the problems of the objects. Nil discards them.
	Log *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// CRD follows the IAMIdentityMappings.
type CRD struct {
	source.InForce
	config   Config
	objects  dynamic.ResourceInterface
	store    *store
	statuses *statusWriter
	events   *kube.EventWriter

	// relistAfter is the shortest time between two lists beyond the limits.
	relistAfter time.Duration

	// judged is the last judgement of all mappings.
	judged verdicts
	// revision is that of the mappings that were judged.
	revision int
}

// settled is the time until changed statuses are compared: our own writes change many,
// one by one.
const settled = time.Second

// New returns a source that follows the objects. It does not call the API server, which
// may not be running yet: a kube-apiserver needs its webhook when it starts.
func New(config Config) (*CRD, error) {
	if config.REST == nil {
		return nil, errors.New("following the IAMIdentityMappings: the REST configuration is missing")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.OnFailure == nil {
		config.OnFailure = func() {}
	}
	if config.OnEdit == nil {
		config.OnEdit = func([]string) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Options.AssumedRoles = awsauth.AssumedRolesAsRole
	client, err := kube.NewClient(config.REST)
	if err != nil {
		return nil, err
	}
	objects := kube.IdentityMappings(client)
	return &CRD{
		config: config, objects: objects, store: newStore(defaultLimits(), config.Options),
		statuses: newStatusWriter(objects, config.Log, config.Now), events: kube.NewEventWriter(client, config.Log), relistAfter: 30 * time.Second,
	}, nil
}

// Name returns the name of the source in rules.
func (c *CRD) Name() string { return c.config.Options.Source }

// Run follows the objects until ctx is done. client-go relists, backs off and closes the
// gaps of a watch.
func (c *CRD) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { c.statuses.Run(ctx) })
	running.Go(func() { c.events.Run(ctx) })
	running.Go(func() { c.update(ctx) })
	for ctx.Err() == nil {
		c.follow(ctx)
	}
	running.Wait()
}

// follow lists and watches the objects until ctx is done or another list is necessary.
func (c *CRD) follow(ctx context.Context) {
	listing, stop := context.WithCancel(ctx)
	defer stop()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer stop()
		if sleep(listing, c.relistAfter) {
			select {
			case <-listing.Done():
			case <-c.store.relist:
			}
		}
	})
	follower := kube.Follower{Objects: c.objects, Observe: c.observe, Log: c.config.Log}
	cache.NewReflectorWithOptions(follower.ListWatch(), nil, c.store, cache.ReflectorOptions{Name: kube.IdentityMappingsCRD}).RunWithContext(listing)
	stop()
	waiting.Wait()
}

// update puts a new table in force after each change, and compares the statuses.
func (c *CRD) update(ctx context.Context) {
	limit := rate.NewLimiter(20, 5) // many objects change at once
	rewrite := time.NewTicker(rewriteAfter)
	defer rewrite.Stop()
	var settling <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.store.changed:
			if limit.Wait(ctx) != nil {
				return
			}
			contents := c.store.contents()
			c.use(contents)
			c.compare(contents)
		case <-c.store.touched:
			if settling == nil {
				settling = time.After(settled)
			}
		case <-settling:
			settling = nil
			c.compare(c.store.contents())
		case <-rewrite.C:
			c.compare(c.store.contents())
		}
	}
}

// use puts the mappings in force. Without a list, nothing was read.
func (c *CRD) use(read contents) {
	snapshot := source.Snapshot{}
	c.revision = read.revision
	if read.listed {
		before := c.judged
		c.judged = judgeAll(read, c.config.Options.RolePaths, c.config.ReservedPrefixes)
		c.report(len(read.objects), before.problems)
		if before.table != nil {
			c.reportLosses(read, before.table)
		}
		snapshot = source.Snapshot{Table: c.judged.table, Problems: c.judged.problems}
	}
	if read.failure != (failure{}) {
		snapshot.Problems = append([]mapper.Problem{read.failure.problem(source.Unreadable)}, snapshot.Problems...)
	}
	c.Swap(snapshot)
}

// report logs the problems that were not there before.
func (c *CRD) report(objects int, before []mapper.Problem) {
	c.config.Log.Info("read the IAMIdentityMappings", "objects", objects, "mappings", c.judged.table.Len(), "problems", len(c.judged.problems))
	for _, problem := range c.judged.problems {
		if !slices.Contains(before, problem) {
			problem.Log(c.config.Log, "problem in an IAMIdentityMapping")
		}
	}
}

// reportLosses reports what a change takes away, in an Event about the first object that
// gave it.
func (c *CRD) reportLosses(read contents, before *mapper.Table) {
	losses := lockout.Losses(before, c.judged.table, "the source CRD", "if that was not intended, apply the object again")
	for _, loss := range losses {
		loss.Problem.Log(c.config.Log, "a change of the IAMIdentityMappings takes away what the cluster needs")
		about := &metav1.ObjectMeta{Name: nameOf(mapper.Rule{Section: loss.Problem.Section})}
		if i := slices.IndexFunc(read.objects, func(o *object) bool { return o.Name == about.Name }); i >= 0 {
			about.UID = read.objects[i].UID
		}
		c.events.WarnOfMapping(about, string(loss.Problem.Code), loss.Problem.String())
	}
	c.config.OnEdit(lockout.Groups(losses))
}

// compare writes the statuses that differ from the judgement.
func (c *CRD) compare(read contents) {
	if read.revision != c.revision { // there are mappings that are not judged yet
		return
	}
	wanted := map[string]pending{}
	want := func(o *object, s status) {
		// A later version of the object with the same mapping has the same judgement.
		s.inForce.observedGeneration = o.Generation
		if o.status != s {
			wanted[o.Name] = pending{o.UID, s}
		}
	}
	for _, o := range read.objects {
		if s, ok := c.judged.statuses[o.Name]; ok {
			want(o, s)
		}
	}
	for _, o := range read.left {
		want(o, tooManyStatus(o))
	}
	c.statuses.Write(wanted)
}

var _ source.Source = (*CRD)(nil)
