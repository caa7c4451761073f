package configmap

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// The time to the next reading of the last good content, which doubles from one to the
// other.
const (
	retryDelay    = 5 * time.Second
	maxRetryDelay = time.Minute
)

// missing is what is known of the sections whose last good content could not be read. A
// section that parses, or goes, is no longer among them, whatever becomes of it later.
type missing struct {
	sections []string
	// came has an element when sections are set.
	came chan struct{}
	// object and data are the ConfigMap as it was read last.
	object *unstructured.Unstructured
	data   map[string]string
}

func (m *missing) set(sections []string) {
	m.sections = slices.Clone(sections)
	if len(sections) == 0 {
		return
	}
	select {
	case m.came <- struct{}{}:
	default:
	}
}

// read brings missing up to a reading.
func (m *missing) read(object *unstructured.Unstructured, data map[string]string, result *awsauth.Result) {
	m.object, m.data = object, data
	broken := result.Broken()
	m.sections = slices.DeleteFunc(m.sections, func(name string) bool { return result.Kept(name) || !slices.Contains(broken, name) })
}

// retryRestoring reads the last good content again while sections miss it.
func (c *ConfigMap) retryRestoring(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.missing.came:
		}
		for delay := c.retryDelay; c.misses(); delay = min(2*delay, maxRetryDelay) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay):
			}
			saved, err := c.savedNow(ctx)
			if err == nil {
				c.putRestored(saved)
			}
		}
	}
}

func (c *ConfigMap) misses() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.missing.sections) > 0
}

// savedNow reads the last good content once.
func (c *ConfigMap) savedNow(ctx context.Context) (kube.LastGood, error) {
	ctx, cancel := context.WithTimeout(ctx, c.restoreTimeout)
	defer cancel()
	return kube.GetLastGood(ctx, kube.ConfigMaps(c.client))
}

// putRestored puts the last good content of the sections that miss it in force.
func (c *ConfigMap) putRestored(saved kube.LastGood) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.missing.sections) == 0 {
		return
	}
	restored, err := c.restored(saved, c.missing.sections)
	if err != nil {
		return // a warning has named it; a server may overwrite it
	}
	c.missing.set(nil)
	if len(restored.Good()) == 0 {
		return
	}
	before := c.last
	c.put(c.missing.object, c.missing.data, before, awsauth.Parse(c.missing.data, before.With(restored), c.config.Options))
}
