package lab

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

const (
	// kubeconfigFile is the kubeconfig for the users of the lab.
	kubeconfigFile = "kubeconfig"
	// webhookKubeconfigFile is kube-apiserver's kubeconfig for the authenticator.
	webhookKubeconfigFile = authenticatorDir + "/webhook.yaml"
	// authenticatorKubeconfigFile is the authenticator's kubeconfig for kube-apiserver.
	authenticatorKubeconfigFile = authenticatorDir + "/kubeconfig"
)

// writeKubeconfig writes a kubeconfig of one user, who signs in with a client
// certificate. Its context has the given name.
func writeKubeconfig(dir *private.Dir, file, name string, config *rest.Config) error {
	return writeConfig(dir, file, name, &api.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData},
		&api.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData})
}

func writeConfig(dir *private.Dir, file, name string, cluster *api.Cluster, user *api.AuthInfo) error {
	config := api.NewConfig()
	addContext(config, name, cluster, user)
	return saveConfig(dir, file, config)
}

// mergeConfig adds a cluster, a user and a context to the kubeconfig, and makes the
// context the current one, as update-kubeconfig does.
func mergeConfig(dir *private.Dir, file, name string, cluster *api.Cluster, user *api.AuthInfo) error {
	return editConfig(dir, file, func(config *api.Config) { addContext(config, name, cluster, user) })
}

// useAdministrator makes the administrator's context the current one.
func useAdministrator(dir *private.Dir, file string) error {
	return editConfig(dir, file, func(config *api.Config) { config.CurrentContext = administratorContext })
}

func addContext(config *api.Config, name string, cluster *api.Cluster, user *api.AuthInfo) {
	config.Clusters[name] = cluster
	config.AuthInfos[name] = user
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
}

func editConfig(dir *private.Dir, file string, edit func(*api.Config)) error {
	text, err := dir.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", dir.Path(file), err)
	}
	config, err := clientcmd.Load(text)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", dir.Path(file), err)
	}
	edit(config)
	return saveConfig(dir, file, config)
}

func saveConfig(dir *private.Dir, file string, config *api.Config) error {
	text, err := clientcmd.Write(*config)
	if err == nil {
		err = dir.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", dir.Path(file), err)
	}
	return nil
}

// administratorContext is the name of the context for step 4 of the story.
const administratorContext = "administrator"
