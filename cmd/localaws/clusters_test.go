package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestClustersAreRegistered(t *testing.T) {
	a, err := localaws.New(localaws.Config{Region: "eu-west-2"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, a.CA(), 0o600); err != nil { // any certificate will do
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		flags clusterFlags
		good  bool
	}{
		"kubedemy":   {clusterFlags{[]string{"kubedemy=https://127.0.0.1:6443"}, []string{"kubedemy=" + file}}, true},
		"no cluster": {clusterFlags{[]string{"no cluster=https://127.0.0.1:6443"}, []string{"no cluster=" + file}}, false},
		"plain":      {clusterFlags{[]string{"plain=http://127.0.0.1:6443"}, []string{"plain=" + file}}, false},
	} {
		servers, err := test.flags.parse()
		if err != nil {
			t.Fatal(err)
		}
		if err := registerClusters(a, servers); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
		got, ok := a.Cluster("eu-west-2", name)
		if ok != test.good || ok && got.Endpoint != "https://127.0.0.1:6443" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
