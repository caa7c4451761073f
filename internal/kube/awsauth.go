// Package kube reads the ConfigMap kube-system/aws-auth from a Kubernetes API
// server, keeps the mappings in force up to date with it, and reports its
// problems where an operator looks: as Events on the ConfigMap.
package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// ConfigMapName is the name of the ConfigMap, in namespace kube-system.
const ConfigMapName = "aws-auth"

// Config of [New]. REST and Source must be set.
type Config struct {
	// REST says where the API server is and who we are there.
	REST *rest.Config
	// Source gets a new table for every version of the ConfigMap.
	Source *mapper.Source
	// Options of reading the ConfigMap.
	Options awsauth.Options
	// OnRead is told the result of every reading. Nil means nobody.
	OnRead func(*awsauth.Result)
	// OnFailure is told of every list and every watch that the API server does
	// not answer well: what is in force then grows old. Nil means nobody.
	OnFailure func()
	// Log of what is wrong with the ConfigMap. Nil means nowhere.
	Log *slog.Logger
}

// AWSAuth follows the ConfigMap.
type AWSAuth struct {
	config     Config
	controller cache.Controller
	events     *eventWriter

	// uid of the ConfigMap that last was read of: a ConfigMap that was deleted
	// and made anew inherits nothing.
	uid  types.UID
	last *awsauth.Result
}

// New makes a follower of the ConfigMap; it does not ask the API server yet,
// which may not be up: a kube-apiserver wants its webhook at start.
func New(config Config) (*AWSAuth, error) {
	if config.REST == nil || config.Source == nil {
		return nil, errors.New("following aws-auth: a REST configuration and a source must be given")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.OnRead == nil {
		config.OnRead = func(*awsauth.Result) {}
	}
	if config.OnFailure == nil {
		config.OnFailure = func() {}
	}
	client, err := newClient(config.REST)
	if err != nil {
		return nil, err
	}
	a := &AWSAuth{config: config, events: newEventWriter(client, config.Log)}
	_, a.controller = cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: listWatch(client, config.OnFailure),
		ObjectType:    &corev1.ConfigMap{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { a.read(object) },
			UpdateFunc: func(_, object any) { a.read(object) },
			DeleteFunc: func(any) { a.deleted() },
		},
	})
	return a, nil
}

// listWatch lists and watches the one ConfigMap, and tells of what fails.
func listWatch(client rest.Interface, failed func()) *cache.ListWatch {
	tell := func(ctx context.Context, err error) {
		// By Invalid an API server says that it is too old to list by watching.
		if err != nil && ctx.Err() == nil && !apierrors.IsInvalid(err) {
			failed()
		}
	}
	lw := cache.NewListWatchFromClient(client, "configmaps", metav1.NamespaceSystem, fields.OneTermEqualSelector(metav1.ObjectNameField, ConfigMapName))
	list, follow := lw.ListWithContextFunc, lw.WatchFuncWithContext
	lw.ListWithContextFunc = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		listed, err := list(ctx, options)
		tell(ctx, err)
		return listed, err
	}
	lw.WatchFuncWithContext = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		watched, err := follow(ctx, options)
		tell(ctx, err)
		return watched, err
	}
	return lw
}

// Run follows the ConfigMap until ctx is done. Relisting, backing off and
// closing the gaps of a watch are client-go's.
func (a *AWSAuth) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { a.events.run(ctx) })
	running.Go(func() { a.sync(ctx) })
	a.controller.RunWithContext(ctx)
	running.Wait()
}

// sync puts an empty table in force if the first list shows that there is no
// aws-auth: then it is known that nobody is mapped.
func (a *AWSAuth) sync(ctx context.Context) {
	if cache.WaitForCacheSync(ctx.Done(), a.controller.HasSynced) {
		a.config.Source.Init(emptyTable(a.config.Options))
	}
}

// Synced reports whether the ConfigMap, or its absence, is in force.
func (a *AWSAuth) Synced() bool { return a.config.Source.Synced() }

func (a *AWSAuth) read(object any) {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return
	}
	if configMap.UID != a.uid {
		a.uid, a.last = configMap.UID, nil
	}
	before := a.last
	a.last = awsauth.Parse(configMap.Data, before, a.config.Options)
	a.config.Source.Swap(a.last.Table)
	a.config.OnRead(a.last)
	a.config.Log.Info("read aws-auth", "resourceVersion", configMap.ResourceVersion, "problems", len(a.last.Problems))
	for _, problem := range a.last.Problems {
		if before == nil || !slices.Contains(before.Problems, problem) {
			a.report(configMap, problem)
		}
	}
}

func (a *AWSAuth) report(configMap *corev1.ConfigMap, problem awsauth.Problem) {
	problem.Log(a.config.Log, "problem in aws-auth")
	a.events.write(configMap, problem)
}

// deleted revokes all that the ConfigMap granted.
func (a *AWSAuth) deleted() {
	a.uid, a.last = "", nil
	a.config.Source.Swap(emptyTable(a.config.Options))
	a.config.OnRead(&awsauth.Result{})
	a.config.Log.Warn("aws-auth was deleted: nobody is mapped by it any more")
}

func emptyTable(options awsauth.Options) *mapper.Table {
	return mapper.NewTable(nil, nil, options.RolePaths)
}

// errNotSynced is what is missing until the first list.
var errNotSynced = fmt.Errorf("kube-system/%s is not read yet", ConfigMapName)

// Ready says what is missing before mappings are in force.
func (a *AWSAuth) Ready() error {
	if !a.Synced() {
		return errNotSynced
	}
	return nil
}
