package main

import (
	"context"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
)

const (
	// floodUsers sign in during a flood, each with its own key.
	floodUsers = 50
	// goodRate and junkRate are TokenReviews per second.
	goodRate = 50
	junkRate = 300
	// floodLasts is how long good tokens are sent; a flood begins floodLeads before.
	floodLasts = 8 * time.Second
	floodLeads = 2 * time.Second
)

// flood sends junk in the background, and returns after floodLeads. Stop ends the
// flood and returns its result.
func (b *bench) flood(server *program.Server, junk func() []byte) (stop func() *load.Result) {
	ctx, cancel := context.WithCancel(b.ctx)
	sent := make(chan *load.Result, 1)
	go func() { sent <- server.Open(ctx, junkRate, time.Hour, load.Timeout, junk) }()
	select {
	case <-time.After(floodLeads):
	case <-ctx.Done():
	}
	return func() *load.Result { cancel(); return <-sent }
}
