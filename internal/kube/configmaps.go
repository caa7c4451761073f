package kube

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// AWSAuth is the name of the ConfigMap of mappings.
const AWSAuth = "aws-auth"

// ConfigMaps returns a client of the ConfigMaps in namespace kube-system, which has all
// of our ConfigMaps.
func ConfigMaps(client dynamic.Interface) dynamic.ResourceInterface {
	return client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(metav1.NamespaceSystem)
}

// Data returns the data of a ConfigMap.
func Data(configMap *unstructured.Unstructured) (map[string]string, error) {
	data, _, err := unstructured.NestedStringMap(configMap.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("reading the data of ConfigMap %s: %w", configMap.GetName(), err)
	}
	return data, nil
}
