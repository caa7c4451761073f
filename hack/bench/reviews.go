package main

import (
	"sync/atomic"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

// goodReviews returns TokenReviews with tokens of mapped users, each new.
func (b *bench) goodReviews(users int) func() []byte {
	return b.reviewsOf(func(n int) string { return sts.Key(n % users) }, sts.Region, 0)
}

// reviewsOf returns TokenReviews, each with a new token of the nth key.
func (b *bench) reviewsOf(key func(n int) string, region string, length int) func() []byte {
	var n atomic.Int64
	return func() []byte {
		return review.Body(b.reviews.Token(key(int(n.Add(1)-1)), sts.Host(region), region, length))
	}
}

// again repeats TokenReviews, in turn.
func again(bodies [][]byte) func() []byte {
	var n atomic.Int64
	return func() []byte { return bodies[int(n.Add(1)-1)%len(bodies)] }
}
