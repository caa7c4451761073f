package kube

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/kube-iam/authenticator/internal/rights"
)

// MaxRBAC is the maximum number of objects of each of RBAC's four resources.
const MaxRBAC = 100_000

// Policy reads the RBAC of a cluster, page by page.
func Policy(ctx context.Context, client dynamic.Interface) (*rights.Policy, error) {
	var roles []rights.Role
	role := func(read rbacv1.Role) {
		roles = append(roles, rights.Role{Namespace: read.Namespace, Name: read.Name, Rules: read.Rules})
	}
	var bindings []rights.Binding
	binding := func(read rbacv1.RoleBinding) {
		bindings = append(bindings, rights.Binding{Namespace: read.Namespace, Name: read.Name, Role: read.RoleRef, Subjects: read.Subjects})
	}
	// The cluster-wide objects have the same fields as those in namespaces.
	for _, read := range []func() error{
		func() error { return each(ctx, client, "clusterroles", role) },
		func() error { return each(ctx, client, "roles", role) },
		func() error { return each(ctx, client, "clusterrolebindings", binding) },
		func() error { return each(ctx, client, "rolebindings", binding) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return rights.NewPolicy(roles, bindings), nil
}

// each visits all objects of a resource of RBAC in all namespaces.
func each[T any](ctx context.Context, client dynamic.Interface, resource string, visit func(T)) error {
	objects := client.Resource(rbacv1.SchemeGroupVersion.WithResource(resource))
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return objects.List(ctx, options)
	})
	count := 0
	err := pages.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		if count++; count > MaxRBAC {
			return fmt.Errorf("there are more than %d", MaxRBAC)
		}
		var read T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.(*unstructured.Unstructured).Object, &read); err != nil {
			return err
		}
		visit(read)
		return nil
	})
	if apierrors.IsForbidden(err) {
		return &MissingRightError{Verb: "list", Resource: resource + "." + rbacv1.GroupName, Err: err}
	}
	if err != nil {
		return fmt.Errorf("listing %s: %w", resource, err)
	}
	return nil
}

// A MissingRightError means that the caller of the API server lacks a right, which is
// needed in all namespaces.
type MissingRightError struct {
	Verb, Resource string
	Err            error
}

func (e *MissingRightError) Error() string {
	return fmt.Sprintf("you may not %s %s in this cluster: %v", e.Verb, e.Resource, e.Err)
}

func (e *MissingRightError) Unwrap() error { return e.Err }
