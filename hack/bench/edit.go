package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/apiserver"
	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/stats"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	// editsARound is how many edits one server gets in one round, one every editEvery.
	editsARound = 200
	editEvery   = 50 * time.Millisecond
	// editTimeout bounds the time until an edit is in force.
	editTimeout = 10 * time.Second
)

// edit measures the time from the watch event of an edit of aws-auth to the first
// answer that follows it.
func (b *bench) edit() ([]line, error) {
	var lines []line
	for _, users := range []int{100, 1000} {
		took := map[string]*editRounds{ours: {}, peer: {}}
		for round := range b.rounds {
			for _, name := range []string{ours, peer} {
				edits, reviews, err := b.editRound(name, users)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				b.say("edit of %d users, round %d of %d, %s: p50 %.2f ms, p99 %.2f ms; a review p50 %.2f ms, p99 %.2f ms",
					users, round+1, b.rounds, name, edits.P50(), edits.P99(), reviews.P50(), reviews.P99())
				took[name].add(edits)
			}
		}
		lines = append(lines, line{measure: fmt.Sprintf("edit of %d users: in force, p50 and p99", users), ours: took[ours].cell(), peer: took[peer].cell()}.
			withValues(took[ours].p99, atMost(20, " ms")))
	}
	return lines, nil
}

// editRounds holds how long edits took to be in force, one value per round.
type editRounds struct{ p50, p99 []float64 }

func (r *editRounds) add(edits *load.Result) {
	r.p50, r.p99 = append(r.p50, edits.P50()), append(r.p99, edits.P99())
}

func (r *editRounds) cell() string {
	return fmt.Sprintf("%.1f, %.1f ms", stats.Median(r.p50), stats.Median(r.p99))
}

// editRound sends edits to a new server. Edits has the times until they were in force,
// reviews the round trips of the TokenReviews between them, which are the precision.
func (b *bench) editRound(name string, users int) (edits, reviews *load.Result, err error) {
	standin, err := apiserver.New(awsAuth(users, 0))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, standin.Close()) }()
	server, err := b.serveFollowing(name, standin.Kubeconfig())
	if err != nil {
		return nil, nil, err
	}
	defer server.Stop()
	body := review.Body(b.reviews.Token(sts.Key(0), sts.Host(sts.Region), sts.Region, 0))
	if err := b.awaitEdit(server.Client, body, 0); err != nil { // the server has read aws-auth
		return nil, nil, err
	}
	edits, reviews = &load.Result{}, &load.Result{}
	for n := 1; n <= editsARound; n++ {
		data := awsAuth(users, n)
		written, err := b.sendEdit(standin, data)
		if err != nil {
			return nil, nil, err
		}
		if err := b.awaitEdit(server.Client, body, n); err != nil {
			return nil, nil, err
		}
		edits.Latencies = append(edits.Latencies, time.Since(written))
		reviews.Merge(server.Closed(b.ctx, 1, editEvery-time.Since(written), again([][]byte{body})))
	}
	return edits, reviews, nil
}

func (b *bench) sendEdit(standin *apiserver.Standin, data map[string]string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(b.ctx, editTimeout)
	defer cancel()
	return standin.Edit(ctx, data)
}

// awaitEdit sends TokenReviews back to back until the answer has the username of the
// nth edit.
func (b *bench) awaitEdit(client *load.Client, body []byte, n int) error {
	ctx, cancel := context.WithTimeoutCause(b.ctx, editTimeout, fmt.Errorf("edit %d is not in force after %s", n, editTimeout))
	defer cancel()
	for client.Username(ctx, body) != edited(n) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// awsAuth returns an aws-auth after n edits of the username of user 0.
func awsAuth(users, n int) map[string]string {
	return map[string]string{"mapUsers": mapUsers(users, func(user int) string {
		if user == 0 {
			return edited(n)
		}
		return fmt.Sprintf("u%d", user)
	})}
}

func edited(n int) string { return fmt.Sprintf("edited-%d", n) }
