package assembly

import (
	"context"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
)

// readsFile reports whether a source cannot be made without a file that the settings name.
func (s Sources) readsFile(name string) bool {
	switch name {
	case settings.BackendEKSConfigMap, settings.BackendCRD:
		return s.Mapping.Kubeconfig != ""
	default:
		return name == settings.SourceAWSAuthFile
	}
}

// retryPeriod is how often a source whose file is missing is tried again.
const retryPeriod = 10 * time.Second

// create returns the function that puts a source in the place of what represents it, once
// it can be made.
func (s Sources) create(missing *source.Missing) func(context.Context, *cluster.Cluster) {
	s = s.copied()
	s.General.Item = nil // no such source is made of its nodes, which take many times the memory of the text
	return func(ctx context.Context, c *cluster.Cluster) {
		retry := time.NewTicker(retryPeriod)
		defer retry.Stop()
		for logged := ""; ; {
			made, err := s.New(ctx, missing.Name())
			if err == nil {
				c.Replace(missing, made)
				return
			}
			if ctx.Err() != nil {
				return // which is no fault of the file
			}
			missing.Fail(err)
			if now := err.Error(); now != logged {
				logged = now
				s.Log.Error("a file of the cluster cannot be used: the cluster is not ready until it can", "source", missing.Name(), "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-retry.C:
			case <-missing.Again():
			}
			if !slices.Contains(c.Sources(), source.Source(missing)) {
				return // the backend mode has another source by now
			}
		}
	}
}
