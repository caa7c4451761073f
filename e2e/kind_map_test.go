//go:build e2e

package e2e

import (
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeRole is the role with which the nodes sign in.
const nodeRole = "arn:aws:iam::231144931069:role/KubedemyNode"

// TestWorkerWithoutItsRole removes the nodes' role from aws-auth, which every guide warns
// of. The command refuses as long as a ready node uses the role. Forced, the node
// becomes not ready, an Event says why, and a rollback mends it.
func TestWorkerWithoutItsRole(t *testing.T) {
	onKind(t)
	t.Parallel()
	const (
		lease       = 10 * time.Second // after which a kubelet renews its lease
		gracePeriod = 50 * time.Second // maximum age of a lease
		monitoring  = 5 * time.Second  // that leases are looked at after
	)
	worker := worker(t)
	keepAWSAuth(t)
	eventually(t, 2*lease+watchDelay, "the worker ready", worker.ready)
	before := currentAWSAuth(t)
	admin := newShell(t, awsCLIs(t)[0])

	remove := suite.Info().Authenticator + " map remove --yes " + nodeRole
	admin.fails(remove, "role KubedemyNode of account 231144931069 would leave system:nodes, and these nodes are ready and may use it: "+worker.name)
	if refused := currentAWSAuth(t); refused.ResourceVersion != before.ResourceVersion {
		t.Errorf("the refused edit was made: %v", refused.Data)
	}
	admin.run(remove + " --force")
	removed := time.Now()
	after := currentAWSAuth(t)
	eventually(t, watchDelay, "an Event about the edit", func() bool {
		events, err := worker.client.CoreV1().Events(metav1.NamespaceSystem).List(t.Context(), metav1.ListOptions{
			FieldSelector: "reason=NodesLost,involvedObject.name=aws-auth,involvedObject.resourceVersion=" + after.ResourceVersion,
		})
		return err == nil && len(events.Items) == 1
	})
	eventually(t, watchDelay+tokenCacheTTL+webhookCacheTTL+lease+gracePeriod+monitoring, "the worker lost", func() bool {
		return worker.readiness() == corev1.ConditionUnknown
	})
	t.Logf("not ready after %.1f s", time.Since(removed).Seconds())
	// On a busy machine, the metadata service may answer the plugin too late.
	eventually(t, lease, "the kubelet refused", func() bool {
		output, err := worker.try("kubectl", "--kubeconfig="+kubeletKubeconfig, "auth", "whoami")
		if err == nil {
			t.Errorf("the kubelet is answered: %s", output)
		}
		return err == nil || strings.Contains(output, "Unauthorized")
	})

	admin.run(suite.Info().Authenticator + " map rollback --yes")
	restored := time.Now()
	if now := currentAWSAuth(t); !maps.Equal(now.Data, before.Data) {
		t.Errorf("after the rollback aws-auth has %q, want %q", now.Data, before.Data)
	}
	eventually(t, 2*lease+watchDelay, "the worker back", func() bool { return worker.readySince(restored) })
	t.Logf("ready again after %.1f s", time.Since(restored).Seconds())
}

// currentAWSAuth returns aws-auth.
func currentAWSAuth(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	found, err := awsAuth(t).Get(t.Context(), "aws-auth", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
