// Package lint finds the mistakes in the files that signing in depends on: aws-auth and
// other mappings, the server's configuration file, and kubeconfigs. Mappings are read by
// the server's own parser, so lint reports what the server does.
package lint

import (
	"cmp"
	"errors"
	"slices"

	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Options are the options of a check.
type Options struct {
	// Mappings are the options with which the server reads mappings.
	Mappings awsauth.Options
	// ClusterID is the ID that tokens must be for; empty if it is unknown.
	ClusterID string
	// CheckValue returns why the server rejects a value of its configuration file. Nil
	// accepts every value.
	CheckValue func(config.Value) error
	// FindCommand returns an error if kubectl would not find a credential plugin. Nil
	// finds every command.
	FindCommand func(name string) error
}

// The problems of files other than mappings.
const (
	FileInvalid    mapper.Code = "FileInvalid"    // the file as a whole cannot be read
	OtherVersion   mapper.Code = "OtherVersion"   // an apiVersion that the server does not read
	ConfigInvalid  mapper.Code = "ConfigInvalid"  // the server does not start with it
	ConfigNoEffect mapper.Code = "ConfigNoEffect" // a key or value without effect

	ExecAPIVersion      mapper.Code = "ExecAPIVersion"      // kubectl rejects the version
	ExecInteractiveMode mapper.Code = "ExecInteractiveMode" // missing, or an unknown value
	ExecNotText         mapper.Code = "ExecNotText"         // kubectl cannot decode the value
	ExecCommand         mapper.Code = "ExecCommand"         // missing, not found, or without its subcommand
	ExecFlag            mapper.Code = "ExecFlag"            // a flag of another credential plugin
	ExecRole            mapper.Code = "ExecRole"            // not the ARN of a role
	ExecNoCluster       mapper.Code = "ExecNoCluster"       // the token is for no cluster
	ExecOtherCluster    mapper.Code = "ExecOtherCluster"    // the token is for another cluster
	ExecNoProfile       mapper.Code = "ExecNoProfile"       // the AWS credentials depend on the shell
)

// A Report has the problems of a file, in the order of their places.
type Report struct {
	Kind     Kind
	Problems []mapper.Problem

	// readings are those of the mappings, as for [Report.Tables].
	readings []*awsauth.Result
	// texts are the texts that the lines of the problems count in, by section; that of a
	// file is that of section "".
	texts map[string]string
}

// Changes returns what changes if another version of the file replaces this one.
func (r *Report) Changes(next *Report) (changes []mapper.Change) {
	before, after := r.Tables(), next.Tables()
	for i := range max(len(before), len(after)) {
		var from, to *mapper.Table
		if i < len(before) {
			from = before[i]
		}
		if i < len(after) {
			to = after[i]
		}
		changes = append(changes, mapper.Diff(from, to).Changes...)
	}
	return changes
}

// Tables returns the mappings of the file: one table, but of a configuration file one for
// each cluster that has some.
func (r *Report) Tables() (tables []*mapper.Table) {
	for _, read := range r.readings {
		tables = append(tables, read.Table)
	}
	return tables
}

// IgnoresUserIDs reports whether entries of a DynamicFile have a userid that has no effect.
func (r *Report) IgnoresUserIDs() bool {
	return r.Kind == DynamicFile && len(r.readings) > 0 && r.readings[0].IgnoresUserIDs()
}

// count returns how many problems have a code, listed or not.
func (r *Report) count(code mapper.Code) (n int) {
	for _, read := range r.readings {
		n += read.Count(code)
	}
	if n > 0 {
		return n
	}
	for _, p := range r.Problems {
		if p.Code == code {
			n++
		}
	}
	return n
}

// isInvalid reports whether the file as a whole cannot be read.
func (r *Report) isInvalid() bool { return r.count(FileInvalid)+r.count(ConfigInvalid) > 0 }

// text returns the text that a problem is in.
func (r *Report) text(p mapper.Problem) string {
	if whole, ok := r.texts[""]; ok {
		return whole
	}
	return r.texts[p.Section]
}

// File checks a file, whose kind it detects. The error says that it is of another kind.
func File(content []byte, opts Options) (*Report, error) {
	kind, root, err := detect(string(content))
	if err != nil {
		return nil, err
	}
	r := &Report{Kind: kind, texts: map[string]string{"": string(content)}}
	switch kind {
	case ServerConfig:
		r.checkServerConfig(content, opts)
	case Kubeconfig:
		r.checkKubeconfig(content, root, opts)
	default:
		result, err := kind.Mappings(content, nil, opts.Mappings)
		if err != nil {
			effect := "all mappings keep their last good content; a server that starts has none"
			if kind == Objects {
				effect = "kubectl refuses the file"
			}
			r.addInvalid(FileInvalid, err, effect)
			break
		}
		r.Problems, r.readings = result.Problems, []*awsauth.Result{result}
	}
	slices.SortStableFunc(r.Problems, func(a, b mapper.Problem) int { return cmp.Compare(a.Line, b.Line) })
	return r, nil
}

// ConfigMap checks the data of the ConfigMap aws-auth.
func ConfigMap(data map[string]string, opts Options) *Report {
	result := awsauth.Parse(data, nil, opts.Mappings)
	return &Report{Kind: Manifest, Problems: result.Problems, readings: []*awsauth.Result{result}, texts: data}
}

// DropWarnings removes the warnings.
func (r *Report) DropWarnings() {
	r.Problems = slices.DeleteFunc(r.Problems, func(p mapper.Problem) bool { return p.Severity == mapper.Warning })
}

func (r *Report) add(p mapper.Problem) { r.Problems = append(r.Problems, p) }

// addInvalid adds the error of a parser that rejects the file.
func (r *Report) addInvalid(code mapper.Code, err error, effect string) {
	p := mapper.Problem{Code: code, Severity: mapper.Error, Message: err.Error(), Effect: effect}
	if syntax, ok := errors.AsType[*awsauth.SyntaxError](err); ok {
		p.Line, p.Column, p.Message, p.Fix, p.Edit = syntax.Line, syntax.Column, syntax.Cause, syntax.Fix, syntax.Edit
	} else if problem, ok := errors.AsType[*config.Problem](err); ok {
		p.Line, p.Column, p.Message, p.Fix = problem.Line, problem.Column, problem.Err.Error(), problem.Fix
	}
	r.add(p)
}
