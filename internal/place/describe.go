package place

import (
	"cmp"
	"fmt"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/internal/source"
)

// Describe returns the place of a source of a server.
func Describe(g *settings.General, m *settings.Mapping, name string) explain.SourceFacts {
	switch name {
	case settings.BackendEKSConfigMap:
		return explain.SourceFacts{Name: name, Place: "ConfigMap kube-system/aws-auth", Edit: editAWSAuth(&kube.Kubectl{})}
	case settings.BackendDynamicFile:
		return explain.SourceFacts{Name: name, Place: m.DynamicFile, Edit: editFile(m.DynamicFile)}
	case settings.BackendCRD:
		edit := func(int) string { return "kubectl edit iamidentitymappings" }
		return explain.SourceFacts{Name: name, Place: "IAMIdentityMappings", Edit: edit}
	case settings.SourceAWSAuthFile:
		return explain.SourceFacts{Name: name, Place: m.AWSAuthFile, Edit: editFile(m.AWSAuthFile)}
	default:
		place := cmp.Or(g.ConfigPath, "no file")
		return explain.SourceFacts{Name: name, Place: place, Edit: editFile(place)}
	}
}

// DescribeDenyFile returns the place of the deny file of a server.
func DescribeDenyFile(m *settings.Mapping) explain.SourceFacts {
	if m.DenyPath == "" {
		return explain.SourceFacts{}
	}
	return explain.SourceFacts{Place: m.DenyPath, Edit: editFile(m.DenyPath)}
}

// editFile returns the command that edits a line of a file.
func editFile(path string) func(line int) string {
	return func(line int) string {
		return fmt.Sprintf("${EDITOR:-vi} +%d %s", max(line, 1), shell.Quote(path))
	}
}

// editAWSAuth returns the command that edits aws-auth.
func editAWSAuth(kubectl *kube.Kubectl) func(line int) string {
	return func(int) string { return kubectl.EditAWSAuth() }
}

// MapFlags returns the flags with which `authenticator map` edits the server's mappings:
// none for aws-auth.
func MapFlags(m *settings.Mapping, sources []source.Source) []string {
	for _, s := range sources {
		if s.Name() == settings.BackendEKSConfigMap {
			return nil
		}
	}
	if m.AWSAuthFile == "" {
		return nil
	}
	return []string{"-f", m.AWSAuthFile}
}
