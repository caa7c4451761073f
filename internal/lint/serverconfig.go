package lint

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/source/mountedfile"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const doesNotStart = "the server does not start"

func (r *Report) checkServerConfig(content []byte, opts Options) {
	file, mappings, err := config.Parse(content)
	if err != nil {
		r.addInvalid(ConfigInvalid, err, doesNotStart)
		return
	}
	for _, w := range file.Warnings {
		r.add(mapper.Problem{Code: ConfigNoEffect, Severity: mapper.Warning, Line: w.Line, Column: w.Column, Message: w.Err.Error(), Fix: w.Fix})
	}
	r.checkSettings(file, mappings, "", opts)
	for _, cluster := range file.Clusters {
		// The keys of an item are those below server.
		r.checkSettings(cluster.Settings, cluster.Mappings, "server.", opts)
	}
}

// checkSettings checks the values of a configuration, and its mappings as the server reads
// them with those values. The prefix is that of keys which the file does not have.
func (r *Report) checkSettings(file *config.File, mappings *yaml.Node, prefix string, opts Options) {
	read := opts.Mappings
	read.AssumedRoles = awsauth.AssumedRolesAsRole
	for _, value := range slices.Concat(file.Values, file.ReservedSources()) {
		if opts.CheckValue != nil {
			if err := opts.CheckValue(value); err != nil {
				r.add(mapper.Problem{
					Code: ConfigInvalid, Severity: mapper.Error, Line: value.Line, Column: value.Column,
					Message: strings.TrimPrefix(value.Key, prefix) + ": " + err.Error(), Effect: doesNotStart,
					Fix: "correct the value",
				})
			}
		}
		switch {
		case value.Flag == "partition" && value.Command == "server":
			read.Partition = value.Text
		case value.Flag == "role-paths":
			if paths, err := mapper.ParseRolePaths(value.Text); err == nil {
				read.RolePaths = paths
			}
		}
	}
	if mappings == nil {
		return
	}
	result := awsauth.ParseNode(mappings, nil, read)
	r.readings = append(r.readings, result)
	for _, p := range result.Problems {
		if mountedfile.Stops(p.Code) {
			p.Effect = doesNotStart + ", and a running server keeps its last good mappings"
		}
		r.add(p)
	}
}
