package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// nodesPerPage is the number of nodes in one answer of the API server.
const nodesPerPage = 500

// ReadyWorkers returns the names of the nodes that are ready and no control-plane nodes,
// which sign in with certificates.
func ReadyWorkers(ctx context.Context, client dynamic.Interface) ([]string, error) {
	nodes := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"})
	var names []string
	options := metav1.ListOptions{Limit: nodesPerPage, LabelSelector: "!node-role.kubernetes.io/control-plane"}
	for {
		page, err := nodes.List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing nodes: %w", err)
		}
		for i := range page.Items {
			if isReady(&page.Items[i]) {
				names = append(names, page.Items[i].GetName())
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return names, nil
		}
	}
}

func isReady(node *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(node.Object, "status", "conditions")
	for _, condition := range conditions {
		if c, ok := condition.(map[string]any); ok && c["type"] == "Ready" {
			return c["status"] == "True"
		}
	}
	return false
}
