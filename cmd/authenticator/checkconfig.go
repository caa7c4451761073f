package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// printPlan prints what the server would do with its configuration, for
// --check-config. It reads files and connects to nothing. It returns the error that
// would keep the server from starting.
func (o *serverOptions) printPlan(ctx context.Context, p *program, clusters *clusters, now time.Time) error {
	certificatePlan, err := o.certificatePlan(ctx, clusters, now)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	if !clusters.several {
		row("cluster ID", "%s", p.clusterID)
		o.clusterSettings.printPlan(row)
	}
	if o.stsEndpoint != "" {
		row("STS endpoint", "%s is trusted too", o.stsEndpoint)
	}
	row("listens on", "%s", o.listenAddress())
	row("certificate", "%s", certificatePlan)
	if o.clientCA != "" {
		row("clients", "need a certificate of %s for reviews", o.clientCA)
	}
	if !clusters.several {
		kubeconfig := "writes " + o.generateKubeconfig
		if o.kubeconfigPregenerated {
			kubeconfig = "exists already (--kubeconfig-pregenerated)"
		}
		row("kubeconfig", "%s", kubeconfig)
		o.printOwners(row)
	}
	if denied := clusters.denied; denied != nil {
		row("deny file", "%s, entries: %d", o.denyPath, denied.Len())
	}
	fallback, _ := clusters.Find("")
	for _, planned := range clusters.Clusters() {
		if clusters.several {
			o.printCluster(row, (*clusters.settings.Load())[planned.ID()], planned.ID() == fallback)
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
func (o *serverOptions) printCluster(row rowFunc, s *clusterSettings, isDefault bool) {
	id := s.program.clusterID
	row("", "")
	note := ""
	if isDefault {
		note = " (default)"
	}
	row("cluster", "%s%s", id, note)
	s.printPlan(row)
	if s.ownKubeconfig != "" {
		row("kubeconfig", "writes %s for %s", s.ownKubeconfig, o.clusterURL(id))
	} else {
		row("URL", "%s", o.clusterURL(id))
	}
	s.printOwners(row)
}

func (s *clusterSettings) printPlan(row rowFunc) {
	row("partition", "%s", s.partition)
	regions := "every region of the partition (--sts-region names fewer)"
	if len(s.stsRegions) > 0 {
		regions = strings.Join(s.stsRegions, ", ")
	}
	row("STS regions", "%s", regions)
	s.printModes(row)
}

func (s *clusterSettings) printOwners(row rowFunc) {
	owners := "none"
	if len(s.ownerARNs) > 0 {
		owners = strings.Join(s.ownerARNs, ", ")
	}
	row("cluster owners", "%s", owners)
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
