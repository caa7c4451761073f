package localaws

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A clusterUpdate is a change of a cluster. It is immediate, so it is complete by
// the time a client describes it.
type clusterUpdate struct {
	ID      string        `json:"id"`
	Type    string        `json:"type"`
	Params  []updateParam `json:"params"`
	Created time.Time     `json:"created"`
	// Token is the client token that makes the update idempotent.
	Token string `json:"clientRequestToken,omitempty"`
}

type updateParam struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// maxUpdates bounds the updates remembered for a cluster.
const maxUpdates = 100

func clusterUpdateOperations() []api.Operation {
	return []api.Operation{
		on("POST /clusters/{name}/update-config", "UpdateClusterConfig", updateClusterConfig),
		on("GET /clusters/{name}/updates", "ListUpdates", listUpdates, "maxResults", "nextToken"),
		on("GET /clusters/{name}/updates/{updateId}", "DescribeUpdate", describeUpdate),
	}
}

func (u *clusterUpdate) describe(status string) any {
	return map[string]any{"update": map[string]any{
		"id": u.ID, "type": u.Type, "params": u.Params, "createdAt": u.Created.Unix(), "status": status, "errors": []any{},
	}}
}

func updateClusterConfig(c *eksCall) (any, *Error) {
	found, err := c.cluster(c.path["name"], nil)
	if err != nil {
		return nil, err
	}
	var input struct {
		VPC          json.RawMessage `json:"resourcesVpcConfig"`
		Logging      *loggingInput   `json:"logging"`
		AccessConfig *struct {
			AuthenticationMode string `json:"authenticationMode"`
		} `json:"accessConfig"`
		Token string `json:"clientRequestToken"`
	}
	if err := c.decode(&input); err != nil {
		return nil, err
	}
	for _, done := range found.Updates {
		if input.Token != "" && input.Token == done.Token {
			return done.describe("Successful"), nil
		}
	}
	types := 0
	for _, given := range []bool{input.VPC != nil, input.Logging != nil, input.AccessConfig != nil} {
		if given {
			types++
		}
	}
	switch {
	case types == 0:
		return nil, invalidEKS("The type for cluster update was not provided.")
	case types > 1:
		return nil, invalidEKS("Only one type of update can be made at a time.")
	case c.clusterStatus(found) != "ACTIVE":
		return nil, newError(http.StatusBadRequest, "InvalidRequestException", "Cluster "+found.Name+" is not ACTIVE and cannot be updated.")
	case input.Logging != nil:
		if err := input.Logging.check(); err != nil {
			return nil, err
		}
		return nil, invalidEKS("No changes needed for the logging config provided")
	case input.AccessConfig != nil:
		return nil, unsupportedMode(input.AccessConfig.AuthenticationMode)
	}
	return c.updateVPC(found, input.VPC, input.Token)
}

// updateVPC changes either the networks or the access to the endpoint.
func (c *eksCall) updateVPC(of *cluster, text []byte, token string) (any, *Error) {
	now := of.VPC
	next := vpcConfig{
		SubnetIDs: slices.Clone(now.SubnetIDs), SecurityGroupIDs: slices.Clone(now.SecurityGroupIDs),
		PublicAccess: now.PublicAccess, PrivateAccess: now.PrivateAccess, PublicAccessCIDRs: slices.Clone(now.PublicAccessCIDRs),
	}
	if err := decodeEKS(text, &next); err != nil {
		return nil, err
	}
	if err := next.check(); err != nil {
		return nil, err
	}
	networks := !slices.Equal(next.SubnetIDs, now.SubnetIDs) || !slices.Equal(next.SecurityGroupIDs, now.SecurityGroupIDs)
	access := next.PublicAccess != now.PublicAccess || next.PrivateAccess != now.PrivateAccess || !slices.Equal(next.PublicAccessCIDRs, now.PublicAccessCIDRs)
	update := clusterUpdate{ID: account.NewUUID(), Created: c.time, Token: token}
	switch {
	case networks && access:
		return nil, invalidEKS("The networks of a cluster and the access to its endpoint cannot be updated at a time.")
	case networks:
		update.Type = "VpcConfigUpdate"
		update.Params = []updateParam{{"Subnets", jsonList(next.SubnetIDs)}, {"SecurityGroups", jsonList(next.SecurityGroupIDs)}}
	case access:
		update.Type = "EndpointAccessUpdate"
		update.Params = []updateParam{
			{"EndpointPublicAccess", strconv.FormatBool(next.PublicAccess)},
			{"EndpointPrivateAccess", strconv.FormatBool(next.PrivateAccess)},
			{"PublicAccessCidrs", jsonList(next.PublicAccessCIDRs)},
		}
	default:
		return nil, invalidEKS("Cluster is already at the desired configuration with endpointPrivateAccess: " + strconv.FormatBool(now.PrivateAccess) +
			" , endpointPublicAccess: " + strconv.FormatBool(now.PublicAccess) + ", and Public Endpoint Restrictions: [" + strings.Join(now.PublicAccessCIDRs, ", ") + "]")
	}
	of.VPC = next
	of.Updates = append(of.Updates, update)
	of.Updates = of.Updates[max(0, len(of.Updates)-maxUpdates):]
	return update.describe("InProgress"), nil
}

// jsonList formats a list as EKS does in the value of a parameter.
func jsonList(values []string) string {
	text, _ := json.Marshal(values)
	return string(text)
}

func listUpdates(c *eksCall) (any, *Error) {
	found, err := c.cluster(c.path["name"], nil)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(found.Updates))
	for i, update := range found.Updates {
		ids[i] = update.ID
	}
	slices.Sort(ids)
	ids, next, err := c.page(ids)
	if err != nil {
		return nil, err
	}
	return struct {
		UpdateIDs []string `json:"updateIds"`
		NextToken string   `json:"nextToken,omitempty"`
	}{ids, next}, nil
}

func describeUpdate(c *eksCall) (any, *Error) {
	found, err := c.cluster(c.path["name"], nil)
	if err != nil {
		return nil, err
	}
	for _, update := range found.Updates {
		if update.ID == c.path["updateId"] {
			return update.describe("Successful"), nil
		}
	}
	return nil, newError(http.StatusNotFound, "ResourceNotFoundException", "No update found for ID: "+c.path["updateId"])
}
