package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/unixsocket"
)

// socketOptions are the flags that find the socket of a running server.
type socketOptions struct {
	stateDir string
	// useSocket is set if the server is asked, and noServer says why it is not.
	useSocket bool
	noServer  string
}

func (o *socketOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.stateDir, "state-dir", defaultStateDir, "directory of the running server's socket")
}

// findSocket decides whether to ask the running server: a flag that says where mappings
// come from, or how they are read, asks for those.
func (o *socketOptions) findSocket(flags *pflag.FlagSet, p *program) {
	for _, name := range []string{"filename", "kubeconfig", "context", "backend-mode", "aws-auth-file", "dynamic-file", "dynamic-file-user-id-strict", "dynamic-backend-mode-file", "cluster-owner-arn", "role-paths"} {
		if flags.Changed(name) {
			o.noServer = "--" + name + " is given"
			return
		}
	}
	if p.configPath != "" {
		o.noServer = "--config is given"
		return
	}
	conn, err := net.DialTimeout("unix", socketPath(o.stateDir), time.Second)
	if err != nil {
		o.noServer = "no server answers at " + socketPath(o.stateDir)
		return
	}
	_ = conn.Close()
	o.useSocket = true
}

// askServer asks the running server.
func (o *socketOptions) askServer(ctx context.Context, q explain.Question) (explain.Explanation, error) {
	return explain.Ask(ctx, unixsocket.NewClient(socketPath(o.stateDir)), unixsocket.URL, q)
}

// An explainer answers questions with the live mappings of a server.
type explainer func(context.Context, explain.Question) (explain.Explanation, error)

// explainer returns the explainer of the server.
func (c *clusters) explainer(because string) explainer {
	return func(ctx context.Context, q explain.Question) (explanation explain.Explanation, err error) {
		settings := (*c.settings.Load())[c.idOf(q.Cluster)]
		if settings == nil {
			return explanation, c.unknownCluster(q.Cluster)
		}
		err = c.Use(settings.program.clusterID, func(served *cluster.Cluster) {
			facts := explain.Facts{
				ClusterID: served.ID(), Partition: settings.partition, Regions: settings.stsRegions,
				From: "the running server", Because: because,
				Note: q.Note, SessionUnknown: q.SessionUnknown, MapFlags: settings.mapFlags(served.Sources()), Now: time.Now(),
			}
			for _, s := range served.Sources() {
				described := settings.describe(settings.program, s.Name())
				described.Snapshot = s.Current()
				facts.Sources = append(facts.Sources, described)
			}
			explanation = explain.New(facts, askCluster(ctx, served, q))
		})
		return explanation, err
	}
}

// idOf returns the ID of the cluster that a question is about. A server of one cluster
// is asked about that one.
func (c *clusters) idOf(asked string) string {
	if id, ok := c.Find(asked); ok {
		return id
	}
	if !c.several {
		id, _ := c.Find("")
		return id
	}
	return ""
}

// maxNamed is how many clusters an error names.
const maxNamed = 10

func (c *clusters) unknownCluster(asked string) error {
	var ids []string
	for _, served := range c.Clusters() {
		ids = append(ids, served.ID())
	}
	if len(ids) > maxNamed {
		ids = append(ids[:maxNamed], "…")
	}
	if asked == "" {
		return fmt.Errorf("the server serves several clusters: name one with --cluster-id (one of %s)", strings.Join(ids, ", "))
	}
	return fmt.Errorf("the server has no cluster %q (it serves %s)", asked, strings.Join(ids, ", "))
}

// describe returns the place of a source of the server.
func (o *mappingOptions) describe(p *program, name string) explain.SourceFacts {
	switch name {
	case backendEKSConfigMap:
		return explain.SourceFacts{Name: name, Place: "ConfigMap kube-system/aws-auth", Edit: (&clusterFlags{}).edit}
	case backendDynamicFile:
		return explain.SourceFacts{Name: name, Place: o.dynamicFile, Edit: editFile(o.dynamicFile)}
	case backendCRD:
		edit := func(int) string { return "kubectl edit iamidentitymappings" }
		return explain.SourceFacts{Name: name, Place: "IAMIdentityMappings", Edit: edit}
	case sourceAWSAuthFile:
		return explain.SourceFacts{Name: name, Place: o.awsAuthFile, Edit: editFile(o.awsAuthFile)}
	default:
		place := cmp.Or(p.configPath, "no file")
		return explain.SourceFacts{Name: name, Place: place, Edit: editFile(place)}
	}
}

// mapFlags returns the flags with which `authenticator map` edits the server's mappings:
// none for aws-auth.
func (o *mappingOptions) mapFlags(sources []source.Source) []string {
	for _, s := range sources {
		if s.Name() == backendEKSConfigMap {
			return nil
		}
	}
	if o.awsAuthFile == "" {
		return nil
	}
	return []string{"-f", o.awsAuthFile}
}
