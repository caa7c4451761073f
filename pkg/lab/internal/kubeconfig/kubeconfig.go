// Package kubeconfig writes and edits kubeconfigs in a lab's directory.
package kubeconfig

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// WriteCertificate writes a kubeconfig of one user, who signs in with the client
// certificate of a configuration. Its context has the given name.
func WriteCertificate(dir *private.Dir, file, name string, config *rest.Config) error {
	return Write(dir, file, name, clusterOf(config), certificateOf(config))
}

func clusterOf(config *rest.Config) *api.Cluster {
	return &api.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
}

func certificateOf(config *rest.Config) *api.AuthInfo {
	return &api.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
}

// Write writes a kubeconfig of one context.
func Write(dir *private.Dir, file, name string, cluster *api.Cluster, user *api.AuthInfo) error {
	config := api.NewConfig()
	add(config, name, cluster, user)
	return save(dir, file, config)
}

// Merge adds a cluster, a user and a context to a kubeconfig, and makes the context
// the current one, as update-kubeconfig does.
func Merge(dir *private.Dir, file, name string, cluster *api.Cluster, user *api.AuthInfo) error {
	return edit(dir, file, func(config *api.Config) { add(config, name, cluster, user) })
}

// RenewCertificate replaces the cluster and the user of a context that WriteCertificate
// wrote. The current context stays.
func RenewCertificate(dir *private.Dir, file, name string, config *rest.Config) error {
	return edit(dir, file, func(to *api.Config) {
		current := to.CurrentContext
		add(to, name, clusterOf(config), certificateOf(config))
		to.CurrentContext = current
	})
}

// Use makes a context the current one.
func Use(dir *private.Dir, file, name string) error {
	return edit(dir, file, func(config *api.Config) { config.CurrentContext = name })
}

func add(config *api.Config, name string, cluster *api.Cluster, user *api.AuthInfo) {
	config.Clusters[name] = cluster
	config.AuthInfos[name] = user
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
}

func edit(dir *private.Dir, file string, change func(*api.Config)) error {
	text, err := dir.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", dir.Path(file), err)
	}
	config, err := clientcmd.Load(text)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", dir.Path(file), err)
	}
	change(config)
	return save(dir, file, config)
}

func save(dir *private.Dir, file string, config *api.Config) error {
	text, err := clientcmd.Write(*config)
	if err == nil {
		err = dir.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", dir.Path(file), err)
	}
	return nil
}
