package settings

import (
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/internal/config"
)

func TestSources(t *testing.T) {
	t.Parallel()
	without, with := &config.File{}, &config.File{HasMappings: true}
	for name, test := range map[string]struct {
		options  Mapping
		file     *config.File
		names    []string
		warnings int
	}{
		"default":                     {Mapping{BackendModes: []string{"MountedFile"}}, with, []string{"MountedFile"}, 0},
		"default without mappings":    {Mapping{BackendModes: []string{"MountedFile"}}, without, []string{"MountedFile"}, 1},
		"a file instead of a default": {Mapping{BackendModes: []string{"MountedFile"}, AWSAuthFile: "f"}, without, []string{"AWSAuthFile"}, 0},
		"an owner instead of it":      {Mapping{BackendModes: []string{"MountedFile"}, OwnerARNs: []string{"o"}}, without, nil, 0},
		"a file beside mappings":      {Mapping{BackendModes: []string{"MountedFile"}, AWSAuthFile: "f"}, with, []string{"MountedFile", "AWSAuthFile"}, 0},
		"a file beside a given mode":  {Mapping{BackendModes: []string{"MountedFile"}, BackendModesGiven: true, AWSAuthFile: "f"}, without, []string{"MountedFile", "AWSAuthFile"}, 1},
		"old names":                   {Mapping{BackendModes: []string{"ConfigMap", "File"}, BackendModesGiven: true, Kubeconfig: "k"}, with, []string{"EKSConfigMap", "MountedFile"}, 0},
		"unused mappings, kubeconfig": {Mapping{BackendModesGiven: true, AWSAuthFile: "f", Kubeconfig: "k"}, with, []string{"AWSAuthFile"}, 2},
		"unused URL":                  {Mapping{BackendModesGiven: true, AWSAuthFile: "f", Master: "m"}, without, []string{"AWSAuthFile"}, 1},
	} {
		modes := slices.Clone(test.options.BackendModes)
		names, warnings, err := test.options.SourceNames(test.file)
		if err != nil || !slices.Equal(names, test.names) || len(warnings) != test.warnings {
			t.Errorf("%s: %q, warnings %q, %v; want %q, %d warnings", name, names, warnings, err, test.names, test.warnings)
		}
		if !slices.Equal(test.options.BackendModes, modes) {
			t.Errorf("%s: the flags changed to %q", name, test.options.BackendModes)
		}
	}
	for _, modes := range [][]string{{"DynamicFile"}, {"EKSConfigMap", "ConfigMap"}} {
		if names, _, err := (&Mapping{BackendModes: modes}).SourceNames(without); err == nil {
			t.Errorf("backend modes %q are accepted: %q", modes, names)
		}
	}
}
