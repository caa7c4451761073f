//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestNodeRoleRemoved removes a node role's mapping with kubectl, past the checks of
// `authenticator map`: the server says so in its log, an Event and a metric.
func TestNodeRoleRemoved(t *testing.T) {
	const node = "- rolearn: arn:aws:iam::231144931069:role/OtherNodes\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"
	setAWSAuth(t, map[string]string{"mapRoles": node})
	s := newShell(t, awsCLIs(t)[0])
	server := serve(s, "server", "--cluster-id=kubedemy", "--backend-mode=EKSConfigMap", "--kubeconfig="+accountOfTheManifests(s))
	const losses = `mapping_losses_total{cluster="kubedemy",group="system:nodes"}`
	if n := server.metric(losses); n != 0 {
		t.Fatalf("before: %v losses", n)
	}
	putAWSAuth(t, nil, map[string]string{"mapRoles": lab.NodesMapping()})
	eventually(t, watchDelay, "counted", func() bool { return server.metric(losses) == 1 })
	eventually(t, watchDelay, "an error in the log", func() bool {
		for line := range strings.Lines(server.logged()) {
			if strings.Contains(line, "level=ERROR") && strings.Contains(line, "NodesLost") && strings.Contains(line, "OtherNodes") {
				return true
			}
		}
		return false
	})
	eventually(t, watchDelay+eventDelay, "an Event on aws-auth", func() bool {
		events := s.run("kubectl -n kube-system get events --field-selector reason=NodesLost,involvedObject.name=aws-auth -o jsonpath='{.items[*].message}'")
		return strings.Contains(events, "role OtherNodes of account 231144931069") && strings.Contains(events, "authenticator map rollback")
	})
}
