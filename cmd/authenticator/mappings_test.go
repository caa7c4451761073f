package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/internal/webhook"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestReservedPrefixes guard every source, its accounts too.
func TestReservedPrefixes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "aws-auth.yaml")
	if err := os.WriteFile(file, []byte("mapUsers:\n- userarn: arn:aws:iam::231144931069:user/bob\n  username: system:admin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := parseConfig([]byte(`
server:
  mapAccounts: ["012345678901"]
  reservedPrefixConfig:
  - {backendmode: MountedFile, usernamePrefixReserveList: ["arn:"]}
  - {backendmode: AWSAuthFile, usernamePrefixReserveList: ["system:"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{config: config}
	o := mappingOptions{backendModes: []string{"File"}, backendModesGiven: true, awsAuthFile: file, rolePaths: "ignore", ec2QPS: 1, ec2Burst: 1}
	if err := o.check(p); err != nil {
		t.Fatal(err)
	}
	m, err := o.newMappings(p, "aws", webhook.NewMetrics(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	for source, id := range map[string]struct{ account, path string }{
		"MountedFile's accounts": {"012345678901", "carol"},
		"AWSAuthFile's entries":  {mappertest.Account, "bob"},
	} {
		match, ok, err := m.mapper.Map(t.Context(), mappertest.User(t, id.account, id.path))
		if _, denied := errors.AsType[*mapper.DeniedError](err); !denied || ok {
			t.Errorf("%s: %+v, %v, %v", source, match, ok, err)
		}
	}
}
