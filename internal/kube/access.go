package kube

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/rights"
)

// CanI asks the API server whether a user may do an action. The API server asks all of
// its authorizers, not RBAC alone.
func CanI(ctx context.Context, client dynamic.Interface, user authorizationv1.SubjectAccessReviewSpec, action rights.Action) (authorizationv1.SubjectAccessReviewStatus, error) {
	review := authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authorizationv1.SchemeGroupVersion.String(), Kind: "SubjectAccessReview"},
		Spec:     user,
	}
	if action.Path != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: action.Path, Verb: action.Verb}
	} else {
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Namespace: action.Namespace, Verb: action.Verb, Group: action.Group, Resource: action.Resource,
			Subresource: action.Subresource, Name: action.Name,
		}
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&review)
	if err != nil {
		return review.Status, fmt.Errorf("asking the API server about %s: %w", action, err)
	}
	reviews := client.Resource(authorizationv1.SchemeGroupVersion.WithResource("subjectaccessreviews"))
	answer, err := reviews.Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) {
		return review.Status, &MissingRightError{Verb: "create", Resource: "subjectaccessreviews." + authorizationv1.GroupName, Err: err}
	}
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, &review)
	}
	if err != nil {
		return review.Status, fmt.Errorf("asking the API server about %s: %w", action, err)
	}
	return review.Status, nil
}
