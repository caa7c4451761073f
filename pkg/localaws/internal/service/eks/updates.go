package eks

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// An update is a change of a cluster. It is immediate, so it is complete by
// the time a client describes it.
type update struct {
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

func (s service) updateOperations() []api.Operation {
	return []api.Operation{
		on(namedCluster, "POST /clusters/{name}/update-config", "UpdateClusterConfig", s.updateClusterConfig),
		on(namedCluster, "GET /clusters/{name}/updates", "ListUpdates", listUpdates, "maxResults", "nextToken"),
		on(namedCluster, "GET /clusters/{name}/updates/{updateId}", "DescribeUpdate", describeUpdate),
	}
}

func (u *update) describe(status string) any {
	return map[string]any{"update": map[string]any{
		"id": u.ID, "type": u.Type, "params": u.Params, "createdAt": u.Created.Unix(), "status": status, "errors": []any{},
	}}
}

// A configInput holds the supported parameters of UpdateClusterConfig.
type configInput struct {
	VPC          json.RawMessage `json:"resourcesVpcConfig"`
	Logging      *loggingInput   `json:"logging"`
	AccessConfig *struct {
		AuthenticationMode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	Token string `json:"clientRequestToken"`
}

func (s service) updateClusterConfig(tx *account.Tx, c *cluster, in request[configInput]) (any, error) {
	input := in.Body
	for _, done := range c.Updates {
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
		return nil, invalid("The type for cluster update was not provided.")
	case types > 1:
		return nil, invalid("Only one type of update can be made at a time.")
	case s.status(c) != "ACTIVE":
		return nil, refuse("InvalidRequestException", "Cluster "+c.Name+" is not ACTIVE and cannot be updated.")
	case input.Logging != nil:
		if err := input.Logging.check(); err != nil {
			return nil, err
		}
		return nil, invalid("No changes needed for the logging config provided")
	case input.AccessConfig != nil:
		return nil, unsupportedMode(input.AccessConfig.AuthenticationMode)
	}
	return updateVPC(tx, c, input.VPC, input.Token)
}

// updateVPC changes either the networks or the access to the endpoint.
func updateVPC(tx *account.Tx, c *cluster, text []byte, token string) (any, error) {
	now := c.VPC
	next := vpcConfig{
		SubnetIDs: slices.Clone(now.SubnetIDs), SecurityGroupIDs: slices.Clone(now.SecurityGroupIDs),
		PublicAccess: now.PublicAccess, PrivateAccess: now.PrivateAccess, PublicAccessCIDRs: slices.Clone(now.PublicAccessCIDRs),
	}
	if err := decodeJSON(text, &next); err != nil {
		return nil, err
	}
	if err := next.check(); err != nil {
		return nil, err
	}
	networks := !slices.Equal(next.SubnetIDs, now.SubnetIDs) || !slices.Equal(next.SecurityGroupIDs, now.SecurityGroupIDs)
	access := next.PublicAccess != now.PublicAccess || next.PrivateAccess != now.PrivateAccess || !slices.Equal(next.PublicAccessCIDRs, now.PublicAccessCIDRs)
	made := update{ID: account.NewUUID(), Created: tx.Time, Token: token}
	switch {
	case networks && access:
		return nil, invalid("The networks of a cluster and the access to its endpoint cannot be updated at a time.")
	case networks:
		made.Type = "VpcConfigUpdate"
		made.Params = []updateParam{{"Subnets", jsonList(next.SubnetIDs)}, {"SecurityGroups", jsonList(next.SecurityGroupIDs)}}
	case access:
		made.Type = "EndpointAccessUpdate"
		made.Params = []updateParam{
			{"EndpointPublicAccess", strconv.FormatBool(next.PublicAccess)},
			{"EndpointPrivateAccess", strconv.FormatBool(next.PrivateAccess)},
			{"PublicAccessCidrs", jsonList(next.PublicAccessCIDRs)},
		}
	default:
		return nil, invalid("Cluster is already at the desired configuration with endpointPrivateAccess: " + strconv.FormatBool(now.PrivateAccess) +
			" , endpointPublicAccess: " + strconv.FormatBool(now.PublicAccess) + ", and Public Endpoint Restrictions: [" + strings.Join(now.PublicAccessCIDRs, ", ") + "]")
	}
	c.VPC = next
	c.Updates = append(c.Updates, made)
	c.Updates = c.Updates[max(0, len(c.Updates)-maxUpdates):]
	return made.describe("InProgress"), nil
}

// jsonList formats a list as EKS does in the value of a parameter.
func jsonList(values []string) string {
	text, _ := json.Marshal(values)
	return string(text)
}

func listUpdates(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	ids := make([]string, len(c.Updates))
	for i, update := range c.Updates {
		ids[i] = update.ID
	}
	slices.Sort(ids)
	return listed(in.Input, "updateIds", ids, itself)
}

func describeUpdate(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	for _, update := range c.Updates {
		if update.ID == in.Path["updateId"] {
			return update.describe("Successful"), nil
		}
	}
	return nil, notFound("No update found for ID: " + in.Path["updateId"])
}
