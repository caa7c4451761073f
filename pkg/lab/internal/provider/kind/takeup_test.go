package kind

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// killed returns a cluster that goes on with that of a killed lab, whose containers find
// local AWS at an address.
func killed(t *testing.T, address string) *Cluster {
	t.Helper()
	k := testCluster(t, Config{}, 1)
	k.dockerHost = "unix:///somewhere.sock"
	if address != "" {
		k.network.addresses = map[string]string{tlsListener: address}
	}
	if err := k.declare(); err != nil {
		t.Fatal(err)
	}
	again := newCluster(k.spec, k.config)
	again.spec.Earlier.Endpoint = "https://127.0.0.1:6443"
	again.spec.Step = func(ctx context.Context, step provider.Step) error { return step.Run(ctx) }
	var err error
	if again.spec.AWS, err = localaws.New(localaws.Config{}); err != nil {
		t.Fatal(err)
	}
	return again
}

// TestCannotTakeUp checks why a killed lab's containers cannot be taken up, and that they
// stay.
func TestCannotTakeUp(t *testing.T) {
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inUse.Close()
	const free = "127.0.0.1:0"
	const engine = `
"context inspect"*) echo unix:///somewhere.sock ;;
"network inspect"*) echo '[{"Subnet":"127.0.0.0/8","Gateway":"127.0.0.1"}]' ;;`
	for name, test := range map[string]struct {
		address, script string
		words           []string
	}{
		"of an earlier version": {"", engine, []string{"made.json does not say where its containers find local AWS (lab down --dir "}},
		"in another engine": {
			free, `
"context inspect"*) echo unix:///other.sock ;;`,
			[]string{"in the engine at unix:///somewhere.sock", "the one at unix:///other.sock", "set DOCKER_HOST"},
		},
		"an address in use": {inUse.Addr().String(), engine, []string{inUse.Addr().String(), "address already in use", "lab down --dir "}},
		"a container is gone": {
			free, engine + `
"ps "*) echo kubedemy-control-plane ;;`,
			[]string{"does not exist any more (start from scratch: lab down --dir "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := killed(t, test.address)
			removed := filepath.Join(t.TempDir(), "removed")
			standIn(t, `case "$*" in`+test.script+`
rm*|"network rm"*) echo "$*" >> `+removed+` ;;
esac`)
			_, err := k.takeUp(t.Context())
			says(t, err, test.words...)
			if text, err := os.ReadFile(removed); err == nil {
				t.Errorf("it removes something: %s", text)
			}
			if _, ok, err := leftoverOf(k.spec.Dir); !ok || err != nil {
				t.Errorf("the record of what is left: %v, %v", ok, err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one error: %v", err)
			}
		})
	}
}
