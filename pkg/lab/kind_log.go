package lab

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/log"
)

// kindLog copies kind's messages to the lab's progress.
type kindLog struct {
	progress func(format string, args ...any)
}

var _ log.Logger = kindLog{}

func (l kindLog) Warn(message string) {
	// kind warns of variables that the lab itself has set.
	if !strings.Contains(message, "KIND_EXPERIMENTAL_DOCKER_NETWORK") && !strings.Contains(message, "Here be dragons") {
		l.Info("warning: " + message)
	}
}

func (l kindLog) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l kindLog) Error(message string)              { l.Info(message) }
func (l kindLog) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }

func (l kindLog) Info(message string) {
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line != "" {
			l.progress("kind: %s", line)
		}
	}
}

func (l kindLog) Infof(format string, args ...any) { l.Info(fmt.Sprintf(format, args...)) }
func (l kindLog) Enabled() bool                    { return true }

// V returns the log of a verbosity level. Levels above 0 are discarded.
func (l kindLog) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return l
}
