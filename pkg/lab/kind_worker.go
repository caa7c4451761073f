package lab

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// A worker joins as a node of EKS does: it has no bootstrap token and no client
// certificate. Its kubelet runs `authenticator token` with the credentials of its
// instance profile, and aws-auth maps the role to system:node:NAME.

// instances returns the workers' EC2 instances. The private DNS name of each is the
// name of its node, because the Node authorizer takes system:node:NAME for node NAME.
func (k *kindProvider) instances() []localaws.Instance {
	var instances []localaws.Instance
	for i, name := range k.workers() {
		instances = append(instances, localaws.Instance{
			ID: fmt.Sprintf("i-%017x", i+1), PrivateDNSName: name, InstanceProfile: nodeRole,
		})
	}
	return instances
}

// createInstanceProfile creates the instance profile that gives the workers their role.
func (k *kindProvider) createInstanceProfile(ctx context.Context) error {
	client, err := k.info.IAM()
	if err != nil {
		return err
	}
	if _, err := client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String(nodeRole)}); err != nil {
		return fmt.Errorf("creating instance profile %s: %w", nodeRole, err)
	}
	if _, err := client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{
		InstanceProfileName: aws.String(nodeRole), RoleName: aws.String(nodeRole),
	}); err != nil {
		return fmt.Errorf("adding role %s to its instance profile: %w", nodeRole, err)
	}
	return nil
}

const (
	// kubeletKubeconfig is the path where kubeadm and the kubelet look for their kubeconfig.
	kubeletKubeconfig = "/etc/kubernetes/kubelet.conf"
	// pluginPath is the authenticator's program on a worker.
	pluginPath = "/usr/local/bin/authenticator"
	// patchDir holds kubeadm's patches of a worker's kubelet configuration.
	patchDir = "/etc/kubernetes/patches"
)

// writeWorkerFiles writes the files with which a worker joins through IAM.
func (k *kindProvider) writeWorkerFiles(ca []byte) error {
	user := &api.AuthInfo{Exec: &api.ExecConfig{
		APIVersion:      "client.authentication.k8s.io/v1",
		Command:         pluginPath,
		Args:            []string{"token", "--cluster-id", ClusterName, "--region", Region},
		InteractiveMode: api.NeverExecInteractiveMode,
		// It is in the kubeconfig because kubeadm join signs in with that too.
		Env: []api.ExecEnvVar{{Name: "AWS_EC2_METADATA_SERVICE_ENDPOINT", Value: k.network.metadata}},
	}}
	server := &api.Cluster{Server: k.internalEndpoint(), CertificateAuthorityData: ca}
	if err := writeConfig(k.dir, kindDir+"/kubelet.conf", "kubelet", server, user); err != nil {
		return err
	}
	for name, text := range map[string]string{
		// kubeadm's own drop-in also sets --bootstrap-kubeconfig, a file that does not exist here.
		"iam.conf": "[Service]\nEnvironment=\"KUBELET_KUBECONFIG_ARGS=--kubeconfig=" + kubeletKubeconfig + "\"\n",
		// A kubelet that rotates certificates gets a client certificate and stops using IAM.
		"patches/kubeletconfiguration.yaml": "rotateCertificates: false\n",
	} {
		if err := k.writeFile(kindDir+"/"+name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// worker returns the configuration of a worker node.
func (k *kindProvider) worker() v1alpha4.Node {
	mount := func(from, to string) v1alpha4.Mount {
		return v1alpha4.Mount{HostPath: from, ContainerPath: to, Readonly: true}
	}
	return v1alpha4.Node{
		Role: v1alpha4.WorkerRole,
		ExtraMounts: []v1alpha4.Mount{
			mount(k.config.Authenticator, pluginPath),
			mount(k.path(kindDir, "kubelet.conf"), kubeletKubeconfig),
			mount(k.path(kindDir, "iam.conf"), "/etc/systemd/system/kubelet.service.d/20-iam.conf"),
			mount(k.path(kindDir, "patches"), patchDir),
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
