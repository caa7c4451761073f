//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestInstanceProfile signs in as a node does on EKS: its key comes from the
// instance metadata service, for the role of its instance profile, and EC2 has its
// private DNS name.
func TestInstanceProfile(t *testing.T) {
	role := newRoleOf(t, "/", "Kubedemy_Node", `"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"`)
	setAWSAuth(t, map[string]string{"mapRoles": `
- rolearn: ` + role + `
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
`})
	admin := newShell(t, awsCLIs(t)[0])
	admin.run("aws iam create-instance-profile --instance-profile-name Kubedemy_Node")
	admin.run("aws iam add-role-to-instance-profile --instance-profile-name Kubedemy_Node --role-name Kubedemy_Node")
	t.Cleanup(func() {
		admin.run("aws iam remove-role-from-instance-profile --instance-profile-name Kubedemy_Node --role-name Kubedemy_Node")
		admin.run("aws iam delete-instance-profile --instance-profile-name Kubedemy_Node")
	})
	var started struct {
		Instances []struct {
			ID   string `json:"InstanceId"`
			Name string `json:"PrivateDnsName"`
		}
	}
	admin.decode("aws ec2 run-instances --image-id resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 --iam-instance-profile Name=Kubedemy_Node", &started)
	instance := started.Instances[0]
	t.Cleanup(func() { admin.run("aws ec2 terminate-instances --instance-ids " + instance.ID) })

	for _, plugin := range plugins() {
		t.Run(plugin.name, func(t *testing.T) {
			s := signIn(t, "")
			s.set("AWS_SHARED_CREDENTIALS_FILE", "none")
			s.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadataEndpoint(t, instance.ID))
			delete(s.environment, "AWS_EC2_METADATA_DISABLED")
			plugin.use(s)
			becomes(t, s, "system:node:"+instance.Name, "system:bootstrappers", "system:nodes")
		})
	}
}

// metadataEndpoint returns the address that replaces 169.254.169.254.
func metadataEndpoint(t *testing.T, id string) string {
	t.Helper()
	answer, err := http.Get(suite.Info().AWS + "/_localaws/instances")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var all struct {
		Instances []struct{ ID, MetadataEndpoint string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, instance := range all.Instances {
		if instance.ID == id {
			return instance.MetadataEndpoint
		}
	}
	t.Fatalf("instance %s is not among %+v", id, all.Instances)
	return ""
}
