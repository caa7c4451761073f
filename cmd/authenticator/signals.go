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

// catchHangups keeps SIGHUP from ever ending the program, and returns a channel of
// the SIGHUPs. One that arrives before the channel is read is kept.
func catchHangups() <-chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// ignoreBrokenPipes keeps the program running when nobody reads its log any more, as
// after a restart of journald. Go would end it with SIGPIPE.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// rereadOnHangup rereads the files of mappings at every SIGHUP, until ctx is done or
// stop is called.
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
		log.Info("SIGHUP: no source of mappings is a file, so nothing is reread")
		return
	}
	log.Info("SIGHUP: rereading the files of mappings", "sources", names)
}
