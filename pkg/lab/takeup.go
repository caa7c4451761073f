package lab

import (
	"context"
	"fmt"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// canBeTakenUp reports whether a lab that was killed can be taken up: it was ready, so its
// files are complete, and all that it needs is in its directory.
func (i Info) canBeTakenUp() bool {
	return i.Complete && (i.Provider == Envtest || i.ControlPlanes > 0) // earlier versions did not record those
}

// takeUp prepares for a lab that goes on with the files of a killed one, if there is one
// that can be taken up. It ends the programs that still run: their logs went through the
// killed lab.
func (l *Lab) takeUp(ctx context.Context) error {
	killed, ok, err := abandoned(l.dir)
	if err != nil {
		return err
	}
	// A lab with users of its own starts from scratch, with exactly those.
	if !ok || !killed.canBeTakenUp() || killed.Provider != l.config.Provider || len(l.config.Users) > 0 {
		return l.claim.clear(ctx, l.config.Progress)
	}
	l.earlier = &killed // even if this lab gives up below: its files stay
	if err := l.keepNodes(killed); err != nil {
		return err
	}
	if err := endLeftovers(ctx, l.dir, l.config.Progress); err != nil {
		return fmt.Errorf("ending what a killed lab left: %w", err)
	}
	l.progress("resuming the lab that was killed (%s); to start from scratch, run %s first", killed.owner(), provider.Command(l.dir.Path(), "down"))
	// If this lab is killed before it is ready, or does not come up, the next one needs these.
	l.info.Complete = true
	l.info.Endpoint, l.info.AWS, l.info.Webhook, l.info.OwnerARN = killed.Endpoint, killed.AWS, killed.Webhook, killed.OwnerARN
	return nil
}

// keepNodes configures the nodes that a killed lab has.
func (l *Lab) keepNodes(killed Info) error {
	if killed.Provider != Kind {
		return nil
	}
	kind := &l.config.Kind
	if kind.Nodes != killed.Nodes || max(1, kind.ControlPlanes) != killed.ControlPlanes {
		return fmt.Errorf("the lab that was killed has %d control-plane nodes and %d workers, not %d and %d (to take it up, use --control-planes %[1]d --nodes %[2]d; to start from scratch, run %[5]s first)",
			killed.ControlPlanes, killed.Nodes, max(1, kind.ControlPlanes), kind.Nodes, provider.Command(l.dir.Path(), "down"))
	}
	return nil
}

// takesUp reports whether the lab goes on with a killed one.
func (l *Lab) takesUp() bool { return l.earlier != nil }

// listenAsBefore listens for local AWS. The shells that use a killed lab have its
// address, so a lab that takes it up has the same, unless another is configured or it is
// in use.
func (l *Lab) listenAsBefore() (net.Listener, error) {
	if l.takesUp() && l.config.Listen == anyPort {
		listener, err := listenOnLoopback(strings.TrimPrefix(l.earlier.AWS, "http://"))
		if err == nil {
			return listener, nil
		}
		l.progress("%v; shells that use the lab need lab env again", err)
	}
	return listenOnLoopback(l.config.Listen)
}

// renewKubeconfig writes the administrator's new certificate into the kubeconfig. What the
// user has added stays.
func (l *Lab) renewKubeconfig(admin *rest.Config) error {
	entries, err := l.dir.Entries()
	if err != nil {
		return fmt.Errorf("reading the lab's directory: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == kubeconfigFile {
			return kubeconfig.RenewCertificate(l.dir, kubeconfigFile, administratorContext, admin)
		}
	}
	return kubeconfig.WriteCertificate(l.dir, kubeconfigFile, administratorContext, admin)
}

// guard installs the guard on aws-auth, or removes it, as configured. A cluster that was
// taken up may have one.
func (l *Lab) guard(ctx context.Context) error {
	if l.config.NoAdmission {
		if err := l.UnguardAWSAuth(ctx); !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	}
	if err := l.GuardAWSAuth(ctx); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}
