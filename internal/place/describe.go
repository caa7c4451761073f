package place

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/shell"
)

// Describe returns the place of a source of a server. kubectl reaches the cluster; nil means
// that whoever runs a command has a kubeconfig for it.
func Describe(g *settings.General, m *settings.Mapping, name string, kubectl *kube.Kubectl) explain.SourceFacts {
	kubectl = cmp.Or(kubectl, &kube.Kubectl{})
	switch name {
	case settings.BackendEKSConfigMap:
		return explain.SourceFacts{Name: name, Place: "ConfigMap kube-system/aws-auth", Edit: editAWSAuth(kubectl)}
	case settings.BackendDynamicFile:
		return explain.SourceFacts{Name: name, Place: m.DynamicFile, Edit: editFile(m.DynamicFile)}
	case settings.BackendCRD:
		edit := func(int) string { return kubectl.Command("edit", "iamidentitymappings") }
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

// Adding completes the facts with how a principal is mapped: with `authenticator map` in
// aws-auth or in a file, or else in the first source.
func Adding(facts *explain.Facts, m *settings.Mapping, partition string, kubectl *kube.Kubectl) {
	kubectl = cmp.Or(kubectl, &kube.Kubectl{})
	has := func(name string) bool {
		return slices.ContainsFunc(facts.Sources, func(s explain.SourceFacts) bool { return s.Name == name })
	}
	switch {
	case has(settings.BackendEKSConfigMap):
		facts.MapFlags = kubectl.Flags()
	case has(settings.SourceAWSAuthFile):
		facts.MapFlags = []string{"-f", m.AWSAuthFile}
	case has(settings.BackendDynamicFile) && !m.UserIDStrict: // map adds no userid
		facts.MapFlags = []string{"-f", m.DynamicFile}
	case has(settings.BackendCRD):
		facts.Add = func(arn, username string, groups []string) string {
			return createMapping(kubectl, arn, username, groups)
		}
	case len(facts.Sources) > 0:
		facts.Add = func(string, string, []string) string { return facts.Sources[0].Edit(1) }
	}
	if partition != "aws" {
		facts.MapFlags = append(facts.MapFlags, "--partition", partition)
	}
}

// createMapping returns the command that creates an IAMIdentityMapping.
func createMapping(kubectl *kube.Kubectl, arn, username string, groups []string) string {
	object, err := json.Marshal(map[string]any{
		"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping",
		"metadata": map[string]string{"generateName": "mapping-"},
		"spec":     map[string]any{"arn": arn, "username": username, "groups": append([]string{}, groups...)},
	})
	if err != nil {
		return ""
	}
	return "printf %s " + shell.Quote(string(object)) + " | " + kubectl.Command("create", "--filename", "-")
}
