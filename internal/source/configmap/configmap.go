// Package configmap is the source that follows the ConfigMap kube-system/aws-auth of a
// Kubernetes API server. It reports problems where an operator looks for them: as
// Events on the ConfigMap.
package configmap

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Config is the configuration of [New]. REST must be set.
type Config struct {
	// REST is the address of the API server and the credentials for it.
	REST *rest.Config
	// Options are the options for reading the ConfigMap. Options.Source is the name of
	// this source.
	Options awsauth.Options
	// OnFailure is called for every list and watch that fails, since the table in
	// force is then outdated. Nil means never.
	OnFailure func()
	// OnEdit is called for every edit, with the groups that it takes away, see
	// [Losses]. Nil means never.
	OnEdit func(lost []string)
	// Log gets the problems of the ConfigMap. Nil discards them.
	Log *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// ConfigMap follows aws-auth.
type ConfigMap struct {
	source.InForce
	config Config
	client dynamic.Interface
	events *kube.EventWriter
	saver  *kube.LastGoodWriter
	edits  *history.Recorder
	// reference is what an Event needs of the ConfigMap; nil if there is none.
	reference atomic.Pointer[unstructured.Unstructured]
	unmapped  *unmapped

	// mu guards what follows: the informer reads, and a retry restores.
	mu sync.Mutex
	// uid and version are those of the ConfigMap that was read last: a ConfigMap that was
	// deleted and created again inherits nothing.
	uid     types.UID
	version string
	last    *awsauth.Result
	kept    kept
	missing missing
	// reading is last for others than the informer.
	reading atomic.Pointer[awsauth.Result]
	// restoreTimeout bounds the time to read the last good content, and retryDelay is the
	// time to the first retry.
	restoreTimeout, retryDelay time.Duration
}

// New returns a source that follows the ConfigMap. It does not call the API server,
// which may not be running yet: a kube-apiserver needs its webhook when it starts.
func New(config Config) (*ConfigMap, error) {
	if config.REST == nil {
		return nil, errors.New("following aws-auth: the REST configuration is missing")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.OnFailure == nil {
		config.OnFailure = func() {}
	}
	if config.OnEdit == nil {
		config.OnEdit = func([]string) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	client, err := kube.NewClient(config.REST)
	if err != nil {
		return nil, err
	}
	return &ConfigMap{
		config: config, client: client, events: kube.NewEventWriter(client, config.Log),
		saver: kube.NewLastGoodWriter(kube.ConfigMaps(client), config.Log), edits: history.NewRecorder(client, config.Log), restoreTimeout: restoreTimeout, retryDelay: retryDelay,
		missing:  missing{came: make(chan struct{}, 1)},
		unmapped: newUnmapped(config.Now),
	}, nil
}

// Name returns the name of the source in rules.
func (c *ConfigMap) Name() string { return c.config.Options.Source }

// Reading returns the last reading of the ConfigMap; nil if there is none, or no
// ConfigMap.
func (c *ConfigMap) Reading() *awsauth.Result { return c.reading.Load() }

// Run follows the ConfigMap until ctx is done. client-go relists and closes the gaps of
// a watch.
func (c *ConfigMap) Run(ctx context.Context) {
	follower := kube.Follower{
		Objects: kube.ConfigMaps(c.client), Selector: fields.OneTermEqualSelector(metav1.ObjectNameField, kube.AWSAuth).String(),
		Observe: func(err error) {
			if err != nil {
				c.config.OnFailure()
			}
		},
		Log: c.config.Log,
	}
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: follower.ListWatch(),
		ObjectType:    &unstructured.Unstructured{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { c.read(ctx, object) },
			UpdateFunc: func(_, object any) { c.read(ctx, object) },
			DeleteFunc: c.deleted,
		},
	})
	var running sync.WaitGroup
	running.Go(func() { c.events.Run(ctx) })
	running.Go(func() { c.saver.Run(ctx) })
	running.Go(func() { c.edits.Run(ctx) })
	running.Go(func() { c.retryRestoring(ctx) })
	running.Go(func() { c.sync(ctx, controller) })
	controller.RunWithContext(ctx)
	running.Wait()
}

// sync puts an empty table in force if the first list shows that there is no aws-auth:
// then the source is synced, although it maps nobody.
func (c *ConfigMap) sync(ctx context.Context, controller cache.Controller) {
	if cache.WaitForCacheSync(ctx.Done(), controller.HasSynced) && c.Init(source.Snapshot{Table: emptyTable(c.config.Options)}) {
		c.config.Log.Info("there is no ConfigMap aws-auth: this source maps nobody")
	}
}

func (c *ConfigMap) read(ctx context.Context, object any) {
	configMap, ok := object.(*unstructured.Unstructured)
	if !ok {
		return
	}
	data, err := kube.Data(configMap)
	if err != nil { // no API server sends this
		c.config.Log.Error("reading aws-auth failed: its last good content stays in force", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	uid, version := configMap.GetUID(), configMap.GetResourceVersion()
	if uid == c.uid && version == c.version { // listed again
		return
	}
	if uid != c.uid {
		c.uid, c.last, c.kept = uid, nil, kept{}
		c.missing.set(nil)
	}
	c.version = version
	c.referTo(configMap)
	before := c.last
	result := awsauth.Parse(data, before, c.config.Options)
	if before == nil && len(result.Broken()) > 0 {
		if restored := c.restore(ctx, result.Broken()); restored != nil {
			result = awsauth.Parse(data, restored, c.config.Options)
		}
	}
	c.missing.read(configMap, data, result)
	c.put(configMap, data, before, result)
	c.edits.Observe(configMap)
}

// put puts a reading in force and saves it.
func (c *ConfigMap) put(configMap *unstructured.Unstructured, data map[string]string, before, result *awsauth.Result) {
	c.last = result
	c.kept.update(result, c.config.Now())
	c.reading.Store(result)
	c.use(configMap, before, source.Snapshot{Table: result.Table, Problems: result.Problems, Lost: result.Lost(), KeptSince: c.kept.since.Oldest(result.Kept)})
	c.save(data)
}

// use puts a snapshot in force, and reports its problems that were not there before and
// what it takes away.
func (c *ConfigMap) use(configMap *unstructured.Unstructured, before *awsauth.Result, snapshot source.Snapshot) {
	old := c.Current().Table
	c.Swap(snapshot)
	c.config.Log.Info("read aws-auth", "resourceVersion", c.version, "problems", len(snapshot.Problems))
	if old != nil {
		c.reportLosses(configMap, old, snapshot.Table)
	}
	for _, problem := range snapshot.Problems {
		if before == nil || !slices.Contains(before.Problems, problem) {
			c.report(configMap, problem)
		}
	}
}

func (c *ConfigMap) report(configMap *unstructured.Unstructured, problem mapper.Problem) {
	problem.Log(c.config.Log, "problem in aws-auth")
	c.events.Warn(configMap, string(problem.Code), problem.String())
}

// deleted revokes all that the ConfigMap granted. The object is the last state that was
// seen of it.
func (c *ConfigMap) deleted(object any) {
	if unseen, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unseen.Obj
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uid, c.version, c.last, c.kept = "", "", nil, kept{}
	c.missing.set(nil)
	c.reading.Store(nil)
	c.referTo(nil)
	old, none := c.Current().Table, emptyTable(c.config.Options)
	c.Swap(source.Snapshot{Table: none})
	problem := deletion()
	problem.Log(c.config.Log, "aws-auth was deleted: this source no longer maps anybody")
	if configMap, ok := object.(*unstructured.Unstructured); ok {
		c.events.Warn(configMap, string(problem.Code), problem.String())
		c.reportLosses(configMap, old, none)
	}
}

func emptyTable(options awsauth.Options) *mapper.Table {
	return mapper.NewTable(nil, nil, options.RolePaths)
}

var _ source.Source = (*ConfigMap)(nil)
