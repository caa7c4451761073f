package envtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// controllers returns the controllers that work without nodes. The pods of Deployments
// and Jobs stay Pending, as in a cluster whose nodes have not joined.
func controllers() []string {
	return []string{
		"clusterrole-aggregation-controller",
		"serviceaccount-controller",
		"serviceaccount-token-controller",
		"root-ca-certificate-publisher-controller",
		"namespace-controller",
		"garbage-collector-controller",
		"deployment-controller",
		"replicaset-controller",
		"statefulset-controller",
		"job-controller",
		"cronjob-controller",
	}
}

// hasControllers reports whether the control plane has a kube-controller-manager. That
// of envtest has none.
func (c *Cluster) hasControllers() bool {
	return controlplane.Check(c.spec.Assets, controlplane.ControllerManager) == nil
}

// startControllers starts kube-controller-manager, as kubeadm does: each controller has
// its own ServiceAccount.
func (c *Cluster) startControllers(context.Context) error {
	if !c.hasControllers() {
		c.spec.Progress("no %s in %s: ClusterRoles view, edit and admin have no rules, and namespaces no default ServiceAccount (make control-plane gets it)",
			controlplane.ControllerManager, c.spec.Assets)
		return nil
	}
	user, err := c.plane.AddUser(envtest.User{Name: "system:kube-controller-manager"}, nil)
	if err != nil {
		return fmt.Errorf("creating the user of the controllers: %w", err)
	}
	const controllersKubeconfig = Dir + "/controllers.kubeconfig"
	if err := kubeconfig.WriteCertificate(c.spec.Dir, controllersKubeconfig, "controllers", user.Config()); err != nil {
		return err
	}
	started, err := startProgram(c.spec.Dir, ControllersLog, os.Environ(), filepath.Join(c.spec.Assets, controlplane.ControllerManager), controlplane.ControllerManager,
		"--kubeconfig="+c.spec.Path(controllersKubeconfig),
		"--controllers="+strings.Join(controllers(), ","),
		"--use-service-account-credentials",
		"--root-ca-file="+c.spec.Path(caFile),
		"--service-account-private-key-file="+c.spec.Path(Dir, "apiserver", "sa-signer.key"),
		"--leader-elect=false",
		"--secure-port=0", // nothing asks it
	)
	if err != nil {
		return err
	}
	c.controllers = started
	return c.spec.Record()
}

// waitForControllers waits until the controllers have done what every cluster relies on.
func (c *Cluster) waitForControllers(ctx context.Context) error {
	if c.controllers == nil {
		return nil
	}
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return fmt.Errorf("making a Kubernetes client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		last := controllersReady(ctx, client)
		if last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.controllers.exited:
			return fmt.Errorf("%s ended (%w); its log says:\n%s", controlplane.ControllerManager, c.controllers.err, provider.Tail(c.spec.Dir, ControllersLog))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; its log says:\n%s", controlplane.ControllerManager, last, provider.Tail(c.spec.Dir, ControllersLog))
		}
	}
}

func controllersReady(ctx context.Context, client kubernetes.Interface) error {
	// Of the three, admin aggregates the most: it includes edit, which includes view.
	admin, err := client.RbacV1().ClusterRoles().Get(ctx, "admin", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(admin.Rules) == 0 {
		return errors.New("ClusterRole admin has no rules yet")
	}
	_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}
