package server

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/backendmode"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// printPlan prints what the server would do with its configuration, for
// --check-config. It reads files and connects to nothing. It returns the error that
// would keep the server from starting.
func (c *Config) printPlan(ctx context.Context, clusters *clusters, now time.Time) error {
	certificatePlan, err := c.certificatePlan(ctx, clusters, now)
	if err != nil {
		return err
	}
	for _, k := range c.kubeconfigs(clusters) {
		if err := k.CheckWrite(); err != nil {
			return err
		}
	}
	table := tabwriter.NewWriter(c.Plan, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	if !clusters.several {
		row("cluster ID", "%s", c.Cluster.General.ClusterID)
		printSettings(row, clusters.Clusters()[0])
	}
	if c.Cluster.STSEndpoint != "" {
		row("STS endpoint", "%s is trusted too", c.Cluster.STSEndpoint)
	}
	row("listens on", "%s", c.Endpoint.ListenAddress())
	row("certificate", "%s", certificatePlan)
	if c.ClientCA != "" {
		printClients(row, c.ClientCA)
	}
	if !clusters.several {
		kubeconfig := "writes " + c.Endpoint.GenerateKubeconfig
		if c.KubeconfigPregenerated {
			kubeconfig = "is not written (--kubeconfig-pregenerated)"
		}
		row("kubeconfig", "%s", kubeconfig)
		printOwners(row, &c.Cluster)
	}
	if denied := clusters.Denied; denied != nil {
		row("deny file", "%s, entries: %d", c.Cluster.DenyPath, denied.Len())
	}
	fallback, _ := clusters.Find("")
	for _, planned := range clusters.Clusters() {
		if clusters.several {
			c.printCluster(row, planned, planned.ID() == fallback)
		}
		for _, s := range planned.Sources() {
			row("source "+s.Name(), "%s", sourcePlan(s.Current()))
		}
	}
	return table.Flush()
}

// A rowFunc prints a row of the plan.
type rowFunc func(name, format string, args ...any)

// printCluster prints the rows of one of several clusters, but for its sources.
func (c *Config) printCluster(row rowFunc, planned *assembly.Parts, isDefault bool) {
	id, s := planned.ID(), planned.Settings
	row("", "")
	note := ""
	if isDefault {
		note = " (default)"
	}
	row("cluster", "%s%s", id, note)
	printSettings(row, planned)
	if s.OwnKubeconfig != "" {
		row("kubeconfig", "writes %s for %s", s.OwnKubeconfig, c.Endpoint.ClusterURL(id))
	} else {
		row("URL", "%s", c.Endpoint.ClusterURL(id))
	}
	if s.OwnClientCA != "" {
		printClients(row, s.OwnClientCA)
	}
	printOwners(row, s)
}

func printClients(row rowFunc, cas string) {
	row("clients", "need a certificate of %s for reviews", cas)
}

func printSettings(row rowFunc, planned *assembly.Parts) {
	s := planned.Settings
	row("partition", "%s", s.Partition)
	regions := "every region of the partition (--sts-region names fewer)"
	if len(s.STSRegions) > 0 {
		regions = strings.Join(s.STSRegions, ", ")
	}
	row("STS regions", "%s", regions)
	printModes(row, s, planned.Modes)
}

func printOwners(row rowFunc, s *settings.Cluster) {
	owners := "none"
	if len(s.OwnerARNs) > 0 {
		owners = strings.Join(s.OwnerARNs, ", ")
	}
	row("cluster owners", "%s", owners)
}

// printModes prints the row of the backend mode, if a file names it.
func printModes(row rowFunc, s *settings.Cluster, followed *backendmode.File) {
	if followed == nil {
		return
	}
	modes, from := strings.Join(followed.Backends(), ", "), "from "+s.BackendModeFile
	switch isRead, err := followed.Err(); {
	case err != nil:
		from = "from --backend-mode, since the file cannot be used: " + err.Error()
	case !isRead:
		from = "from --backend-mode until " + s.BackendModeFile + " exists"
	}
	row("backend mode", "%s, %s", modes, from)
}

func sourcePlan(current source.Snapshot) string {
	if current.Table == nil && len(current.Problems) > 0 {
		return "cannot be read: " + current.Problems[0].Message
	}
	if current.Table == nil {
		return "is read once the server runs"
	}
	return fmt.Sprintf("mappings: %d, errors: %d, warnings: %d", current.Table.Len(),
		mapper.Count(current.Problems, mapper.Error), mapper.Count(current.Problems, mapper.Warning))
}
