package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// fileTarget is a file, or the standard input with the standard output.
type fileTarget struct {
	p     *program
	path  string
	isNew bool
	was   edit.File
}

func (t *fileTarget) name() string {
	if t.path == file.Stdin {
		return "standard input"
	}
	return t.path
}

func (t *fileTarget) prints() bool { return t.path == file.Stdin }

func (t *fileTarget) done() editResult {
	if t.isNew {
		return resultCreated
	}
	return resultEdited
}

func (t *fileTarget) version() string { return "" }

func (t *fileTarget) read(ctx context.Context) (edit.Document, error) {
	content, err := file.ReadInput(ctx, t.p.in, t.path, file.MaxMappings)
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

func (t *fileTarget) write(ctx context.Context, document edit.Document, _ bool) error {
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
	return lockout.Facts{Nodes: lockout.UnknownNodes{Reason: errNoCluster}}
}

// errNoCluster is why nodes are not known for a file.
var errNoCluster = errors.New("a file does not say which cluster it is for")
