package decisions

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/internal/authn"
)

// DefaultLimit is how many decisions a query returns at most if it does not say so.
const DefaultLimit = 100

// A Query selects decisions. Empty fields match all.
type Query struct {
	// ID is the ID of one decision, in upper or lower case.
	ID string
	// ARN is that of a principal, or of a session of it. The ARN of a role matches all
	// its sessions.
	ARN string
	// Cluster is the ID of a cluster.
	Cluster  string
	Outcomes []authn.Outcome
	// Limit is the number of decisions, the latest ones.
	Limit int
}

// The parameters of a query in a URL.
const (
	paramID      = "id"
	paramARN     = "arn"
	paramCluster = "cluster"
	paramOutcome = "outcome"
	paramLimit   = "limit"
	paramWatch   = "watch"
)

// parseQuery returns the query in a URL, and reports whether it is a watch.
func parseQuery(values url.Values) (q Query, watch bool, err error) {
	supported := []string{paramID, paramARN, paramCluster, paramOutcome, paramLimit, paramWatch}
	for name, given := range values {
		if !slices.Contains(supported, name) {
			return Query{}, false, fmt.Errorf("unknown parameter %q (supported: %s)", name, strings.Join(supported, ", "))
		}
		if len(given) > 1 && name != paramOutcome {
			return Query{}, false, fmt.Errorf("parameter %s is given twice", name)
		}
	}
	q = Query{ID: values.Get(paramID), ARN: values.Get(paramARN), Cluster: values.Get(paramCluster), Limit: DefaultLimit}
	for _, name := range values[paramOutcome] {
		outcome := authn.Outcome(name)
		if !slices.Contains(authn.Outcomes(), outcome) {
			return Query{}, false, fmt.Errorf("unknown outcome %q (supported: %s)", name, outcomeNames())
		}
		q.Outcomes = append(q.Outcomes, outcome)
	}
	if text := values.Get(paramLimit); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 0 {
			return Query{}, false, fmt.Errorf("parameter limit %q: expected a number that is not negative", text)
		}
	}
	if text := values.Get(paramWatch); text != "" {
		if watch, err = strconv.ParseBool(text); err != nil {
			return Query{}, false, fmt.Errorf("parameter watch %q: expected true or false", text)
		}
	}
	return q, watch, nil
}

func outcomeNames() string {
	var names []string
	for _, outcome := range authn.Outcomes() {
		names = append(names, string(outcome))
	}
	return strings.Join(names, ", ")
}

// values returns the parameters of the query.
func (q Query) values() url.Values {
	values := url.Values{paramLimit: {strconv.Itoa(q.Limit)}}
	if q.ID != "" {
		values.Set(paramID, q.ID)
	}
	if q.ARN != "" {
		values.Set(paramARN, q.ARN)
	}
	if q.Cluster != "" {
		values.Set(paramCluster, q.Cluster)
	}
	for _, outcome := range q.Outcomes {
		values.Add(paramOutcome, string(outcome))
	}
	return values
}

// filter appends the entries that match.
func (q Query) filter(found []Entry, slots []slot) []Entry {
	for i := range slots {
		if q.matches(&slots[i].Entry) {
			found = append(found, slots[i].Entry)
		}
	}
	return found
}

func (q *Query) matches(e *Entry) bool {
	return (q.ID == "" || strings.EqualFold(q.ID, e.ID)) &&
		(q.ARN == "" || q.matchesARN(e)) &&
		(q.Cluster == "" || clip(q.Cluster, maxText) == e.Cluster) &&
		(len(q.Outcomes) == 0 || slices.Contains(q.Outcomes, e.Outcome))
}

func (q *Query) matchesARN(e *Entry) bool {
	asked := clip(q.ARN, maxText)
	return strings.EqualFold(asked, e.ARN) || strings.EqualFold(asked, e.CanonicalARN)
}
