package lab

import (
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// TestRights checks that the manifest binds the user that the lab creates.
func TestRights(t *testing.T) {
	t.Parallel()
	role, binding, err := authenticatorRights()
	if err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) != 3 || binding.RoleRef.Name != role.Name || binding.Subjects[0].Name != provider.AuthenticatorUser {
		t.Errorf("%s binds %s to %v", binding.Name, binding.RoleRef.Name, binding.Subjects)
	}
	configMaps, err := authenticatorConfigMaps()
	if err != nil {
		t.Fatal(err)
	}
	names := role.Rules[1].ResourceNames
	for i, configMap := range configMaps {
		if configMap.Namespace != role.Namespace || len(names) != len(configMaps) || configMap.Name != names[i] || configMap.Data != nil {
			t.Errorf("ConfigMap %s/%s, with data %v: the Role has %v", configMap.Namespace, configMap.Name, configMap.Data, names)
		}
	}
}
