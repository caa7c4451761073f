package kube

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// IdentityMappingsCRD is the name of the CustomResourceDefinition of
// aws-iam-authenticator's mappings.
const IdentityMappingsCRD = "iamidentitymappings.iamauthenticator.k8s.aws"

// IdentityMappings returns a client of the IAMIdentityMappings, which are cluster-scoped.
func IdentityMappings(client dynamic.Interface) dynamic.ResourceInterface {
	return client.Resource(identityMappings())
}

func identityMappings() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "iamauthenticator.k8s.aws", Version: "v1alpha1", Resource: "iamidentitymappings"}
}
