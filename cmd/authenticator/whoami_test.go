package main

import (
	"strings"
	"testing"
)

// TestClusterIDOf checks the cluster ID in the arguments of credential plugins. A flag of
// another program is not the cluster's: whoami would call the right ID wrong.
func TestClusterIDOf(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"token --cluster-id blue":                                    "blue",
		"token -i blue --cache":                                      "blue",
		"token -i=blue":                                              "blue",
		"token --cluster-id=blue":                                    "blue",
		"token -i green -i blue":                                     "blue",
		"eks get-token --cluster-name blue --output json":            "blue",
		"--region eu-west-2 eks get-token --cluster-name=blue":       "blue",
		"eks get-token --cluster-id blue":                            "blue",
		"exec work -- aws eks get-token --cluster-name blue":         "blue",
		"run -i --rm image aws eks get-token --cluster-name blue":    "blue",
		"run -i --rm image aws eks get-token":                        "",
		"-i key host authenticator token":                            "",
		"-i -c my-plugin":                                            "",
		"get-token --login azurecli --server-id blue -i interactive": "",
		"token --cluster-id":                                         "",
		"token":                                                      "",
		"":                                                           "",
	} {
		if got := clusterIDOf(strings.Fields(args)); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}
