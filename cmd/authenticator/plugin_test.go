package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/cli"
)

// TestKrewManifest checks the plugin's manifest as krew does.
func TestKrewManifest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/krew/iam.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type file struct{ From, To string }
	var manifest struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             struct {
			Version, Homepage, ShortDescription, Description string
			Platforms                                        []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, SHA256, Bin string
				Files            []file
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		t.Fatal(err)
	}
	spec := manifest.Spec
	if manifest.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || manifest.Kind != "Plugin" || "kubectl-"+manifest.Metadata.Name != pluginFile {
		t.Errorf("the manifest is %s %s %s", manifest.APIVersion, manifest.Kind, manifest.Metadata.Name)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(spec.Version) || spec.Homepage == "" || spec.Description == "" {
		t.Errorf("version %q, homepage %q, description %q", spec.Version, spec.Homepage, spec.Description)
	}
	if n := len(spec.ShortDescription); n == 0 || n > 50 || strings.HasSuffix(spec.ShortDescription, ".") {
		t.Errorf("the short description has %d characters, or ends with a full stop", n)
	}
	seen := map[string]bool{}
	for _, platform := range spec.Platforms {
		labels := platform.Selector.MatchLabels
		name := labels["os"] + "_" + labels["arch"]
		if seen[name] || len(labels) != 2 {
			t.Errorf("platform %v is there twice, or has other labels", labels)
		}
		seen[name] = true
		if !strings.HasPrefix(platform.URI, "https://") || !strings.Contains(platform.URI, "/"+spec.Version+"/") || !strings.HasSuffix(platform.URI, "_"+name+".tar.gz") {
			t.Errorf("%s: uri %s", name, platform.URI)
		}
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(platform.SHA256) || platform.Bin != pluginFile {
			t.Errorf("%s: sha256 %q, bin %q", name, platform.SHA256, platform.Bin)
		}
		if len(platform.Files) != 2 || platform.Files[0] != (file{"authenticator", pluginFile}) {
			t.Errorf("%s: files %v", name, platform.Files)
		}
	}
	if len(seen) != 4 {
		t.Errorf("the manifest has %d platforms, want 4", len(seen))
	}
}

// TestDocumentedMapCommands checks that the commands in the tables of other programs'
// commands can be parsed.
func TestDocumentedMapCommands(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Commands that edit aws-auth\n")
	checked := 0
	for _, found := range regexp.MustCompile("`authenticator ([^`]+)`").FindAllStringSubmatch(section, -1) {
		if found[1] == "map" {
			continue // the group
		}
		checked++
		command, args, err := newRoot(nil, cli.Streams{}).Find(strings.Fields(found[1]))
		if err != nil || !command.Runnable() {
			t.Errorf("%s: %v", found[1], err)
			continue
		}
		if err := command.ParseFlags(args); err != nil {
			t.Errorf("%s: %v", found[1], err)
			continue
		}
		if err := command.ValidateArgs(command.Flags().Args()); err != nil {
			t.Errorf("%s: %v", found[1], err)
		}
	}
	if checked < 15 {
		t.Errorf("%d commands were checked, want 15 or more", checked)
	}
}
