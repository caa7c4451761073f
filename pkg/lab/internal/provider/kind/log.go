package kind

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/log"
)

// logger copies kind's messages to the lab's progress.
type logger struct {
	progress func(format string, args ...any)
}

var _ log.Logger = logger{}

func (l logger) Warn(message string) {
	// kind warns of variables that the lab itself has set.
	if !strings.Contains(message, "KIND_EXPERIMENTAL_DOCKER_NETWORK") && !strings.Contains(message, "Here be dragons") {
		l.Info("warning: " + message)
	}
}

func (l logger) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l logger) Error(message string)              { l.Info(message) }
func (l logger) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }

func (l logger) Info(message string) {
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line != "" {
			l.progress("kind: %s", line)
		}
	}
}

func (l logger) Infof(format string, args ...any) { l.Info(fmt.Sprintf(format, args...)) }
func (l logger) Enabled() bool                    { return true }

// V returns the log of a verbosity level. Levels above 0 are discarded.
func (l logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return l
}
