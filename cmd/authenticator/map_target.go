package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// A mapTarget is where mappings are edited: a cluster or a file.
type mapTarget interface {
	// name names the target in messages.
	name() string
	read(ctx context.Context) (edit.Document, error)
	// write replaces what was read. It returns errConflict if somebody else did.
	write(ctx context.Context, document edit.Document) error
	// prints reports whether write prints to standard output, where nothing else may go
	// then.
	prints() bool
	// done says what write did.
	done() string
	// parts returns the texts to show the difference of.
	parts(before, after edit.Document) []part
	// facts returns what the check of an edit has to know.
	facts(ctx context.Context, delta mapper.Delta) lockout.Facts
}

// A part is a text before and after an edit.
type part struct{ name, before, after string }

var errConflict = errors.New("somebody else edited the mappings at the same time")

// errNoCluster is why nodes are not known for a file.
var errNoCluster = errors.New("a file does not say which cluster it is for")

// fileTarget is a file, or the standard input with the standard output.
type fileTarget struct {
	p     *program
	path  string
	isNew bool
	was   edit.File
}

func (t *fileTarget) name() string {
	if t.path == stdin {
		return "standard input"
	}
	return t.path
}

func (t *fileTarget) prints() bool { return t.path == stdin }

func (t *fileTarget) done() string {
	if t.isNew {
		return "created " + t.path
	}
	return "edited " + t.path
}

func (t *fileTarget) read(ctx context.Context) (edit.Document, error) {
	content, err := t.p.readInput(ctx, t.path, file.MaxMappings)
	if t.isNew = errors.Is(err, fs.ErrNotExist); t.isNew {
		t.was = ""
		return t.was, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the mappings: %w", err)
	}
	t.was = edit.File(content)
	return t.was, nil
}

func (t *fileTarget) write(ctx context.Context, document edit.Document) error {
	text, ok := document.(edit.File)
	if !ok {
		return fmt.Errorf("writing %s: the mappings are not a file's", t.name())
	}
	if t.prints() {
		return t.p.printf(t.p.out, "%s", text)
	}
	if err := t.checkUnchanged(ctx); err != nil {
		return err
	}
	path, mode := t.path, fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if target, err := os.Readlink(path); err == nil && target != "" {
		return fmt.Errorf("writing %s: it is a symbolic link to %s; name that file", path, target)
	}
	return file.Write(path, []byte(text), mode)
}

// checkUnchanged returns errConflict if the file is no longer what was read. Somebody
// may have written it while a person was asked.
func (t *fileTarget) checkUnchanged(ctx context.Context) error {
	now := fileTarget{p: t.p, path: t.path}
	if _, err := now.read(ctx); err != nil {
		return err
	}
	if now.was != t.was || now.isNew != t.isNew {
		return errConflict
	}
	return nil
}

func (t *fileTarget) parts(before, after edit.Document) []part {
	text := func(d edit.Document) string {
		f, _ := d.(edit.File)
		return string(f)
	}
	return []part{{t.name(), text(before), text(after)}}
}

func (t *fileTarget) facts(context.Context, mapper.Delta) lockout.Facts {
	return lockout.Facts{NodesUnknown: errNoCluster}
}

// clusterTarget is the ConfigMap kube-system/aws-auth.
type clusterTarget struct {
	p      *program
	client dynamic.Interface
	// object is the ConfigMap as it was read; nil if there is none.
	object  *unstructured.Unstructured
	created bool
	user    *kube.User
}

func (t *clusterTarget) name() string { return "ConfigMap kube-system/aws-auth" }
func (t *clusterTarget) prints() bool { return false }

func (t *clusterTarget) done() string {
	if t.created {
		return "created " + t.name()
	}
	return "edited " + t.name()
}

func (t *clusterTarget) read(ctx context.Context) (edit.Document, error) {
	defer cli.Waiting(t.p.err, "authenticator: waiting for the API server")()
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	var err error
	if t.object, err = awsAuth(ctx, t.client); err != nil {
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

// manager is the field manager of our edits.
const manager = "authenticator"

func (t *clusterTarget) write(ctx context.Context, document edit.Document) error {
	data, ok := document.(edit.Data)
	if !ok {
		return errors.New("writing aws-auth: the mappings are not a ConfigMap's")
	}
	defer cli.Waiting(t.p.err, "authenticator: waiting for the API server")()
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if t.created = t.object == nil; t.created {
		created, err := kube.ConfigMaps(t.client).Create(ctx, newAWSAuth(data), metav1.CreateOptions{FieldManager: manager})
		if apierrors.IsAlreadyExists(err) {
			return errConflict
		}
		if err != nil {
			return fmt.Errorf("creating ConfigMap kube-system/aws-auth: %w", err)
		}
		t.record(ctx, nil, created)
		return nil
	}
	changed := t.object.DeepCopy()
	if err := unstructured.SetNestedStringMap(changed.Object, data, "data"); err != nil {
		return fmt.Errorf("editing ConfigMap kube-system/aws-auth: %w", err)
	}
	updated, err := kube.ConfigMaps(t.client).Update(ctx, changed, metav1.UpdateOptions{FieldManager: manager})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errConflict
	}
	if err != nil {
		return fmt.Errorf("editing ConfigMap kube-system/aws-auth: %w", err)
	}
	t.record(ctx, t.object, updated)
	return nil
}

func newAWSAuth(data map[string]string) *unstructured.Unstructured {
	configMap := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": kube.AWSAuth, "namespace": metav1.NamespaceSystem},
	}}
	_ = unstructured.SetNestedStringMap(configMap.Object, data, "data") // the object is a map
	return configMap
}

// record adds an edit to the history, and what was before it if no server did. Without a
// history, the edit is still made.
func (t *clusterTarget) record(ctx context.Context, before, after *unstructured.Unstructured) {
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
			err = history.Record(ctx, t.client, entry)
		}
		if err != nil {
			fmt.Fprintf(t.p.err, "authenticator: warning: the edit is not in the history, so \"map rollback\" cannot undo it: %s\n", cli.Printable(err.Error()))
			return
		}
	}
}

// self returns who edits, as the history names them; empty if that is unknown.
func (t *clusterTarget) self(ctx context.Context) string {
	user, err := t.whoami(ctx)
	if err != nil {
		return ""
	}
	if arn := strings.Join(user.Extra["arn"], ""); arn != "" {
		return user.Username + " (" + arn + ")"
	}
	return user.Username
}

func (t *clusterTarget) whoami(ctx context.Context) (kube.User, error) {
	if t.user == nil {
		user, err := kube.Self(ctx, t.client)
		if err != nil {
			return kube.User{}, err
		}
		t.user = &user
	}
	return *t.user, nil
}

func (t *clusterTarget) parts(before, after edit.Document) (parts []part) {
	was, _ := before.(edit.Data)
	is, _ := after.(edit.Data)
	keys := maps.Clone(map[string]string(was))
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		parts = append(parts, part{key, was[key], is[key]})
	}
	return parts
}

func (t *clusterTarget) facts(ctx context.Context, delta mapper.Delta) (facts lockout.Facts) {
	if !takesAway(delta) {
		return facts
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	user, err := t.whoami(ctx)
	if err != nil {
		fmt.Fprintf(t.p.err, "authenticator: warning: whether you lose your own access is unknown: %s\n", cli.Printable(err.Error()))
	} else {
		facts.Caller = callerOf(user)
	}
	if len(delta.Leaving(mapper.NodesGroup)) > 0 {
		facts.Nodes, facts.NodesUnknown = kube.ReadyWorkers(ctx, t.client)
	}
	return facts
}

// callerOf returns the AWS identity that the authenticator verified for a user; nil if the
// user signed in by another way.
func callerOf(user kube.User) *identity.Principal {
	first := func(key string) string { return strings.Join(user.Extra[key], "") }
	answer := identity.Answer{ARN: first("arn"), UserID: first("principalId")}
	if parts := strings.SplitN(answer.ARN, ":", 6); len(parts) == 6 {
		answer.Account = parts[4]
	}
	if session := first("sessionName"); session != "" {
		answer.UserID += ":" + session
	}
	principal, err := identity.New(answer)
	if err != nil {
		return nil
	}
	principal.AccessKeyID = first("accessKeyId")
	return &principal
}

// printf prints to a stream.
func (p *program) printf(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
