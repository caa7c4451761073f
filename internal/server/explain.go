package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/answer"
	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/place"
)

// An explainer answers questions with the live mappings of a server.
type explainer func(context.Context, explain.Question) (explain.Explanation, error)

// explainer returns the explainer of the server. Ready is the command that shows what the
// server waits for; empty if there is none.
func (c *clusters) explainer(because, ready string) explainer {
	return func(ctx context.Context, q explain.Question) (explanation explain.Explanation, err error) {
		err = c.Use(c.idOf(q.Cluster), func(served *assembly.Parts) {
			own := served.Settings
			facts := explain.Facts{
				ClusterID: served.ID(), Partition: own.Partition, Regions: own.STSRegions,
				From: "the running server", Because: because, DenyFile: place.DescribeDenyFile(&own.Mapping),
				Note: q.Note, SessionUnknown: q.SessionUnknown, Asked: q.Asked, Ready: ready, Now: time.Now(),
			}
			for _, s := range served.Sources() {
				described := place.Describe(own.General, &own.Mapping, s.Name(), nil)
				described.Snapshot = s.Current()
				facts.Sources = append(facts.Sources, described)
			}
			place.Adding(&facts, &own.Mapping, own.Partition, nil)
			explanation = explain.New(facts, answer.Ask(ctx, served.Cluster, q))
		})
		if errors.Is(err, cluster.ErrUnknown) {
			err = c.unknownCluster(q.Cluster)
		}
		return explanation, err
	}
}

// readiness returns the command that shows what the server waits for.
func (c *Config) readiness() string {
	if c.HealthPort == 0 {
		return ""
	}
	return "curl --silent http://127.0.0.1:" + strconv.Itoa(c.HealthPort) + "/readyz"
}

// idOf returns the ID of the cluster that a question is about. A server of one cluster
// is asked about that one.
func (c *clusters) idOf(asked string) string {
	if _, ok := c.Find(asked); !ok && !c.several {
		return c.flags.General.ClusterID
	}
	return asked
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
