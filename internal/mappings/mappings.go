// Package mappings reads a file of mappings of any kind: aws-auth, a DynamicFile,
// IAMIdentityMappings or the server's configuration.
package mappings

import (
	"context"
	"fmt"
	"io"

	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/lint"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A Reader reads files of mappings, and warns of what in them does not count.
type Reader struct {
	Stdin io.Reader
	Warn  func(text string)
}

// Read reads a file, or the standard input. A section that does not parse keeps its
// content in the last result, which may be nil.
func (r Reader) Read(ctx context.Context, name string, last *awsauth.Result, options awsauth.Options) (*awsauth.Result, error) {
	result, _, err := r.ReadEditable(ctx, name, last, options)
	return result, err
}

// ReadEditable is Read, and reports whether `authenticator map` can add a mapping to the
// file.
func (r Reader) ReadEditable(ctx context.Context, name string, last *awsauth.Result, options awsauth.Options) (result *awsauth.Result, editable bool, err error) {
	content, err := file.ReadInput(ctx, r.Stdin, name, file.MaxMappings)
	if err != nil {
		return nil, false, fmt.Errorf("reading the mappings: %w", err)
	}
	if result, err = r.Parse(name, content, last, options); err != nil {
		return nil, false, fmt.Errorf("reading %s: %w", name, err)
	}
	switch kind, err := lint.Detect(content); kind {
	case lint.Objects, lint.ServerConfig:
		return result, false, err
	case lint.DynamicFile:
		return result, !options.UserIDs, err // map adds no userid
	default:
		return result, true, err
	}
}

// Parse reads the content of a file.
func (r Reader) Parse(name string, content []byte, last *awsauth.Result, options awsauth.Options) (*awsauth.Result, error) {
	switch kind, err := lint.Detect(content); {
	case err != nil:
		return nil, err
	case kind == lint.Kubeconfig:
		return nil, fmt.Errorf("it is %s, which has no mappings", kind)
	case kind == lint.ServerConfig:
		_, mappings, err := config.Parse(content)
		if err != nil {
			return nil, err
		}
		options.AssumedRoles = awsauth.AssumedRolesAsRole
		return awsauth.ParseNode(mappings, last, options), nil
	default:
		result, err := kind.Mappings(content, last, options)
		if err == nil && kind == lint.DynamicFile && result.IgnoresUserIDs() {
			r.WarnOfUserIDs(name)
		}
		return result, err
	}
}

// WarnOfUserIDs warns that entries of a DynamicFile are read without their userid.
func (r Reader) WarnOfUserIDs(name string) {
	r.Warn(fmt.Sprintf("%s: entries have a userid, which has no effect here: give --%s for a server with dynamicFileUserIDStrict", name, settings.UserIDStrictFlag))
}

// WarnOfSections warns that a section or a manifest does not count as it is written.
func (r Reader) WarnOfSections(name string, result *awsauth.Result) {
	for _, problem := range result.Problems {
		switch problem.Code {
		case mapper.SectionSyntax, mapper.SectionNotList, mapper.SectionTooLarge, mapper.OtherConfigMap, mapper.SectionNotText:
			r.Warn(fmt.Sprintf("%s: %s", name, problem))
		}
	}
}
