package kube

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
)

// The time to the next attempt to save, which doubles from one to the other.
const (
	minSaveDelay = time.Second
	maxSaveDelay = 5 * time.Minute
	saveTimeout  = 10 * time.Second
)

// A LastGoodWriter saves the last good content of aws-auth in the background, so that
// saving never delays the mappings.
type LastGoodWriter struct {
	configMaps dynamic.ResourceInterface
	log        *slog.Logger
	changed    chan struct{}

	mu      sync.Mutex
	pending *LastGood
}

// NewLastGoodWriter returns a writer. [LastGoodWriter.Run] saves.
func NewLastGoodWriter(configMaps dynamic.ResourceInterface, log *slog.Logger) *LastGoodWriter {
	return &LastGoodWriter{configMaps: configMaps, log: log, changed: make(chan struct{}, 1)}
}

// Save saves content soon. Of several that wait, only the last is saved; a section
// without a text keeps the text of the others, and otherwise the one that is saved.
func (w *LastGoodWriter) Save(content LastGood) {
	w.mu.Lock()
	if w.pending != nil {
		content = content.over(*w.pending)
	}
	w.pending = &content
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Run saves until ctx is done. It tries again for as long as saving fails: the
// ConfigMap, or the right to update it, may be created later.
func (w *LastGoodWriter) Run(ctx context.Context) {
	var retry <-chan time.Time
	delay, failure := minSaveDelay, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
			delay = minSaveDelay
		case <-retry:
		}
		err := w.save(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			retry, failure = nil, ""
			continue
		case errors.Is(err, errTooLarge):
			retry = nil // until the next edit
		default:
			retry = time.After(delay)
			delay = min(2*delay, maxSaveDelay)
		}
		if err.Error() != failure {
			failure = err.Error()
			w.log.Warn("saving the last good content of aws-auth failed: after a restart, a section that does not parse would map nobody", "error", err)
		}
	}
}

func (w *LastGoodWriter) save(ctx context.Context) error {
	w.mu.Lock()
	content := w.pending
	w.mu.Unlock()
	if content == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	wrote, err := putLastGood(ctx, w.configMaps, *content)
	if err != nil {
		return err
	}
	if wrote {
		w.log.Info("saved the last good content of aws-auth", "resourceVersion", content.ResourceVersion)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending == content { // otherwise there is a later edit
		w.pending = nil
	}
	return nil
}
