package lab

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// adminKubeconfig is the kubeconfig of who uses the lab.
func (l *Lab) adminKubeconfig() string { return l.path("kubeconfig") }

// webhookKubeconfig is how the kube-apiserver finds the authenticator.
func (l *Lab) webhookKubeconfig() string { return l.path("authenticator", "webhook.yaml") }

// writeKubeconfig writes a kubeconfig of one user who signs in with a client
// certificate; its context has the name given.
func writeKubeconfig(path, name string, config *rest.Config) error {
	return writeConfig(path, name, &api.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData},
		&api.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData})
}

func writeConfig(path, name string, cluster *api.Cluster, user *api.AuthInfo) error {
	config := api.NewConfig()
	addContext(config, name, cluster, user)
	return saveConfig(path, config)
}

// mergeConfig adds a cluster, its user and a context to the kubeconfig, and
// makes that the current one, as update-kubeconfig does.
func mergeConfig(path, name string, cluster *api.Cluster, user *api.AuthInfo) error {
	return editConfig(path, func(config *api.Config) { addContext(config, name, cluster, user) })
}

// useAdministrator makes the administrator's context the current one.
func useAdministrator(path string) error {
	return editConfig(path, func(config *api.Config) { config.CurrentContext = administratorContext })
}

func addContext(config *api.Config, name string, cluster *api.Cluster, user *api.AuthInfo) {
	config.Clusters[name] = cluster
	config.AuthInfos[name] = user
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
}

func editConfig(path string, edit func(*api.Config)) error {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", path, err)
	}
	edit(config)
	return saveConfig(path, config)
}

func saveConfig(path string, config *api.Config) error {
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	return nil
}

// administratorContext is the name of the context with which step 4 of the story
// is done.
const administratorContext = "administrator"
