package crd

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kube-iam/authenticator/internal/kube"
)

// A failure is why the objects cannot be read, as long as nobody changes the cluster.
type failure struct{ message, fix string }

// failureOf returns the failure that an error of the API server shows; zero if the next
// attempt may succeed.
func failureOf(err error) failure {
	switch {
	case apierrors.IsNotFound(err):
		return failure{"the CustomResourceDefinition " + kube.IdentityMappingsCRD + " is not installed", "apply the manifests in deploy/kubernetes/components/crd"}
	case apierrors.IsForbidden(err):
		return failure{"the server may not list and watch " + kube.IdentityMappingsCRD + ": " + err.Error(), "apply the RBAC in deploy/kubernetes/components/crd"}
	}
	return failure{}
}

// notInstalled is the error of the API server without the CustomResourceDefinition.
type notInstalled struct {
	failure
	cause error
}

func (e notInstalled) Error() string { return e.message + " (" + e.fix + ")" }
func (e notInstalled) Unwrap() error { return e.cause }

// observe notes the result of a call of the API server.
func (c *CRD) observe(err error) {
	if err == nil {
		c.store.fail(failure{})
		return
	}
	c.config.OnFailure()
	if f := failureOf(err); f != (failure{}) && c.store.fail(f) {
		c.config.Log.Error("the IAMIdentityMappings cannot be read: what was read before stays in force", "error", f.message, "fix", f.fix)
	}
}
