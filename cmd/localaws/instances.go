package main

import (
	"cmp"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newInstances(env cli.Environment) *cobra.Command {
	var where place
	var output cli.Output
	command := &cobra.Command{
		Use:   "instances",
		Short: "List the EC2 instances and their metadata endpoints",
		Long: `List the EC2 instances of a running local AWS and the endpoints of their metadata
services. A client that uses such an endpoint gets the credentials of the role in
the instance's profile, as if it ran on the instance.`,
		Example: `  localaws instances
  localaws instances -o json | jq -r '.instances[0].metadataEndpoint'
  env -u AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=false \
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:40123/ aws sts get-caller-identity`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list struct {
				Instances []instance `json:"instances"`
			}
			if err := where.askJSON(cmd.Context(), http.MethodGet, "instances", nil, &list); err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), list, func(bool) cli.Rows { return instanceRows(list.Instances) })
		},
	}
	where.addTo(command, env)
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

type instance struct {
	localaws.Instance
	MetadataEndpoint string `json:"metadataEndpoint,omitempty"`
}

func instanceRows(instances []instance) cli.Rows {
	rows := cli.Rows{Header: []string{"INSTANCE", "STATE", "REGION", "PRIVATE DNS NAME", "PROFILE", "METADATA"}}
	for _, i := range instances {
		rows.Add(i.ID, i.State, i.Region, cmp.Or(i.PrivateDNSName, "-"), cmp.Or(i.InstanceProfile, "-"), cmp.Or(i.MetadataEndpoint, "-"))
	}
	return rows
}
