package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func newInstances() *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "instances",
		Short: "List the EC2 instances, and where their metadata is served",
		Long: `List the EC2 instances of a local AWS that runs, and where the metadata service
of each is served: a client that asks there has the role in the instance's
profile, as if it ran on the instance.`,
		Example: `  localaws instances
  env -u AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=false \
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:40123/ aws sts get-caller-identity`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			instances, err := where.instances(cmd.Context())
			if err != nil {
				return err
			}
			return printInstances(cmd.OutOrStdout(), instances)
		},
	}
	where.addFlags(command)
	return command
}

type instance struct {
	localaws.Instance
	MetadataEndpoint string `json:"metadataEndpoint"`
}

// instances of the server.
func (p *place) instances(ctx context.Context) ([]instance, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.dialed()+"/_localaws/instances", nil)
	if err != nil {
		return nil, fmt.Errorf("--listen %q: %w", p.listen, err)
	}
	// Not through a proxy, which the environment may well name: this very one.
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no localaws answers on %s (localaws serve starts one; --listen names another address): %w", p.listen, err)
	}
	defer answer.Body.Close()
	var told struct{ Instances []instance }
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("what answers on %s is no localaws", p.listen)
	}
	return told.Instances, nil
}

func printInstances(w io.Writer, instances []instance) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "INSTANCE\tSTATE\tREGION\tPRIVATE DNS NAME\tPROFILE\tMETADATA")
	for _, i := range instances {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", i.ID, i.State, i.Region,
			cmp.Or(i.PrivateDNSName, "-"), cmp.Or(i.InstanceProfile, "-"), cmp.Or(i.MetadataEndpoint, "-"))
	}
	return table.Flush()
}
