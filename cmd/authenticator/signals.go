package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/kube-iam/authenticator/internal/source"
)

// catchHangups keeps SIGHUP from ending the program, for good, and returns those
// that it gets. One that comes before anybody listens is kept.
func catchHangups() <-chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// rereadOnHangup has the files of mappings read again at every SIGHUP, until ctx
// is done or stop is called.
func rereadOnHangup(ctx context.Context, hangups <-chan os.Signal, sources []source.Source, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				reread(sources, log)
			}
		}
	})
	return func() { cancel(); listening.Wait() }
}

func reread(sources []source.Source, log *slog.Logger) {
	var names []string
	for _, s := range sources {
		if s, ok := s.(source.Rereader); ok {
			s.Reread()
			names = append(names, s.Name())
		}
	}
	if len(names) == 0 {
		log.Info("SIGHUP: no source of mappings is a file, so there is none to read again")
		return
	}
	log.Info("SIGHUP: reading the files of mappings again", "sources", names)
}
