package server

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// CatchHangups keeps SIGHUP from ever ending the program, and returns a channel of
// the SIGHUPs. One that arrives before the channel is read is kept.
func CatchHangups() <-chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// ignoreBrokenPipes keeps the program running when nobody reads its log any more, as
// after a restart of journald. Go would end it with SIGPIPE.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// A rereader is a file that is followed.
type rereader interface {
	Name() string
	// Reread makes it read its file again soon.
	Reread()
}

// rereadOnHangup rereads files at every SIGHUP, until ctx is done or stop is called.
func rereadOnHangup(ctx context.Context, hangups <-chan os.Signal, files func() []rereader, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				reread(files(), log)
			}
		}
	})
	return func() { cancel(); listening.Wait() }
}

func reread(files []rereader, log *slog.Logger) {
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	log.Info("SIGHUP: rereading files", "files", names) // before what they log
	for _, f := range files {
		f.Reread()
	}
}
