package eks

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// An update is a change of a cluster or of something in it. It is immediate, so it is
// complete by the time a client describes it.
type update struct {
	ID      string        `json:"id"`
	Type    string        `json:"type"`
	Params  []updateParam `json:"params"`
	Created time.Time     `json:"created"`
	// Nodegroup or Addon is what was updated; the cluster if both are empty.
	Nodegroup string `json:"nodegroup,omitempty"`
	Addon     string `json:"addon,omitempty"`
	tokened
}

// A tokened is a request that its client token makes idempotent.
type tokened struct {
	Token string `json:"clientRequestToken,omitempty"`
	// Request is the digest of what it asks for.
	Request string `json:"request,omitempty"`
}

// under returns a request under its client token.
func (r request[B]) under(token string) tokened {
	return tokened{token, digest([]any{r.Operation, r.Path, r.Body})}
}

type updateParam struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// maxUpdates bounds the updates remembered for a cluster.
const maxUpdates = 100

func updateOperations() []api.Operation {
	return []api.Operation{
		on(namedCluster, "GET /clusters/{name}/updates", "ListUpdates", listUpdates, "addonName", "maxResults", "nextToken", "nodegroupName"),
		on(namedCluster, "GET /clusters/{name}/updates/{updateId}", "DescribeUpdate", describeUpdate, "addonName", "nodegroupName"),
	}
}

// update records an update that was made, and returns the answer.
func (c *cluster) update(tx *account.Tx, made update) map[string]any {
	made.ID, made.Created = account.NewUUID(), tx.Time
	if made.Params == nil {
		made.Params = []updateParam{}
	}
	c.Updates = append(c.Updates, made)
	c.Updates = c.Updates[max(0, len(c.Updates)-maxUpdates):]
	return made.describe("InProgress")
}

// updated returns the answer to a request that was answered before; nil if it was not.
// Another request under the same token is an error.
func (c *cluster) updated(asked tokened) (answer any, err error) {
	at := slices.IndexFunc(c.Updates, func(done update) bool { return asked.Token != "" && asked.Token == done.Token })
	switch {
	case at < 0:
		return nil, nil
	case c.Updates[at].Request != asked.Request:
		return nil, invalid("The clientRequestToken was used for another request.")
	}
	return c.Updates[at].describe("Successful"), nil
}

func (u *update) describe(status string) map[string]any {
	return map[string]any{"update": map[string]any{
		"id": u.ID, "type": u.Type, "params": u.Params, "createdAt": protocol.Timestamp(u.Created), "status": status, "errors": []any{},
	}}
}

// jsonOf formats a value as EKS does in a parameter of an update.
func jsonOf(value any) string {
	text, _ := json.Marshal(value) // lists and maps of strings always encode
	return string(text)
}

// of reports whether the update is of what a request names.
func (u *update) of(input api.Input) bool {
	return u.Nodegroup == input.Query.Get("nodegroupName") && u.Addon == input.Query.Get("addonName")
}

func listUpdates(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	var ids []string
	for _, u := range c.Updates {
		if u.of(in.Input) {
			ids = append(ids, u.ID)
		}
	}
	slices.Sort(ids)
	return listed(in.Input, "updateIds", ids, itself)
}

func describeUpdate(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	for _, u := range c.Updates {
		if u.ID == in.Path["updateId"] && u.of(in.Input) {
			return u.describe("Successful"), nil
		}
	}
	return nil, notFound("No update found for ID: " + in.Path["updateId"])
}
