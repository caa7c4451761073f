// Program envoy is not Envoy: it stands in for it where kind runs Envoy in front
// of several control planes and its image is not available. It does what kind's
// configuration asks of Envoy and no more: it listens, gives each connection to
// the next of the API servers that say they are well, and follows the two files
// that kind replaces when the cluster's nodes are known.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	log.SetOutput(os.Stdout)
	path := flag.String("c", "", "bootstrap configuration of Envoy, as kind writes it")
	flag.Parse()
	if *path == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *path)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "envoy (stand-in):", err)
		os.Exit(1)
	}
}

// interval is how often the files are read and the API servers asked.
const interval = time.Second

func run(ctx context.Context, path string) error {
	files, err := readBootstrap(path)
	if err != nil {
		return err
	}
	b := newBalancer()
	defer b.close()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for last := ""; ; {
		// What cannot be read changes nothing: the file may be half written.
		if err := b.configure(files); err != nil && err.Error() != last {
			last = err.Error()
			log.Print(err)
		} else if err == nil {
			last = ""
		}
		b.check(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
