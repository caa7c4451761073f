package main

import (
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/internal/config"
)

func TestSources(t *testing.T) {
	t.Parallel()
	without, with := &config.File{}, &config.File{HasMappings: true}
	for name, test := range map[string]struct {
		options  mappingOptions
		file     *config.File
		names    []string
		warnings int
	}{
		"default":                     {mappingOptions{backendModes: []string{"MountedFile"}}, with, []string{"MountedFile"}, 0},
		"default without mappings":    {mappingOptions{backendModes: []string{"MountedFile"}}, without, []string{"MountedFile"}, 1},
		"a file instead of a default": {mappingOptions{backendModes: []string{"MountedFile"}, awsAuthFile: "f"}, without, []string{"AWSAuthFile"}, 0},
		"an owner instead of it":      {mappingOptions{backendModes: []string{"MountedFile"}, ownerARNs: []string{"o"}}, without, nil, 0},
		"a file beside mappings":      {mappingOptions{backendModes: []string{"MountedFile"}, awsAuthFile: "f"}, with, []string{"MountedFile", "AWSAuthFile"}, 0},
		"a file beside a given mode":  {mappingOptions{backendModes: []string{"MountedFile"}, backendModesGiven: true, awsAuthFile: "f"}, without, []string{"MountedFile", "AWSAuthFile"}, 1},
		"old names":                   {mappingOptions{backendModes: []string{"ConfigMap", "File"}, backendModesGiven: true, kubeconfig: "k"}, with, []string{"EKSConfigMap", "MountedFile"}, 0},
		"unused mappings, kubeconfig": {mappingOptions{backendModesGiven: true, awsAuthFile: "f", kubeconfig: "k"}, with, []string{"AWSAuthFile"}, 2},
		"unused URL":                  {mappingOptions{backendModesGiven: true, awsAuthFile: "f", master: "m"}, without, []string{"AWSAuthFile"}, 1},
	} {
		modes := slices.Clone(test.options.backendModes)
		names, warnings, err := test.options.sources(test.file)
		if err != nil || !slices.Equal(names, test.names) || len(warnings) != test.warnings {
			t.Errorf("%s: %q, warnings %q, %v; want %q, %d warnings", name, names, warnings, err, test.names, test.warnings)
		}
		if !slices.Equal(test.options.backendModes, modes) {
			t.Errorf("%s: the flags changed to %q", name, test.options.backendModes)
		}
	}
	for _, modes := range [][]string{{"DynamicFile"}, {"EKSConfigMap", "ConfigMap"}} {
		if names, _, err := (&mappingOptions{backendModes: modes}).sources(without); err == nil {
			t.Errorf("backend modes %q are accepted: %q", modes, names)
		}
	}
}
