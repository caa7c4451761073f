package localaws

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
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
	Token   string          `json:"clientRequestToken,omitempty"`
	Request string          `json:"request,omitempty"`
	Updates []clusterUpdate `json:"updates,omitempty"`
}

// Cluster describes a cluster of EKS.
type Cluster struct {
	Name, Region, ARN, Version string
	// Status is ACTIVE, or CREATING while no API server is registered.
	Status string
	// Endpoint is the URL of the API server; empty without one.
	Endpoint string
	// CreatorARN is the user, or the role without its path, that created the
	// cluster. An authenticator for the cluster maps this ARN as the cluster owner.
	CreatorARN string
	Created    time.Time
	Tags       map[string]string
}

// An apiServer is a Kubernetes API server bound to a cluster name, whether or not
// that cluster exists. It lasts for this run and is not part of the state.
type apiServer struct {
	endpoint string
	ca       []byte // PEM
}

const (
	defaultKubernetesVersion = "1.36"
	maxClusters              = 100 // in a region
)

func kubernetesVersions() []string {
	return []string{"1.31", "1.32", "1.33", "1.34", "1.35", "1.36"}
}

var clusterNamePattern = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func clusterOperations() []api.Operation {
	return []api.Operation{
		on("POST /clusters", "CreateCluster", createCluster),
		on("GET /clusters", "ListClusters", listClusters, "include", "maxResults", "nextToken"),
		on("GET /clusters/{name}", "DescribeCluster", describeCluster),
		on("DELETE /clusters/{name}", "DeleteCluster", deleteCluster),
	}
}

// RegisterCluster binds an API server to a cluster name: DescribeCluster returns its
// URL and CA (in PEM), and the proxy dials it. If the cluster does not exist, the
// administrator creates it. The binding survives deleting and creating the cluster
// again. It lasts for this run: no state file keeps it.
func (a *AWS) RegisterCluster(region, name, endpoint string, ca []byte) error {
	if !clusterNamePattern.MatchString(name) {
		return fmt.Errorf("registering cluster %q: expected a name of 1 to 100 letters, digits, - and _", name)
	}
	if _, err := endpointAddress(endpoint); err != nil {
		return fmt.Errorf("registering cluster %s: %w", name, err)
	}
	return a.account.Update(func(*account.Tx) error {
		arn := a.clusterARN(region, name)
		a.apiServers[arn] = apiServer{endpoint, ca}
		if _, ok := a.state.Clusters[arn]; !ok {
			a.state.Clusters[arn] = &cluster{
				Name: name, Region: region, ARN: arn, Version: defaultKubernetesVersion, Created: a.now(), Tags: map[string]string{},
				RoleARN: a.arn("iam", "", "role/eks-cluster-role"), VPC: defaultCluster().VPC, Creator: a.arn("iam", "", "user/"+administratorName),
			}
		}
		return nil
	})
}

// Cluster returns the cluster with the name in the region, and whether it exists.
func (a *AWS) Cluster(region, name string) (found Cluster, ok bool) {
	a.account.View(func(*account.Tx) {
		var c *cluster
		if c, ok = a.state.Clusters[a.clusterARN(region, name)]; ok {
			found = Cluster{
				Name: c.Name, Region: c.Region, ARN: c.ARN, Version: c.Version, Status: a.clusterStatus(c),
				Endpoint: a.apiServers[c.ARN].endpoint, CreatorARN: c.Creator, Created: c.Created, Tags: maps.Clone(c.Tags),
			}
		}
	})
	return found, ok
}

func (a *AWS) clusterARN(region, name string) string { return a.arn("eks", region, "cluster/"+name) }

// endpoint reports whether the proxy may dial a host besides AWS's, and its address.
func (a *AWS) endpoint(hostPort string) (address string, ok bool) {
	a.account.View(func(*account.Tx) {
		for arn := range a.state.Clusters {
			if server, bound := a.apiServers[arn]; bound {
				if found, err := endpointAddress(server.endpoint); err == nil && strings.EqualFold(found, hostPort) {
					address, ok = found, true
				}
			}
		}
	})
	return address, ok
}

// endpointAddress returns the host and port of an https URL.
func endpointAddress(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("expected an https URL, not %q", endpoint)
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), nil
}

// cluster checks permission and returns the cluster with a name.
func (c *eksCall) cluster(name string, keys map[string][]string) (*cluster, *Error) {
	arn := c.clusterARN(c.region, name)
	found, ok := c.state.Clusters[arn]
	if ok {
		keys = merged(keys, resourceTags(found.Tags))
	}
	if err := c.authorize(c.operation, arn, keys); err != nil {
		return nil, err
	}
	if !ok {
		return nil, noCluster(name)
	}
	return found, nil
}

func noCluster(name string) *Error {
	return newError(http.StatusNotFound, "ResourceNotFoundException", "No cluster found for name: "+name+".")
}

func listClusters(c *eksCall) (any, *Error) {
	if err := c.authorize(c.operation, c.clusterARN(c.region, "*"), nil); err != nil {
		return nil, err
	}
	// No cluster here is registered from outside EKS, so "all" adds none.
	if include := c.query["include"]; len(include) > 0 && !slices.Equal(include, []string{"all"}) {
		return nil, invalidEKS("include must be all.")
	}
	names, next, err := c.page(c.clusterNames())
	if err != nil {
		return nil, err
	}
	return struct {
		Clusters  []string `json:"clusters"`
		NextToken string   `json:"nextToken,omitempty"`
	}{names, next}, nil
}

// clusterNames returns the names of the region's clusters, sorted.
func (c *eksCall) clusterNames() []string {
	names := []string{}
	for _, cluster := range c.state.Clusters {
		if cluster.Region == c.region {
			names = append(names, cluster.Name)
		}
	}
	slices.Sort(names)
	return names
}

func describeCluster(c *eksCall) (any, *Error) {
	found, err := c.cluster(c.path["name"], nil)
	if err != nil {
		return nil, err
	}
	return c.describe(found, c.clusterStatus(found)), nil
}

func deleteCluster(c *eksCall) (any, *Error) {
	found, err := c.cluster(c.path["name"], nil)
	if err != nil {
		return nil, err
	}
	delete(c.state.Clusters, found.ARN)
	return c.describe(found, "DELETING"), nil
}

// A createClusterInput holds the supported parameters of CreateCluster.
type createClusterInput struct {
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	RoleARN      string            `json:"roleArn"`
	VPC          vpcConfig         `json:"resourcesVpcConfig"`
	Logging      loggingInput      `json:"logging"`
	AccessConfig accessConfig      `json:"accessConfig"`
	Tags         map[string]string `json:"tags"`
	Token        string            `json:"clientRequestToken"`
}

// defaultCluster returns the defaults of CreateCluster.
func defaultCluster() createClusterInput {
	return createClusterInput{
		Version:      defaultKubernetesVersion,
		Tags:         map[string]string{},
		VPC:          vpcConfig{SubnetIDs: []string{}, SecurityGroupIDs: []string{}, PublicAccess: true, PublicAccessCIDRs: []string{"0.0.0.0/0"}},
		AccessConfig: accessConfig{AuthenticationMode: configMap, Bootstrap: true},
	}
}

func (i *createClusterInput) conditionKeys() map[string][]string {
	return merged(requestTags(i.Tags), map[string][]string{
		"eks:kubernetesversion":     {i.Version},
		"eks:authenticationmode":    {i.AccessConfig.AuthenticationMode},
		"eks:endpointpublicaccess":  {strconv.FormatBool(i.VPC.PublicAccess)},
		"eks:endpointprivateaccess": {strconv.FormatBool(i.VPC.PrivateAccess)},

		"eks:bootstrapclustercreatoradminpermissions": {strconv.FormatBool(i.AccessConfig.Bootstrap)},
	})
}

func createCluster(c *eksCall) (any, *Error) {
	input := defaultCluster()
	if err := c.decode(&input); err != nil {
		return nil, err
	}
	arn := c.clusterARN(c.region, input.Name)
	if err := c.authorize(c.operation, arn, input.conditionKeys()); err != nil {
		return nil, err
	}
	if err := input.check(); err != nil {
		return nil, err
	}
	role, ok := c.roleByARN(input.RoleARN)
	if !ok || !c.account.Trusts(role.view(), "eks") {
		return nil, invalidEKS("Role with arn: " + input.RoleARN + ", could not be assumed because it does not exist or the trusted entity is not correct")
	}
	if err := c.mayPass(role, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	request := input.digest()
	if existing, ok := c.state.Clusters[arn]; ok {
		if input.Token != "" && input.Token == existing.Token && request == existing.Request {
			return c.describe(existing, c.clusterStatus(existing)), nil
		}
		return nil, newError(http.StatusConflict, "ResourceInUseException", "Cluster already exists with name: "+input.Name)
	}
	if len(c.clusterNames()) >= maxClusters {
		return nil, newError(http.StatusBadRequest, "ResourceLimitExceededException", fmt.Sprintf("A region cannot have more than %d clusters.", maxClusters))
	}
	made := &cluster{
		Name: input.Name, Region: c.region, ARN: arn, Version: input.Version, Created: c.time,
		RoleARN: role.ARN, VPC: input.VPC, Tags: input.Tags, Creator: c.tx.Creator(), Token: input.Token, Request: request,
	}
	c.state.Clusters[arn] = made
	return c.describe(made, c.clusterStatus(made)), nil
}

func (i *createClusterInput) check() *Error {
	if !clusterNamePattern.MatchString(i.Name) {
		return invalidEKS("The cluster name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters.")
	}
	if !slices.Contains(kubernetesVersions(), i.Version) {
		return invalidEKS("unsupported Kubernetes version " + i.Version + " (supported: " + strings.Join(kubernetesVersions(), ", ") + ")")
	}
	if err := i.VPC.check(); err != nil {
		return err
	}
	if err := i.Logging.check(); err != nil {
		return err
	}
	if why := tagsProblem(i.Tags); why != "" {
		return invalidEKS(why)
	}
	if err := i.AccessConfig.check(); err != nil {
		return err
	}
	return nil
}

// digest returns a hash of the parameters.
func (i *createClusterInput) digest() string {
	text, _ := json.Marshal(i) // a struct of strings always encodes
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (a *AWS) clusterStatus(c *cluster) string {
	if _, ok := a.apiServers[c.ARN]; ok {
		return "ACTIVE"
	}
	return "CREATING"
}

func (a *AWS) describe(c *cluster, status string) map[string]any {
	described := map[string]any{
		"name": c.Name, "arn": c.ARN, "version": c.Version, "createdAt": c.Created.Unix(), "status": status,
		"roleArn": c.RoleARN, "resourcesVpcConfig": c.VPC, "platformVersion": "localaws.1",
		"accessConfig":         accessConfig{configMap, true},
		"logging":              map[string]any{"clusterLogging": []logSetup{{Types: logTypes()}}},
		"certificateAuthority": map[string]string{},
		"health":               map[string]any{"issues": []any{}},
		"tags":                 c.Tags,
	}
	if server, ok := a.apiServers[c.ARN]; ok {
		described["endpoint"] = server.endpoint
		described["certificateAuthority"] = map[string]string{"data": base64.StdEncoding.EncodeToString(server.ca)}
	} else {
		described["health"] = map[string]any{"issues": []any{map[string]any{
			"code": "Other", "resourceIds": []string{c.ARN},
			"message": "No API server is bound to the cluster. localaws serve --cluster-endpoint " + c.Name + "=https://HOST:PORT --cluster-ca " + c.Name + "=FILE binds one.",
		}}}
	}
	return map[string]any{"cluster": described}
}

// A vpcConfig is the network of a cluster, as requested and described. It does not
// affect where the API server listens.
type vpcConfig struct {
	SubnetIDs         []string `json:"subnetIds"`
	SecurityGroupIDs  []string `json:"securityGroupIds"`
	PublicAccess      bool     `json:"endpointPublicAccess"`
	PrivateAccess     bool     `json:"endpointPrivateAccess"`
	PublicAccessCIDRs []string `json:"publicAccessCidrs"`
}

var (
	subnetPattern        = regexp.MustCompile(`^subnet-[0-9a-f]+$`)
	securityGroupPattern = regexp.MustCompile(`^sg-[0-9a-f]+$`)
)

func (v *vpcConfig) check() *Error {
	for _, id := range v.SubnetIDs {
		if !subnetPattern.MatchString(id) {
			return invalidEKS("The subnet ID '" + id + "' is not valid: expected subnet- and hex digits.")
		}
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(v.SubnetIDs))); len(distinct) < 2 {
		return invalidEKS("Subnets specified must be in at least two different AZs")
	}
	for _, id := range v.SecurityGroupIDs {
		if !securityGroupPattern.MatchString(id) {
			return invalidEKS("The security group ID '" + id + "' is not valid: expected sg- and hex digits.")
		}
	}
	if len(v.SecurityGroupIDs) > 5 {
		return invalidEKS("A cluster cannot have more than 5 security groups.")
	}
	if !v.PublicAccess && !v.PrivateAccess {
		return invalidEKS("Private and public endpoint access cannot be false")
	}
	for _, text := range v.PublicAccessCIDRs {
		if _, err := netip.ParsePrefix(text); err != nil {
			return invalidEKS("The CIDR '" + text + "' of publicAccessCidrs is not valid.")
		}
	}
	return nil
}

// A loggingInput turns control plane logs on and off.
type loggingInput struct {
	ClusterLogging []logSetup `json:"clusterLogging"`
}

type logSetup struct {
	Types   []string `json:"types"`
	Enabled bool     `json:"enabled"`
}

func logTypes() []string {
	return []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
}

// check returns an error if a log is turned on, since localaws writes none.
func (l loggingInput) check() *Error {
	for _, setup := range l.ClusterLogging {
		if setup.Enabled {
			return invalidEKS("localaws writes no control plane logs: logging cannot be enabled.")
		}
	}
	return nil
}
