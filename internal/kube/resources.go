package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/rights"
)

// maxDiscovery is the maximum size of a discovery document. That of a cluster with a
// hundred CustomResourceDefinitions has about 200 KiB.
const maxDiscovery = 16 << 20

// Resources returns the resources of an API server, each once, in its order of
// preference. client-go's discovery client would link all kinds of Kubernetes.
func Resources(ctx context.Context, config *rest.Config) ([]rights.Resource, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme())
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("creating a client of the API server: %w", err)
	}
	var resources []rights.Resource
	for _, path := range []string{"/api", "/apis"} { // the core group comes first
		groups, err := discover(ctx, client, path)
		if err != nil {
			return nil, fmt.Errorf("discovering the resources of the API server: %w", err)
		}
		resources = append(resources, resourcesOf(groups)...)
	}
	return resources, nil
}

func discover(ctx context.Context, client rest.Interface, path string) (*apidiscoveryv2.APIGroupDiscoveryList, error) {
	// Kubernetes 1.26 to 1.29 have v2beta1 only, which has the same fields.
	stream, err := client.Get().AbsPath(path).SetHeader("Accept",
		"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
		"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList").Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	body, err := io.ReadAll(io.LimitReader(stream, maxDiscovery+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDiscovery {
		return nil, fmt.Errorf("%s: the response has more than %d MiB", path, maxDiscovery>>20)
	}
	var groups apidiscoveryv2.APIGroupDiscoveryList
	if err := json.Unmarshal(body, &groups); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if groups.Kind != "APIGroupDiscoveryList" {
		return nil, fmt.Errorf("%s: the response is a %s, expected an APIGroupDiscoveryList (Kubernetes 1.26 or newer)", path, groups.Kind)
	}
	return &groups, nil
}

// resourcesOf returns the resources of groups. A resource of several versions has the
// subresources of all.
func resourcesOf(groups *apidiscoveryv2.APIGroupDiscoveryList) []rights.Resource {
	var resources []rights.Resource
	for _, group := range groups.Items {
		first := len(resources)
		for _, version := range group.Versions {
			for _, found := range version.Resources {
				i := slices.IndexFunc(resources[first:], func(r rights.Resource) bool { return r.Name == found.Resource })
				if i < 0 {
					i = len(resources) - first
					resources = append(resources, rights.Resource{
						Group: group.Name, Name: found.Resource, Singular: found.SingularResource, ShortNames: found.ShortNames,
						Namespaced: found.Scope == apidiscoveryv2.ScopeNamespace,
					})
				}
				resource := &resources[first+i]
				for _, sub := range found.Subresources {
					if !slices.Contains(resource.Subresources, sub.Subresource) {
						resource.Subresources = append(resource.Subresources, sub.Subresource)
					}
				}
			}
		}
	}
	return resources
}
