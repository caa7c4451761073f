package lint

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const (
	identityMapping        = "IAMIdentityMapping"
	identityMappingVersion = "iamauthenticator.k8s.aws/v1alpha1"
)

// readIdentityMappings reads the manifests of IAMIdentityMappings in a file, which may
// have manifests of other kinds too.
func readIdentityMappings(content []byte, opts awsauth.Options) (*awsauth.Result, error) {
	documents, err := documentsOf(string(content))
	if err != nil {
		return nil, fmt.Errorf("parsing the manifests: %w", err)
	}
	for _, document := range documents {
		awsauth.AsYAML11(document)
	}
	var manifests []crd.Manifest
	var problems []mapper.Problem
	for manifest := range manifestsOf(documents) {
		switch kind := field(manifest, "kind"); {
		case isIdentityMapping(manifest):
			m := manifestOf(manifest)
			manifests = append(manifests, m)
			if version := m.Object.GetAPIVersion(); version != identityMappingVersion {
				problems = append(problems, mapper.Problem{
					Code: OtherVersion, Severity: mapper.Error, Line: manifest.Line, Column: manifest.Column,
					Message: fmt.Sprintf("the apiVersion of the %s is %q", identityMapping, version), Effect: "the server does not read the object", Fix: "write apiVersion: " + identityMappingVersion,
				})
			}
		case kind != nil && kind.Value == "ConfigMap" && nameOf(manifest) == "aws-auth":
			problems = append(problems, mapper.Problem{
				Code: mapper.SecondDocument, Severity: mapper.Warning, Line: manifest.Line, Column: manifest.Column,
				Message: "the ConfigMap aws-auth is not checked, since the file has IAMIdentityMappings", Fix: "put it into a file of its own",
			})
		}
	}
	read := crd.Judge(manifests, opts)
	return &awsauth.Result{Table: read.Table, Problems: append(problems, read.Problems...)}, nil
}

// documentsOf returns the roots of the YAML documents of a text.
func documentsOf(content string) (roots []*yaml.Node, err error) {
	first, unread, err := awsauth.ParseYAML(content) // bounds the text
	if err != nil || unread == nil {
		return []*yaml.Node{first}, err
	}
	for decoder := yaml.NewDecoder(strings.NewReader(content)); ; {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return roots, nil
		case err != nil:
			return nil, err
		}
		roots = append(roots, document.Content[0])
	}
}

// manifestsOf returns manifests and those in lists, such as of kubectl get.
func manifestsOf(documents []*yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		for _, document := range documents {
			if kind := field(document, "kind"); kind == nil || !strings.HasSuffix(kind.Value, "List") {
				if !yield(document) {
					return
				}
				continue
			}
			for item := range items(field(document, "items")) {
				if !yield(item) {
					return
				}
			}
		}
	}
}

func isIdentityMapping(manifest *yaml.Node) bool {
	kind := field(manifest, "kind")
	return kind != nil && kind.Value == identityMapping
}

// hasIdentityMapping reports whether a file has an IAMIdentityMapping. Root is its first
// document.
func hasIdentityMapping(content string, root *yaml.Node) bool {
	if !strings.Contains(content, identityMapping) {
		return false // the usual case
	}
	documents, err := documentsOf(content)
	if err != nil {
		documents = []*yaml.Node{root}
	}
	for manifest := range manifestsOf(documents) {
		if isIdentityMapping(manifest) {
			return true
		}
	}
	return false
}

func nameOf(manifest *yaml.Node) string {
	name, _ := textOf(field(field(manifest, "metadata"), "name"))
	return name
}

// manifestOf returns the object of a manifest, with what the source reads of it.
func manifestOf(manifest *yaml.Node) crd.Manifest {
	name := nameOf(manifest)
	if name == "" { // as with generateName
		name = fmt.Sprintf("line-%d", manifest.Line)
	}
	metadata := map[string]any{"name": name}
	if created := field(field(manifest, "metadata"), "creationTimestamp"); created != nil {
		metadata["creationTimestamp"] = scalarOf(created)
	}
	content := map[string]any{"metadata": metadata}
	if version := field(manifest, "apiVersion"); version != nil {
		content["apiVersion"] = version.Value
	}
	m := crd.Manifest{Places: awsauth.Places{Object: placeOf(manifest)}}
	if spec := field(manifest, "spec"); spec != nil {
		content["spec"] = specOf(spec, &m.Places)
	}
	m.Object = &unstructured.Unstructured{Object: content}
	return m
}

// specOf returns a spec as JSON has it, and notes the places of its values.
func specOf(spec *yaml.Node, places *awsauth.Places) any {
	if spec.Kind != yaml.MappingNode {
		return scalarOf(spec)
	}
	read := map[string]any{}
	for key, value := range keys(spec) {
		switch key {
		case "arn":
			read[key], places.ARN = scalarOf(value), placeOf(value)
		case "username":
			read[key], places.Username = scalarOf(value), placeOf(value)
		case "groups":
			if value.Kind != yaml.SequenceNode {
				read[key] = scalarOf(value)
				continue
			}
			groups := []any{}
			for group := range items(value) {
				groups, places.Groups = append(groups, scalarOf(group)), append(places.Groups, placeOf(group))
			}
			read[key] = groups
		}
	}
	return read
}

// scalarOf returns a text, or nil; false for a value of any other type.
func scalarOf(node *yaml.Node) any {
	switch {
	case node.Kind != yaml.ScalarNode:
		return false
	case node.Tag == "!!null":
		return nil
	case node.Tag == "!!str", node.Tag == "!!timestamp":
		return node.Value
	}
	return false
}

func placeOf(node *yaml.Node) awsauth.Place {
	return awsauth.Place{Line: node.Line, Column: node.Column}
}
