package ec2names

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const (
	// maxBatch bounds the instances of one call. EC2 accepts 200 values of a filter.
	maxBatch = 100
	// window is how long a lookup waits for others to join it.
	window = 20 * time.Millisecond
	// timeout bounds a batch, including the wait for the limiter and the SDK's
	// retries.
	timeout = 8 * time.Second
)

// A batch is a set of instances that one call of DescribeInstances asks for.
type batch struct {
	ids  []string
	full chan struct{}
	done chan struct{}
	// answers and err are set when done is closed.
	answers map[string]answer
	err     error
}

// An answer is the name of an instance, or why it has none.
type answer struct {
	name string
	err  error
}

// An instance is EC2's answer for a running instance. It is zero for any other.
type instance struct {
	name     string
	launched time.Time
}

// wait returns the answer for an instance of the batch, or an error if there is
// none.
func (b *batch) wait(ctx context.Context, id string) (answer, error) {
	select {
	case <-b.done:
		return b.answers[id], b.err
	case <-ctx.Done():
		return answer{}, fmt.Errorf("waiting for EC2: %w", context.Cause(ctx))
	}
}

// join returns the batch that asks for an instance. If there is none, it adds the
// instance to the open one.
func (r *Resolver) join(id string) *batch {
	if b, ok := r.underway[id]; ok {
		return b
	}
	if r.open == nil {
		r.open = &batch{full: make(chan struct{}), done: make(chan struct{})}
		go r.run(r.open)
	}
	b := r.open
	r.add(b, id)
	if len(b.ids) == maxBatch {
		r.open = nil
		close(b.full)
	}
	return b
}

func (r *Resolver) add(b *batch, id string) {
	b.ids = append(b.ids, id)
	r.underway[id] = b
}

// run waits for others to join, calls EC2 and settles the names. It has its own
// context, so that a caller who hangs up does not fail the others.
func (r *Resolver) run(b *batch) {
	joining := time.NewTimer(window)
	defer joining.Stop()
	select {
	case <-joining.C:
	case <-b.full:
	}
	asked := r.seal(b)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	found, err := r.ask(ctx, b.ids)
	r.report(err, r.finish(b, found, asked, err))
}

// seal closes the batch to lookups and fills it with the names that are due for a
// refresh. It returns the time, which is before the call.
func (r *Resolver) seal(b *batch) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == b {
		r.open = nil
	}
	now := r.config.Now()
	for id := range r.names.askedBefore(now.Add(-refreshAfter)) {
		if len(b.ids) == maxBatch {
			break
		}
		if r.underway[id] == nil {
			r.add(b, id)
		}
	}
	return now
}

// ask returns EC2's answers for the instances. If EC2 reports a name that another
// instance holds, ask asks for that instance too: a name changes hands only when
// its holder no longer runs.
func (r *Resolver) ask(ctx context.Context, ids []string) (map[string]instance, error) {
	found, err := r.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	if holders := r.otherHolders(found); len(holders) > 0 {
		others, err := r.describe(ctx, holders)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, others)
	}
	return found, nil
}

// otherHolders returns the instances that hold a name which EC2 reports for
// another instance, except those that EC2 was asked for.
func (r *Resolver) otherHolders(found map[string]instance) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := map[string]struct{}{}
	for _, instance := range found {
		holder, isHeld := r.names.holder(instance.name)
		if _, asked := found[holder]; isHeld && !asked {
			others[holder] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(others))
}

// finish passes EC2's answers, or the error, to the lookups that wait. It reports
// whether the previous call failed.
func (r *Resolver) finish(b *batch, found map[string]instance, asked time.Time, err error) (wasFailing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wasFailing = !r.failed.IsZero()
	if b.err = err; err != nil {
		r.failed = r.config.Now()
	} else {
		r.failed = time.Time{}
		b.answers = r.settle(found, asked)
	}
	for _, id := range b.ids {
		delete(r.underway, id)
	}
	close(b.done)
	return wasFailing
}

// settle returns the name of each instance that EC2 was asked for, or the reason
// why it has none.
func (r *Resolver) settle(found map[string]instance, asked time.Time) map[string]answer {
	// Release old names first: another instance may have one now.
	for id, instance := range found {
		if last, ok := r.names.of(id); ok && last.name != instance.name {
			r.names.drop(id)
		}
	}
	answers := make(map[string]answer, len(found))
	for _, id := range byLaunch(found) {
		name, err := r.claim(id, found[id].name, asked)
		if err != nil {
			r.misses.Add(id, err, missFor)
		}
		answers[id] = answer{name, err}
	}
	return answers
}

// claim gives a name to an instance unless another holds it. Two nodes with one
// name could act as each other, so the first keeps it as long as it runs.
func (r *Resolver) claim(id, name string, asked time.Time) (string, error) {
	if name == "" {
		return "", ErrNoName
	}
	if holder, ok := r.names.holder(name); ok && holder != id {
		return "", fmt.Errorf("instances %s and %s both run with the private DNS name %q, and %[1]s had it first "+
			"(terminate one; the nodes of a cluster need addresses that do not overlap)", holder, id, name)
	}
	r.names.hold(holding{id, name, asked})
	return name, nil
}

// report logs when EC2 starts to fail and when it answers again.
func (r *Resolver) report(err error, wasFailing bool) {
	switch {
	case err != nil && !wasFailing:
		r.config.Log.Warn("EC2 does not answer for the names of instances: each keeps its name for up to "+keepFor.String()+" after EC2 last confirmed it", "error", err)
	case err == nil && wasFailing:
		r.config.Log.Info("EC2 answers for the names of instances again")
	}
}

// describe returns EC2's answer for each of the instances. It uses a filter: with
// InstanceIds, one ID that EC2 does not know would fail the whole batch.
func (r *Resolver) describe(ctx context.Context, ids []string) (map[string]instance, error) {
	client, err := r.config.Client(ctx)
	if err != nil {
		return nil, fmt.Errorf("creating an EC2 client: %w", err)
	}
	found := make(map[string]instance, len(ids))
	for _, id := range ids {
		found[id] = instance{}
	}
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("instance-id"), Values: ids},
		{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}},
	}})
	for pages.HasMorePages() {
		if err := r.limiter.Wait(ctx); err != nil {
			return nil, fmt.Errorf("waiting for the limit of calls to EC2: %w", err)
		}
		r.config.Observe()
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("calling EC2: %w", err)
		}
		for _, reservation := range page.Reservations {
			for _, i := range reservation.Instances {
				if runs(i.State) {
					found[aws.ToString(i.InstanceId)] = instance{aws.ToString(i.PrivateDnsName), aws.ToTime(i.LaunchTime)}
				}
			}
		}
	}
	return found, nil
}

// runs reports whether an instance runs or is about to. One that stops or shuts
// down does not: it loses its name before EC2 can give it to another.
func runs(state *types.InstanceState) bool {
	return state != nil && (state.Name == types.InstanceStateNamePending || state.Name == types.InstanceStateNameRunning)
}

// byLaunch returns the instances sorted by launch time.
func byLaunch(found map[string]instance) []string {
	return slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(found[a].launched.Compare(found[b].launched), cmp.Compare(a, b))
	})
}
