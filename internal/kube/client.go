// Package kube is a small client of a Kubernetes API server. It also writes Events.
package kube

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/internal/file"
)

// RESTConfig returns the configuration for an API server: from a kubeconfig, from a
// URL or, if neither is given, from the pod that it runs in.
func RESTConfig(ctx context.Context, kubeconfig, master string) (*rest.Config, error) {
	if kubeconfig == "" && master == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("finding the API server (outside of a pod, name a file with --kubeconfig): %w", err)
		}
		return config, nil
	}
	config, err := readKubeconfig(ctx, kubeconfig, master)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the API server: %w", err)
	}
	return config, nil
}

func readKubeconfig(ctx context.Context, path, master string) (*rest.Config, error) {
	config := api.NewConfig()
	if path != "" {
		content, err := file.Read(ctx, path, file.MaxSettings)
		if err != nil {
			return nil, err
		}
		if config, err = clientcmd.Load(content); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := checkPaths(ctx, config, path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	overrides := &clientcmd.ConfigOverrides{ClusterInfo: api.Cluster{Server: master}}
	made, err := clientcmd.NewDefaultClientConfig(*config, overrides).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		err = errors.New("it has no current-context, with a cluster and a user")
	}
	if err != nil && path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return made, err
}

// UserCluster returns the entry of the cluster of a context in a kubeconfig. Its paths
// are absolute.
func UserCluster(kubeconfig, context string) (*api.Cluster, error) {
	config := userConfig(kubeconfig, context)
	if _, err := restConfig(config); err != nil { // checks the entry
		return nil, err
	}
	raw, err := config.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return raw.Clusters[raw.Contexts[context].Cluster], nil
}

// userConfig returns the configuration that kubectl would use: of a context in a
// kubeconfig, both optional. Without a kubeconfig it is that of $KUBECONFIG or the home
// directory.
func userConfig(kubeconfig, context string) clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context})
}

func restConfig(loaded clientcmd.ClientConfig) (*rest.Config, error) {
	config, err := loaded.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("no kubeconfig: name one with --kubeconfig or $KUBECONFIG")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return config, nil
}

// checkPaths makes the paths in a kubeconfig relative to it, as kubectl does, and
// checks the files that the current context needs: client-go reads them later, and
// would wait forever for a FIFO.
func checkPaths(ctx context.Context, config *api.Config, origin string) error {
	for _, cluster := range config.Clusters {
		cluster.LocationOfOrigin = origin
	}
	for _, user := range config.AuthInfos {
		user.LocationOfOrigin = origin
	}
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return err
	}
	var paths []string
	current := config.Contexts[config.CurrentContext]
	if current == nil {
		return nil // client-go returns the error
	}
	if cluster := config.Clusters[current.Cluster]; cluster != nil {
		paths = append(paths, cluster.CertificateAuthority)
	}
	if user := config.AuthInfos[current.AuthInfo]; user != nil {
		paths = append(paths, user.ClientCertificate, user.ClientKey, user.TokenFile)
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		if _, err := file.Read(ctx, path, file.MaxSettings); err != nil {
			return err
		}
	}
	return nil
}

// NewClient returns a client of untyped objects. The types of k8s.io/api/core/v1
// would link all kinds of Kubernetes into this program, and the clientset would
// register every group at each start, and so at each kubectl call.
func NewClient(config *rest.Config) (dynamic.Interface, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("creating a client of the API server: %w", err)
	}
	return client, nil
}
