package configmap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// The first reading waits at most restoreTimeout for the last good content, and only if
// a section does not parse. It asks again after restoreDelay.
const (
	restoreTimeout = 5 * time.Second
	restoreDelay   = 250 * time.Millisecond
)

// kept is what is known about the sections that do not parse, by name.
type kept struct {
	// since is since when they have not parsed.
	since source.Broken
	// restored has those with content of an earlier process.
	restored map[string]bool
}

// restore records that a section has content of an earlier process.
func (k *kept) restore(name string, since time.Time) {
	if k.since == nil {
		k.since = source.Broken{}
	}
	if k.restored == nil {
		k.restored = map[string]bool{}
	}
	k.since[name], k.restored[name] = since, true
}

// update brings kept up to a reading, and says in its problems where restored content
// comes from.
func (k *kept) update(result *awsauth.Result, now time.Time) {
	since, restored := k.since.Next(result.Broken(), now.UTC().Truncate(time.Second)), map[string]bool{}
	for name := range since {
		restored[name] = k.restored[name] && result.Kept(name)
	}
	k.since, k.restored = since, restored
	for i, problem := range result.Problems {
		if restored[problem.Section] && problem.Effect == awsauth.EffectKept {
			result.Problems[i].Effect = fmt.Sprintf("it has its content from before %s, which ConfigMap %s kept, until it is fixed",
				since[problem.Section].Format(time.RFC3339), kube.AWSAuthLastGood)
		}
	}
}

// restore returns the last good content that a server saved of this aws-auth before
// this process started; nil if there is none. It must never keep the server from
// reading the rest: what cannot be read now is read again in the background.
func (c *ConfigMap) restore(ctx context.Context, broken []string) *awsauth.Result {
	saved, err := c.saved(ctx)
	if err == nil {
		var result *awsauth.Result
		if result, err = c.restored(saved, broken); err == nil {
			return result
		}
	}
	c.config.Log.Warn("the last good content of aws-auth cannot be used: sections that do not parse map nobody until they are fixed, or until it can be used",
		"sections", broken, "error", err)
	c.missing.set(broken)
	return nil
}

// restored returns what is saved of sections that do not parse.
func (c *ConfigMap) restored(saved kube.LastGood, broken []string) (*awsauth.Result, error) {
	data := saved.TextsOf(c.uid, broken)
	result := awsauth.Parse(data, nil, c.config.Options)
	if invalid := result.Broken(); len(invalid) > 0 {
		return nil, fmt.Errorf("reading ConfigMap kube-system/%s: %v do not parse", kube.AWSAuthLastGood, invalid)
	}
	for name := range data {
		c.kept.restore(name, saved.Sections[name].KeptSince)
	}
	if len(data) > 0 {
		c.config.Log.Warn("sections of aws-auth do not parse: they have their last good content from ConfigMap "+kube.AWSAuthLastGood,
			"sections", slices.Sorted(maps.Keys(data)), "resourceVersion", saved.ResourceVersion)
	}
	return result, nil
}

// saved reads the last good content. It asks again while the API server does not
// answer, but not for long.
func (c *ConfigMap) saved(ctx context.Context) (kube.LastGood, error) {
	ctx, cancel := context.WithTimeout(ctx, c.restoreTimeout)
	defer cancel()
	for {
		saved, err := kube.GetLastGood(ctx, kube.ConfigMaps(c.client))
		if err == nil || errors.Is(err, kube.ErrUnusable) {
			return saved, err
		}
		select {
		case <-ctx.Done():
			return kube.LastGood{}, err
		case <-time.After(restoreDelay):
		}
	}
}

// save saves the sections that parse. The others keep what is saved of them.
func (c *ConfigMap) save(data map[string]string) {
	content := kube.LastGood{UID: c.uid, ResourceVersion: c.version, Sections: map[string]kube.LastGoodSection{}}
	for _, name := range c.last.Good() {
		content.Sections[name] = kube.LastGoodSection{Text: data[name]}
	}
	for name, since := range c.kept.since {
		content.Sections[name] = kube.LastGoodSection{KeptSince: since}
	}
	c.saver.Save(content)
}
