package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/deploy/kind"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// Kubernetes returns a client of the lab's cluster with administrator rights.
func (l *Lab) Kubernetes() (kubernetes.Interface, error) {
	client, err := kubernetes.NewForConfig(l.admin)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	return client, nil
}

// authenticatorRights returns the Role and RoleBinding of deploy/kind. They allow
// no more than the authenticator needs: to watch one ConfigMap, to report on it, and to
// fill two others.
func authenticatorRights() (role *rbacv1.Role, binding *rbacv1.RoleBinding, err error) {
	first, second, _ := strings.Cut(kind.RBAC, "\n---\n")
	role, binding = &rbacv1.Role{}, &rbacv1.RoleBinding{}
	if err := errors.Join(yaml.UnmarshalStrict([]byte(first), role), yaml.UnmarshalStrict([]byte(second), binding)); err != nil {
		return nil, nil, fmt.Errorf("reading the authenticator's rights: %w", err)
	}
	return role, binding, nil
}

// authenticatorConfigMaps returns the ConfigMaps of deploy/kind, which the authenticator
// fills.
func authenticatorConfigMaps() (configMaps []*corev1.ConfigMap, err error) {
	for text := range strings.SplitSeq(kind.ConfigMaps, "\n---\n") {
		configMap := &corev1.ConfigMap{}
		if err := yaml.UnmarshalStrict([]byte(text), configMap); err != nil {
			return nil, fmt.Errorf("reading the authenticator's ConfigMaps: %w", err)
		}
		configMaps = append(configMaps, configMap)
	}
	return configMaps, nil
}

// allowAuthenticator gives the authenticator its rights, and the ConfigMaps that it
// fills.
func (l *Lab) allowAuthenticator(ctx context.Context) error {
	role, _, err := authenticatorRights()
	if err != nil {
		return err
	}
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	if _, err = client.RbacV1().Roles(role.Namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the authenticator's Role: %w", err)
	}
	configMaps, err := authenticatorConfigMaps()
	if err != nil {
		return err
	}
	for _, configMap := range configMaps {
		if _, err := client.CoreV1().ConfigMaps(configMap.Namespace).Create(ctx, configMap, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating ConfigMap %s: %w", configMap.Name, err)
		}
	}
	if err := l.AllowAWSAuth(ctx); err != nil {
		return fmt.Errorf("binding the authenticator's Role: %w", err)
	}
	return nil
}

// AllowAWSAuth allows the authenticator to read aws-auth, as in a new lab.
func (l *Lab) AllowAWSAuth(ctx context.Context) error {
	_, binding, err := authenticatorRights()
	if err != nil {
		return err
	}
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	_, err = client.RbacV1().RoleBindings(binding.Namespace).Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// DenyAWSAuth revokes what AllowAWSAuth allows.
func (l *Lab) DenyAWSAuth(ctx context.Context) error {
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	return client.RbacV1().RoleBindings(metav1.NamespaceSystem).Delete(ctx, provider.AuthenticatorUser, metav1.DeleteOptions{})
}

// NodesMapping returns the entry of mapRoles that maps the nodes. A new lab's
// aws-auth has it, as a node group of EKS would write it.
func NodesMapping() string {
	return `- rolearn: arn:aws:iam::` + Account + `:role/` + nodeRole + `
  username: system:node:{{EC2PrivateDNSName}}
  groups:
    - system:bootstrappers
    - system:nodes
`
}

// createAWSAuth creates the aws-auth of a cluster with nodes.
func (l *Lab) createAWSAuth(ctx context.Context) error {
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	data, err := l.config.awsAuth()
	if err != nil {
		return err
	}
	_, err = client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: "aws-auth", Namespace: metav1.NamespaceSystem,
			Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}, // so that kubectl apply does not warn
		},
		Data: data,
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating aws-auth: %w", err)
	}
	return nil
}
