package mapedit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/lint"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/internal/mappings"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// File is a file, or the standard input with the standard output.
type File struct {
	Path  string
	Stdin io.Reader
	Out   io.Writer

	isNew bool
	was   edit.File
}

// Name fits [Target].
func (t *File) Name() string {
	if t.Path == file.Stdin {
		return "standard input"
	}
	return t.Path
}

// Prints fits [Target].
func (t *File) Prints() bool { return t.Path == file.Stdin }

// Done fits [Target].
func (t *File) Done() Result {
	if t.isNew {
		return Created
	}
	return Edited
}

// Version fits [Target].
func (t *File) Version() string { return "" }

// Read fits [Target].
func (t *File) Read(ctx context.Context) (edit.Document, error) {
	content, err := file.ReadInput(ctx, t.Stdin, t.Path, file.MaxMappings)
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

// Parse fits [Target].
func (t *File) Parse(_ context.Context, before, after edit.Document, options awsauth.Options) (from, to *awsauth.Result, err error) {
	if from, err = before.Read(options); err != nil {
		return nil, nil, err
	}
	to, err = after.Read(options)
	return from, to, err
}

// Write fits [Target].
func (t *File) Write(ctx context.Context, document edit.Document, _ bool) error {
	text, ok := document.(edit.File)
	if !ok {
		return fmt.Errorf("writing %s: the mappings are not a file's", t.Name())
	}
	if t.Prints() {
		if _, err := io.WriteString(t.Out, string(text)); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	}
	if err := t.checkUnchanged(ctx); err != nil {
		return err
	}
	path := t.Path
	if target, err := os.Readlink(path); err == nil && target != "" {
		return fmt.Errorf("writing %s: it is a symbolic link to %s; name that file", path, target)
	}
	return file.Replace(path, []byte(text), 0o644)
}

// checkUnchanged returns ErrConflict if the file is no longer what was read. Somebody
// may have written it while a person was asked.
func (t *File) checkUnchanged(ctx context.Context) error {
	now := File{Path: t.Path, Stdin: t.Stdin}
	if _, err := now.Read(ctx); err != nil {
		return err
	}
	if now.was != t.was || now.isNew != t.isNew {
		return ErrConflict
	}
	return nil
}

// checkUserIDs rejects a file of backend DynamicFile whose entries have a userid: whoever
// they are for is not only a question of their ARN, and an edit would not see that.
func (t *File) checkUserIDs() error {
	report, err := lint.File([]byte(t.was), lint.Options{})
	if err != nil || !report.IgnoresUserIDs() {
		return nil // an edit reads the file itself, and says what is wrong
	}
	return fmt.Errorf("%s: its entries have a userid, which this command neither reads nor writes: change the file with the program that writes it", t.Name())
}

// Parts fits [Target].
func (t *File) Parts(before, after edit.Document) []Part {
	text := func(d edit.Document) string {
		f, _ := d.(edit.File)
		return string(f)
	}
	return []Part{{t.Name(), text(before), text(after)}}
}

// Facts fits [Target].
func (t *File) Facts(context.Context, mapper.Delta) lockout.Facts {
	return lockout.Facts{Nodes: lockout.UnknownNodes{Reason: errNoCluster}}
}

// errNoCluster is why nodes are not known for a file.
var errNoCluster = errors.New("a file does not say which cluster it is for")

// Warned returns what was read, with the warnings of a reader. It is an error if there is
// no file.
func (t *File) Warned(files mappings.Reader, options awsauth.Options) (*awsauth.Result, error) {
	if t.isNew {
		return nil, fmt.Errorf("reading the mappings: file %s does not exist", t.Path)
	}
	result, err := files.Parse(t.Name(), []byte(t.was), nil, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name(), err)
	}
	return result, nil
}
