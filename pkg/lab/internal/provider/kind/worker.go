package kind

import (
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
)

// A worker joins as a node of EKS does: it has no bootstrap token and no client
// certificate. Its kubelet runs `authenticator token` with the credentials of its
// instance profile, and aws-auth maps the role to system:node:NAME.

const (
	// kubeletKubeconfig is the path where kubeadm and the kubelet look for their kubeconfig.
	kubeletKubeconfig = "/etc/kubernetes/kubelet.conf"
	// pluginPath is the authenticator's program on a worker.
	pluginPath = "/usr/local/bin/authenticator"
	// patchDir holds kubeadm's patches of a worker's kubelet configuration.
	patchDir = "/etc/kubernetes/patches"
)

// writeWorkerFiles writes the files with which a worker joins through IAM.
func (c *Cluster) writeWorkerFiles(ca []byte) error {
	user := &api.AuthInfo{Exec: &api.ExecConfig{
		APIVersion:      "client.authentication.k8s.io/v1",
		Command:         pluginPath,
		Args:            []string{"token", "--cluster-id", c.spec.Cluster, "--region", c.spec.Region},
		InteractiveMode: api.NeverExecInteractiveMode,
		// It is in the kubeconfig because kubeadm join signs in with that too.
		Env: []api.ExecEnvVar{{Name: "AWS_EC2_METADATA_SERVICE_ENDPOINT", Value: c.network.metadata}},
	}}
	server := &api.Cluster{Server: c.internalEndpoint(), CertificateAuthorityData: ca}
	if err := kubeconfig.Write(c.spec.Dir, Dir+"/kubelet.conf", "kubelet", server, user); err != nil {
		return err
	}
	for name, text := range map[string]string{
		// kubeadm's own drop-in also sets --bootstrap-kubeconfig, a file that does not exist here.
		"iam.conf": "[Service]\nEnvironment=\"KUBELET_KUBECONFIG_ARGS=--kubeconfig=" + kubeletKubeconfig + "\"\n",
		// A kubelet that rotates certificates gets a client certificate and stops using IAM.
		"patches/kubeletconfiguration.yaml": "rotateCertificates: false\n",
	} {
		if err := c.writeFile(Dir+"/"+name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// worker returns the configuration of a worker node.
func (c *Cluster) worker() v1alpha4.Node {
	mount := func(from, to string) v1alpha4.Mount {
		return v1alpha4.Mount{HostPath: from, ContainerPath: to, Readonly: true}
	}
	return v1alpha4.Node{
		Role: v1alpha4.WorkerRole,
		ExtraMounts: []v1alpha4.Mount{
			mount(c.spec.Authenticator, pluginPath),
			mount(c.spec.Path(Dir, "kubelet.conf"), kubeletKubeconfig),
			mount(c.spec.Path(Dir, "iam.conf"), "/etc/systemd/system/kubelet.service.d/20-iam.conf"),
			mount(c.spec.Path(Dir, "patches"), patchDir),
		},
		KubeadmConfigPatches: []string{`kind: JoinConfiguration
discovery:
  bootstrapToken: null
  file:
    kubeConfigPath: ` + kubeletKubeconfig + `
patches:
  directory: ` + patchDir + `
`},
	}
}
