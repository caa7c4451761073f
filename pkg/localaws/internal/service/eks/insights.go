package eks

import (
	"encoding/json"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// insightOperations find none: nothing inspects a cluster here.
func insightOperations() []api.Operation {
	const insights = "/clusters/{name}/insights"
	return []api.Operation{
		on(namedCluster, "POST "+insights, "ListInsights", listInsights),
		on(namedCluster, "GET "+insights+"/{id}", "DescribeInsight", describeInsight),
	}
}

// An insightFilter is what a client filters by.
type insightFilter struct {
	Filter     json.RawMessage `json:"filter"`
	MaxResults *int            `json:"maxResults"`
	NextToken  string          `json:"nextToken"`
}

func listInsights(_ *account.Tx, _ *cluster, in request[insightFilter]) (any, error) {
	if n := in.Body.MaxResults; n != nil && (*n < 1 || *n > 100) {
		return nil, invalid("maxResults must be between 1 and 100.")
	}
	return map[string]any{"insights": []any{}}, nil
}

func describeInsight(_ *account.Tx, _ *cluster, in request[none]) (any, error) {
	return nil, notFound("No insight found for ID: " + in.Path["id"])
}
