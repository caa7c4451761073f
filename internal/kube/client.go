// Package kube talks to a Kubernetes API server: a lean client of the kinds that
// the authenticator reads and writes, and the Events that it writes.
package kube

import (
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// RESTConfig finds the API server: by a kubeconfig, by a URL, or, if neither is
// given, as a pod does.
func RESTConfig(kubeconfig, master string) (*rest.Config, error) {
	if kubeconfig == "" && master == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("finding the API server (outside of a pod, name a file with --kubeconfig): %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags(master, kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the API server: %w", err)
	}
	return config, nil
}

// NewClient makes a client of untyped objects. The types of k8s.io/api/core/v1
// would bring all kinds of Kubernetes into this program, and the clientset would
// register every group at start, which is at every kubectl call.
func NewClient(config *rest.Config) (dynamic.Interface, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	return client, nil
}
