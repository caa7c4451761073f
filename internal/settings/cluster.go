package settings

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
)

// Cluster are the settings of one cluster: those of the flags, or of an item of clusters
// in the configuration file.
type Cluster struct {
	// General has the ID of the cluster, and its settings that have no flag.
	General *General
	STS
	Mapping
	// OwnKubeconfig is the file for the kubeconfig of the kube-apiserver of an item, and
	// OwnClient the client certificate in it.
	OwnKubeconfig string
	OwnClient     kubeconfig.Client
	// OwnClientCA is the file of the CAs of the clients that may send the reviews of an
	// item; empty for those of the server.
	OwnClientCA string
}

// AddFlags adds the flags of a cluster.
func (c *Cluster) AddFlags(flags *pflag.FlagSet) {
	c.STS.AddFlags(flags)
	c.Mapping.AddFlags(flags)
}

// Clusters returns the settings of the clusters in a configuration file, in its order.
// They trust the STS endpoint of these settings, which are those of the flags.
func (c *Cluster) Clusters(read *config.File) ([]*Cluster, error) {
	var all []*Cluster
	owners := map[string]string{}
	for _, item := range read.Clusters {
		own, err := c.of(item)
		if err == nil && own.OwnKubeconfig != "" {
			// The users of one would sign in to the other.
			path := filepath.Clean(own.OwnKubeconfig)
			if owner, shared := owners[path]; shared {
				err = fmt.Errorf("generateKubeconfig: %s is that of cluster %q, too (give each cluster a file of its own)", path, owner)
			}
			owners[path] = item.ID
		}
		if err != nil {
			return nil, c.General.Failed(item, err)
		}
		all = append(all, own)
	}
	return all, nil
}

// of returns the settings of an item of clusters.
func (c *Cluster) of(item *config.Cluster) (*Cluster, error) {
	general := *c.General
	general.ClusterID, general.File, general.Item = item.ID, item.Settings, item
	own := &Cluster{General: &general}
	flags := pflag.NewFlagSet(item.ID, pflag.ContinueOnError)
	own.AddFlags(flags)
	flags.StringVar(&own.OwnKubeconfig, "generate-kubeconfig", "", "")
	addClientFlags(flags, &own.OwnClient)
	AddClientCAFlag(flags, &own.OwnClientCA)
	for _, value := range item.Settings.Values {
		if err := SetDefault(flags, value.Flag, value.Text); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(value.Key, "server."), err)
		}
	}
	if err := checkClient(own.OwnClient); err != nil {
		return nil, err
	}
	own.BackendModesGiven = flags.Changed("backend-mode")
	own.STSEndpoint, own.STSEndpointDial = c.STSEndpoint, c.STSEndpointDial
	return own, nil
}

// CheckNoClusterFlags returns an error if a flag of the command line is about one
// cluster, but the configuration has several: the flag would be ignored.
func CheckNoClusterFlags(flags *pflag.FlagSet) error {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	(&Cluster{}).AddFlags(own)
	addClientFlags(own, &kubeconfig.Client{})
	var given error
	flags.Visit(func(flag *pflag.Flag) {
		ofCluster := own.Lookup(flag.Name) != nil || flag.Name == "cluster-id" || flag.Name == "generate-kubeconfig" || flag.Name == "kubeconfig-pregenerated"
		if ofCluster && !slices.Contains([]string{DenyFlag, "sts-endpoint", "sts-endpoint-dial"}, flag.Name) {
			remedy := "set it in their items"
			switch flag.Name {
			case "kubeconfig-pregenerated":
				remedy = "leave it out: the server writes no kubeconfig for an item without generateKubeconfig"
			case "cluster-id":
				remedy = "leave it out: each item has an id"
			}
			given = cli.Usagef("--%s is for one cluster, and the configuration has clusters: %s", flag.Name, remedy)
		}
	})
	return given
}

// NamedHosts returns the STS hosts that the settings of clusters name, and their regions.
// The most important hosts of all clusters come first.
func NamedHosts(all []*Cluster) (hosts, regions []string) {
	var lists [][]string
	for _, settings := range all {
		lists, regions = append(lists, settings.NamedHosts()), append(regions, settings.STSRegions...)
	}
	for i := 0; len(lists) > 0; i++ {
		lists = slices.DeleteFunc(lists, func(list []string) bool { return i >= len(list) })
		for _, list := range lists {
			if !slices.Contains(hosts, list[i]) {
				hosts = append(hosts, list[i])
			}
		}
	}
	return hosts, regions
}
