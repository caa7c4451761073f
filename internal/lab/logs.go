package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrNoLog means that the lab has no log of that name.
var ErrNoLog = errors.New("no such log")

// Logs returns the paths of the logs in a lab's directory, by the names of the parts
// that write them.
func Logs(dir string) (map[string]string, error) {
	logs := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since
		}
		if err != nil {
			return err
		}
		switch name, isLog := strings.CutSuffix(entry.Name(), ".log"); {
		case !entry.Type().IsRegular():
		case isLog:
			logs[name] = path
		case path == filepath.Join(dir, authenticatorLogFile):
			logs[authenticatorDir] = path
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("finding the lab's logs: %w", err)
	}
	return logs, nil
}

// PrintLog copies the log of a part to w. With follow it goes on until ctx is done. An
// unknown part is [ErrNoLog] with the names of those that there are.
func PrintLog(ctx context.Context, dir, part string, follow bool, w io.Writer) error {
	logs, err := Logs(dir)
	if err != nil {
		return err
	}
	path, ok := logs[part]
	if len(logs) == 0 {
		return fmt.Errorf("%w in %s (lab up starts one)", ErrNotRunning, dir)
	}
	if !ok {
		return fmt.Errorf("%w: %q (the lab in %s has: %s)", ErrNoLog, part, dir, strings.Join(slices.Sorted(maps.Keys(logs)), ", "))
	}
	log, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading a log: %w", err)
	}
	defer log.Close()
	if _, err := io.Copy(w, log); err != nil || !follow {
		return wrapLog(err)
	}
	tick := time.NewTicker(followPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if _, err := io.Copy(w, log); err != nil {
				return wrapLog(err)
			}
		}
	}
}

// followPeriod is how often a log is read that is followed.
const followPeriod = 200 * time.Millisecond

func wrapLog(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("printing a log: %w", err)
}

// Why returns the arguments of the authenticator's command why for this lab.
func (i Info) Why(args []string) []string {
	flags := []string{"why", "--state-dir", filepath.Join(i.Dir, authenticatorDir)}
	if i.Provider == Kind {
		flags = []string{"why", "--state-dir", nodeStateDir, "--kubeconfig", i.Kubeconfig}
	}
	return append(flags, args...)
}
