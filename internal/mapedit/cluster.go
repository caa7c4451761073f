package mapedit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/internal/place"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// Cluster is the ConfigMap kube-system/aws-auth.
type Cluster struct {
	Client kube.Client
	// Err says what is waited for, and takes warnings.
	Err io.Writer

	// object is the ConfigMap as it was read; nil if there is none.
	object  *unstructured.Unstructured
	created bool
	user    *kube.User
}

// Name fits [Target].
func (t *Cluster) Name() string { return "ConfigMap kube-system/aws-auth" }

// Prints fits [Target].
func (t *Cluster) Prints() bool { return false }

// Done fits [Target].
func (t *Cluster) Done() Result {
	if t.created {
		return Created
	}
	return Edited
}

// Version fits [Target].
func (t *Cluster) Version() string {
	if t.object == nil {
		return ""
	}
	return t.object.GetResourceVersion()
}

// Read fits [Target].
func (t *Cluster) Read(ctx context.Context) (edit.Document, error) {
	defer cli.Waiting(t.Err, "authenticator: waiting for the API server")()
	var err error
	if t.object, err = kube.GetAWSAuth(ctx, t.Client); err != nil {
		return nil, err
	}
	if t.object == nil {
		return edit.Data{}, nil
	}
	data, err := kube.Data(t.object)
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = map[string]string{}
	}
	return edit.Data(data), nil
}

// Parse fits [Target]. A section that does not parse has its last good content, as in the
// servers: an edit can take that away too.
func (t *Cluster) Parse(ctx context.Context, _, after edit.Document, options awsauth.Options) (from, to *awsauth.Result, err error) {
	warn := func(text string) { fmt.Fprintf(t.Err, "authenticator: warning: %s\n", cli.Printable(text)) }
	if from, err = place.ParseAWSAuth(ctx, t.Client, t.object, options, warn); err != nil {
		return nil, nil, err
	}
	data, _ := after.(edit.Data)
	return from, awsauth.Parse(data, from, options), nil
}

// manager is the field manager of our edits.
const manager = "authenticator"

// Write fits [Target].
func (t *Cluster) Write(ctx context.Context, document edit.Document, force bool) error {
	data, ok := document.(edit.Data)
	if !ok {
		return errors.New("writing aws-auth: the mappings are not a ConfigMap's")
	}
	defer cli.Waiting(t.Err, "authenticator: waiting for the API server")()
	if t.created = t.object == nil; t.created {
		created, err := kube.ConfigMaps(t.Client).Create(ctx, NewAWSAuth(data), metav1.CreateOptions{FieldManager: manager})
		if apierrors.IsAlreadyExists(err) {
			return ErrConflict
		}
		if err != nil {
			return fmt.Errorf("creating ConfigMap kube-system/aws-auth: %w", kube.WithTimeout(err))
		}
		t.record(ctx, nil, created)
		t.object = created
		return nil
	}
	updated, err := t.update(ctx, data, force)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return ErrConflict
	}
	if err != nil {
		return fmt.Errorf("editing ConfigMap kube-system/aws-auth: %w", kube.WithTimeout(err))
	}
	t.record(ctx, t.object, updated)
	t.object = updated
	return nil
}

// update replaces the data of the ConfigMap. An override of the guard stays out of the
// ConfigMap unless the guard demands it.
func (t *Cluster) update(ctx context.Context, data map[string]string, force bool) (*unstructured.Unstructured, error) {
	changed := t.object.DeepCopy()
	unstructured.RemoveNestedField(changed.Object, "metadata", "annotations", admission.Annotation)
	if err := unstructured.SetNestedStringMap(changed.Object, data, "data"); err != nil {
		return nil, err
	}
	updated, err := kube.ConfigMaps(t.Client).Update(ctx, changed, metav1.UpdateOptions{FieldManager: manager})
	if err == nil || !refusedByGuard(err) {
		return updated, err
	}
	if !force {
		return nil, &cli.Error{Code: cli.ExitFailure, Hint: hintForce, Err: err}
	}
	annotations := changed.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[admission.Annotation] = admission.Hash(kube.AWSAuth, t.object, changed)
	changed.SetAnnotations(annotations)
	return kube.ConfigMaps(t.Client).Update(ctx, changed, metav1.UpdateOptions{FieldManager: manager})
}

// refusedByGuard reports whether the error is a refusal of the webhook /validate, which
// names the annotation that overrides it.
func refusedByGuard(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), admission.Annotation)
}

// NewAWSAuth returns aws-auth with some data.
func NewAWSAuth(data map[string]string) *unstructured.Unstructured {
	configMap := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": kube.AWSAuth, "namespace": metav1.NamespaceSystem},
	}}
	_ = unstructured.SetNestedStringMap(configMap.Object, data, "data") // the object is a map
	return configMap
}

// record adds an edit to the history, and what was before it if no server did. Without a
// history, the edit is still made.
func (t *Cluster) record(ctx context.Context, before, after *unstructured.Unstructured) {
	// Ctrl-C comes too late for the edit, and must not make it one that cannot be undone.
	ctx = context.WithoutCancel(ctx)
	who := t.self(ctx)
	for _, state := range []struct {
		object *unstructured.Unstructured
		who    string
	}{{before, ""}, {after, who}} {
		if state.object == nil {
			continue
		}
		entry, err := history.New(state.object, state.who, time.Now())
		if err == nil {
			err = history.Record(ctx, t.Client, entry)
		}
		if err != nil {
			fmt.Fprintf(t.Err, "authenticator: warning: the edit is not in the history, so \"map rollback\" cannot undo it: %s\n", cli.Printable(err.Error()))
			return
		}
	}
}

// self returns who edits, as the history names them; empty if that is unknown.
func (t *Cluster) self(ctx context.Context) string {
	user, err := t.whoami(ctx)
	if err != nil {
		return ""
	}
	if arn := strings.Join(user.Extra["arn"], ""); arn != "" {
		return user.Username + " (" + arn + ")"
	}
	return user.Username
}

func (t *Cluster) whoami(ctx context.Context) (kube.User, error) {
	if t.user == nil {
		user, err := kube.Self(ctx, t.Client)
		if err != nil {
			return kube.User{}, err
		}
		t.user = &user
	}
	return *t.user, nil
}

// Parts fits [Target].
func (t *Cluster) Parts(before, after edit.Document) (parts []Part) {
	was, _ := before.(edit.Data)
	is, _ := after.(edit.Data)
	keys := maps.Clone(map[string]string(was))
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		parts = append(parts, Part{key, was[key], is[key]})
	}
	return parts
}

// Facts fits [Target].
func (t *Cluster) Facts(ctx context.Context, delta mapper.Delta) (facts lockout.Facts) {
	if !takesAway(delta) {
		return facts
	}
	user, err := t.whoami(ctx)
	if err != nil {
		fmt.Fprintf(t.Err, "authenticator: warning: whether you lose your own access is unknown: %s\n", cli.Printable(err.Error()))
	} else {
		facts.Caller = lockout.Caller(user.Extra)
	}
	if len(delta.Leaving(mapper.NodesGroup)) > 0 {
		ready, err := kube.ReadyWorkers(ctx, t.Client)
		if facts.Nodes = lockout.ReadyNodes(ready); err != nil {
			facts.Nodes = lockout.UnknownNodes{Reason: err}
		}
	}
	return facts
}
