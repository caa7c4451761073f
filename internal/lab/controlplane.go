package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// authenticatorKubernetesUser is who the authenticator is in Kubernetes.
const authenticatorKubernetesUser = "aws-iam-authenticator"

// A controlPlane is a kube-apiserver and its etcd, as plain processes.
type controlPlane struct {
	envtest.ControlPlane
	logs []*os.File
	// admin may do anything; it is how the lab itself works on the cluster.
	admin *rest.Config
	ca    []byte
}

func (l *Lab) startControlPlane(ctx context.Context) error {
	dir := l.path("controlplane")
	plane := &controlPlane{}
	l.controlPlane = plane
	plane.KubectlPath = filepath.Join(l.config.Assets, "kubectl")
	plane.Etcd = &envtest.Etcd{Path: filepath.Join(l.config.Assets, "etcd"), DataDir: filepath.Join(dir, "etcd"), StartTimeout: time.Minute}
	plane.APIServer = &envtest.APIServer{Path: filepath.Join(l.config.Assets, "kube-apiserver"), CertDir: filepath.Join(dir, "apiserver"), StartTimeout: 2 * time.Minute}
	for _, path := range []string{plane.Etcd.DataDir, plane.APIServer.CertDir} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("making the control plane's directory: %w", err)
		}
	}
	var err error
	if plane.Etcd.Err, err = plane.log(filepath.Join(dir, "etcd.log")); err != nil {
		return err
	}
	if plane.APIServer.Err, err = plane.log(filepath.Join(dir, "kube-apiserver.log")); err != nil {
		return err
	}
	// What an operator adds to a kube-apiserver, and all of it.
	arguments := plane.GetAPIServer().Configure()
	arguments.Set("authentication-token-webhook-config-file", l.webhookKubeconfig())
	arguments.Set("authentication-token-webhook-version", "v1")
	if l.config.WebhookCacheTTL > 0 {
		arguments.Set("authentication-token-webhook-cache-ttl", l.config.WebhookCacheTTL.String())
	}
	if err := l.endIfCancelled(ctx, plane.Start); err != nil {
		return fmt.Errorf("%w (its logs are in %s)", err, dir)
	}
	plane.ca = plane.APIServer.CA
	if err := l.writeAdminKubeconfig(); err != nil {
		return err
	}
	return l.allowAuthenticator(ctx)
}

// endIfCancelled starts the control plane. envtest waits for its programs
// whatever the context says: they are ended under it, which it does notice.
func (l *Lab) endIfCancelled(ctx context.Context, start func() error) error {
	started := make(chan error, 1)
	go func() { started <- start() }()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := endLeftovers(context.WithoutCancel(ctx), l.config.Dir); err != nil {
			return err
		}
		select {
		case <-started:
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (p *controlPlane) log(path string) (*os.File, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("opening a log of the control plane: %w", err)
	}
	p.logs = append(p.logs, file)
	return file, nil
}

func (p *controlPlane) stop() error {
	errs := []error{p.Stop()}
	for _, file := range p.logs {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// endpoint is the URL that kubectl dials.
func (p *controlPlane) endpoint() string {
	return p.APIServer.SecureServing.URL("https", "").String()
}

// writeAdminKubeconfig writes the kubeconfig with which step 4 of the story
// edits aws-auth. update-kubeconfig will add its own context to the same file.
func (l *Lab) writeAdminKubeconfig() error {
	admin, err := l.controlPlane.AddUser(envtest.User{Name: "lab-administrator", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("making an administrator: %w", err)
	}
	l.controlPlane.admin = admin.Config()
	return writeKubeconfig(l.adminKubeconfig(), administratorContext, admin)
}

// allowAuthenticator gives the authenticator its kubeconfig and the least
// rights that it needs: to watch one ConfigMap and to report on it.
func (l *Lab) allowAuthenticator(ctx context.Context) error {
	user, err := l.controlPlane.AddUser(envtest.User{Name: authenticatorKubernetesUser}, nil)
	if err != nil {
		return fmt.Errorf("making the authenticator's Kubernetes user: %w", err)
	}
	if err := writeKubeconfig(l.path("authenticator", "kubeconfig"), "authenticator", user); err != nil {
		return err
	}
	if err := l.createRole(ctx); err != nil {
		return fmt.Errorf("making the authenticator's Role: %w", err)
	}
	if err := l.AllowAWSAuth(ctx); err != nil {
		return fmt.Errorf("binding the authenticator's Role: %w", err)
	}
	return nil
}

// Kubernetes is a client of the lab's cluster with an administrator's rights.
func (l *Lab) Kubernetes() (kubernetes.Interface, error) {
	client, err := kubernetes.NewForConfig(l.controlPlane.admin)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	return client, nil
}

func (l *Lab) createRole(ctx context.Context) error {
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: authenticatorKubernetesUser, Namespace: metav1.NamespaceSystem},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{corev1.GroupName}, Resources: []string{"configmaps"}, ResourceNames: []string{"aws-auth"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{corev1.GroupName}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		},
	}
	_, err = client.RbacV1().Roles(metav1.NamespaceSystem).Create(ctx, role, metav1.CreateOptions{})
	return err
}

// AllowAWSAuth lets the authenticator read aws-auth, as it may when a lab is up.
func (l *Lab) AllowAWSAuth(ctx context.Context) error {
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: authenticatorKubernetesUser, Namespace: metav1.NamespaceSystem},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: authenticatorKubernetesUser},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: authenticatorKubernetesUser}},
	}
	_, err = client.RbacV1().RoleBindings(metav1.NamespaceSystem).Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// DenyAWSAuth takes the authenticator's right to read aws-auth away.
func (l *Lab) DenyAWSAuth(ctx context.Context) error {
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	return client.RbacV1().RoleBindings(metav1.NamespaceSystem).Delete(ctx, authenticatorKubernetesUser, metav1.DeleteOptions{})
}
