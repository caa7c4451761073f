package controlplane

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

const (
	// IndexVariable is the environment variable for [Directory.Index].
	IndexVariable = "ENVTEST_INDEX"
	// Off as the index disables downloads.
	Off = "off"
	// DefaultIndex is the index of envtest.
	DefaultIndex = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
)

// errNotIndex means that a text is no index. The login page of a network is a common
// one.
var errNotIndex = errors.New("not in the form of envtest's releases")

// An index lists the published archives by version and name.
type index struct {
	Releases map[string]map[string]archive `json:"releases"`
}

// An archive contains the programs of one version for one platform.
type archive struct {
	SHA512 string `json:"hash"`
	URL    string `json:"selfLink"`
}

func parseIndex(text []byte) (index, error) {
	var i index
	if err := yaml.Unmarshal(text, &i); err != nil || len(i.Releases) == 0 {
		return i, errNotIndex // the error of the YAML would name types of Go
	}
	return i, nil
}

// find returns the archive of the version, else that of the newest patch of the same
// minor version.
func (i index) find(wanted, goos, goarch string) (string, archive, error) {
	want, err := version.ParseSemantic(wanted)
	if err != nil {
		return "", archive{}, err
	}
	var newest *version.Version
	var name string
	for release, archives := range i.Releases {
		v, err := version.ParseSemantic(release)
		if err != nil || v.Major() != want.Major() || v.Minor() != want.Minor() || v.PreRelease() != "" {
			continue
		}
		if _, ok := archives[archiveName(release, goos, goarch)]; !ok {
			continue
		}
		if newest == nil || v.EqualTo(want) || newest.LessThan(v) && !newest.EqualTo(want) {
			newest, name = v, release
		}
	}
	if newest == nil {
		return "", archive{}, fmt.Errorf("no Kubernetes %d.%d for %s/%s is published", want.Major(), want.Minor(), goos, goarch)
	}
	return name, i.Releases[name][archiveName(name, goos, goarch)], nil
}

func archiveName(release, goos, goarch string) string {
	return fmt.Sprintf("envtest-%s-%s-%s.tar.gz", release, goos, goarch)
}
