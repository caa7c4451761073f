package eks

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A cluster is an EKS cluster. It is CREATING until an API server is registered.
type cluster struct {
	Name    string            `json:"name"`
	Region  string            `json:"region"`
	ARN     string            `json:"arn"`
	Version string            `json:"version"`
	Created time.Time         `json:"created"`
	RoleARN string            `json:"roleARN"`
	VPC     vpcConfig         `json:"vpc"`
	Tags    map[string]string `json:"tags"`
	// Creator is the ARN of the user or role that created it and has full access.
	Creator string `json:"creatorARN"`
	// Token is the client token that makes creation idempotent, Request the digest
	// of its parameters.
	Token   string   `json:"clientRequestToken,omitempty"`
	Request string   `json:"request,omitempty"`
	Updates []update `json:"updates,omitempty"`
}

const (
	defaultVersion = "1.36"
	maxClusters    = 100 // in a region
)

func versions() []string { return []string{"1.31", "1.32", "1.33", "1.34", "1.35", "1.36"} }

var namePattern = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func (s service) clusterOperations() []api.Operation {
	return []api.Operation{
		on(newCluster, "POST /clusters", "CreateCluster", s.createCluster),
		on(allClusters, "GET /clusters", "ListClusters", listClusters, "include", "maxResults", "nextToken"),
		on(namedCluster, "GET /clusters/{name}", "DescribeCluster", s.describeCluster),
		on(namedCluster, "DELETE /clusters/{name}", "DeleteCluster", s.deleteCluster),
	}
}

func clusterARN(tx *account.Tx, region, name string) string {
	return tx.ARN("eks", region, "cluster/"+name)
}

// namedCluster finds the cluster in the path.
func namedCluster(tx *account.Tx, input api.Input) (*cluster, subject, error) {
	name := cmp.Or(input.Path["name"], input.Path["clusterName"])
	arn := clusterARN(tx, tx.Region, name)
	found, ok := account.Get[*state](tx).Clusters[arn]
	if !ok {
		return nil, subject{arn: arn}, notFound("No cluster found for name: " + name + ".")
	}
	return found, subject{arn, api.ResourceTags(found.Tags)}, nil
}

// newCluster finds the cluster that a body names.
func newCluster(tx *account.Tx, input api.Input) (none, subject, error) {
	var named struct{ Name string }
	_ = json.Unmarshal(input.Request.Content, &named) // decoded before without an error
	return none{}, subject{arn: clusterARN(tx, tx.Region, named.Name)}, nil
}

func allClusters(tx *account.Tx, _ api.Input) (none, subject, error) {
	return none{}, subject{arn: clusterARN(tx, tx.Region, "*")}, nil
}

func listClusters(tx *account.Tx, _ none, in request[none]) (any, error) {
	// No cluster here is registered from outside EKS, so "all" adds none.
	if include := in.Query["include"]; len(include) > 0 && !slices.Equal(include, []string{"all"}) {
		return nil, invalid("include must be all.")
	}
	return listed(in.Input, "clusters", clusterNames(tx), itself)
}

// clusterNames returns the names of the region's clusters, sorted.
func clusterNames(tx *account.Tx) []string {
	var names []string
	for _, cluster := range account.Get[*state](tx).Clusters {
		if cluster.Region == tx.Region {
			names = append(names, cluster.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (s service) describeCluster(_ *account.Tx, c *cluster, _ request[none]) (any, error) {
	return s.describe(c, s.status(c)), nil
}

func (s service) deleteCluster(tx *account.Tx, c *cluster, _ request[none]) (any, error) {
	delete(account.Get[*state](tx).Clusters, c.ARN)
	return s.describe(c, "DELETING"), nil
}

// A clusterInput holds the supported parameters of CreateCluster.
type clusterInput struct {
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	RoleARN      string            `json:"roleArn"`
	VPC          vpcConfig         `json:"resourcesVpcConfig"`
	Logging      loggingInput      `json:"logging"`
	AccessConfig accessConfig      `json:"accessConfig"`
	Tags         map[string]string `json:"tags"`
	Token        string            `json:"clientRequestToken"`
}

func (i *clusterInput) setDefaults() {
	*i = clusterInput{
		Version: defaultVersion, Tags: map[string]string{}, VPC: defaultVPC(),
		AccessConfig: accessConfig{AuthenticationMode: configMap, Bootstrap: true},
	}
}

func (i *clusterInput) conditionKeys() map[string][]string {
	return api.Merged(api.RequestTags(i.Tags), map[string][]string{
		"eks:kubernetesversion":     {i.Version},
		"eks:authenticationmode":    {i.AccessConfig.AuthenticationMode},
		"eks:endpointpublicaccess":  {strconv.FormatBool(i.VPC.PublicAccess)},
		"eks:endpointprivateaccess": {strconv.FormatBool(i.VPC.PrivateAccess)},

		"eks:bootstrapclustercreatoradminpermissions": {strconv.FormatBool(i.AccessConfig.Bootstrap)},
	})
}

func (s service) createCluster(tx *account.Tx, _ none, in request[clusterInput]) (any, error) {
	input := in.Body
	if err := input.check(); err != nil {
		return nil, err
	}
	role, ok := tx.Identities().Role(input.RoleARN)
	if !ok || !tx.Account.Trusts(role, "eks") {
		return nil, invalid("Role with arn: " + input.RoleARN + ", could not be assumed because it does not exist or the trusted entity is not correct")
	}
	if err := tx.PassRole(role, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	clusters, arn, request := account.Get[*state](tx).Clusters, clusterARN(tx, tx.Region, input.Name), input.digest()
	if existing, ok := clusters[arn]; ok {
		if input.Token != "" && input.Token == existing.Token && request == existing.Request {
			return s.describe(existing, s.status(existing)), nil
		}
		return nil, inUse("Cluster already exists with name: " + input.Name)
	}
	if len(clusterNames(tx)) >= maxClusters {
		return nil, refuse("ResourceLimitExceededException", fmt.Sprintf("A region cannot have more than %d clusters.", maxClusters))
	}
	made := &cluster{
		Name: input.Name, Region: tx.Region, ARN: arn, Version: input.Version, Created: tx.Time,
		RoleARN: role.ARN, VPC: input.VPC, Tags: input.Tags, Creator: tx.Creator(), Token: input.Token, Request: request,
	}
	clusters[arn] = made
	return s.describe(made, s.status(made)), nil
}

func (i *clusterInput) check() error {
	if !namePattern.MatchString(i.Name) {
		return invalid("The cluster name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters.")
	}
	if !slices.Contains(versions(), i.Version) {
		return invalid("unsupported Kubernetes version " + i.Version + " (supported: " + strings.Join(versions(), ", ") + ")")
	}
	if err := i.VPC.check(); err != nil {
		return err
	}
	if err := i.Logging.check(); err != nil {
		return err
	}
	if problem := checkTags(i.Tags); problem != "" {
		return invalid(problem)
	}
	return i.AccessConfig.check()
}

// digest returns a hash of the parameters.
func (i *clusterInput) digest() string {
	text, _ := json.Marshal(i) // a struct of strings always encodes
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (s service) status(c *cluster) string {
	_, bound := s.servers.byARN[c.ARN]
	return statusOf(bound)
}

func statusOf(bound bool) string {
	if bound {
		return "ACTIVE"
	}
	return "CREATING"
}

func (s service) describe(c *cluster, status string) map[string]any {
	described := map[string]any{
		"name": c.Name, "arn": c.ARN, "version": c.Version, "createdAt": c.Created.Unix(), "status": status,
		"roleArn": c.RoleARN, "resourcesVpcConfig": c.VPC, "platformVersion": "localaws.1",
		"accessConfig":         accessConfig{configMap, true},
		"logging":              map[string]any{"clusterLogging": []logSetup{{Types: logTypes()}}},
		"certificateAuthority": map[string]string{},
		"health":               map[string]any{"issues": []any{}},
		"tags":                 c.Tags,
	}
	if server, ok := s.servers.byARN[c.ARN]; ok {
		described["endpoint"] = server.Endpoint
		described["certificateAuthority"] = map[string]string{"data": base64.StdEncoding.EncodeToString(server.CA)}
	} else {
		described["health"] = map[string]any{"issues": []any{map[string]any{
			"code": "Other", "resourceIds": []string{c.ARN},
			"message": "No API server is bound to the cluster. localaws serve --cluster-endpoint " + c.Name + "=https://HOST:PORT --cluster-ca " + c.Name + "=FILE binds one.",
		}}}
	}
	return map[string]any{"cluster": described}
}
