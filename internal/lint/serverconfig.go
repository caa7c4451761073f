package lint

import (
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
	for _, warning := range file.Warnings {
		r.add(mapper.Problem{Code: ConfigNoEffect, Severity: mapper.Warning, Line: warning.Line, Message: warning.Err.Error(), Fix: "remove it"})
	}
	// The server reads its mappings with the values in the same file.
	read := opts.Mappings
	read.AssumedRoles = awsauth.AssumedRolesAsRole
	for _, value := range file.Values {
		if opts.CheckValue != nil {
			if err := opts.CheckValue(value); err != nil {
				r.add(mapper.Problem{
					Code: ConfigInvalid, Severity: mapper.Error, Line: value.Line, Message: value.Key + ": " + err.Error(), Effect: doesNotStart,
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
	r.mappings = result
	for _, p := range result.Problems {
		if mountedfile.Stops(p.Code) {
			p.Effect = doesNotStart + ", and a running server keeps its last good mappings"
		}
		r.add(p)
	}
}
