package eks

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// A cluster is an EKS cluster: a record, unless an API server is bound to it.
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
	// Mode is the authentication mode; empty means CONFIG_MAP.
	Mode string `json:"authenticationMode,omitempty"`
	// Logs are the types of logs that are on.
	Logs []string `json:"logs,omitempty"`
	settings
	// Token is the client token that makes creation idempotent, Request the digest
	// of its parameters.
	Token   string   `json:"clientRequestToken,omitempty"`
	Request string   `json:"request,omitempty"`
	Updates []update `json:"updates,omitempty"`

	// What is in the cluster, by its key.
	Nodegroups        map[string]*nodegroup        `json:"nodegroups,omitempty"`
	FargateProfiles   map[string]*fargateProfile   `json:"fargateProfiles,omitempty"`
	Addons            map[string]*addon            `json:"addons,omitempty"`
	PodIdentities     map[string]*podIdentity      `json:"podIdentityAssociations,omitempty"`
	IdentityProviders map[string]*identityProvider `json:"identityProviderConfigs,omitempty"`
	AccessEntries     map[string]*accessEntry      `json:"accessEntries,omitempty"`
}

// check validates a cluster that was read.
func (c *cluster) check() error {
	if err := cmp.Or(
		nodegroups().check(c), fargateProfiles().check(c), addons().check(c), podIdentities().check(c),
		identityProviders().check(c), accessEntries().check(c),
	); err != nil {
		return err
	}
	for _, e := range c.AccessEntries {
		for arn, associated := range e.Policies {
			if associated == nil {
				return fmt.Errorf("access policy %q of %s is null", arn, e.Principal)
			}
		}
	}
	return nil
}

// records returns what has tags in the cluster.
func (c *cluster) records() []*record {
	return slices.Concat(
		nodegroups().bases(c), fargateProfiles().bases(c), addons().bases(c), podIdentities().bases(c),
		identityProviders().bases(c), accessEntries().bases(c),
	)
}

func (c *cluster) mode() string { return cmp.Or(c.Mode, configMap) }

// id returns the part of the cluster's host names that no other cluster has, not even
// one made again under its name.
func (c *cluster) id() string {
	sum := sha256.Sum256([]byte(c.ARN + c.Created.UTC().Format(time.RFC3339Nano)))
	return strings.ToUpper(hex.EncodeToString(sum[:16]))
}

const maxClusters = 100 // in a region

var namePattern = pattern.New(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func (s service) clusterOperations() []api.Operation {
	return []api.Operation{
		on(newCluster, "POST /clusters", "CreateCluster", s.createCluster),
		on(allClusters, "GET /clusters", "ListClusters", listClusters, "include.N", "maxResults", "nextToken"),
		on(namedCluster, "GET /clusters/{name}", "DescribeCluster", s.describeCluster),
		on(namedCluster, "DELETE /clusters/{name}", "DeleteCluster", s.deleteCluster),
	}
}

func clusterARN(tx *account.Tx, region, name string) string {
	return tx.ARN("eks", region, "cluster/"+name)
}

// clusterName returns the name of the cluster in the path.
func clusterName(input api.Input) string {
	return cmp.Or(input.Path["name"], input.Path["clusterName"])
}

// namedCluster finds the cluster in the path.
func namedCluster(tx *account.Tx, input api.Input) (*cluster, subject, error) {
	name := clusterName(input)
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

func (s service) describeCluster(tx *account.Tx, c *cluster, _ request[none]) (any, error) {
	return s.describe(tx, c, "ACTIVE"), nil
}

func (s service) deleteCluster(tx *account.Tx, c *cluster, _ request[none]) (any, error) {
	switch {
	case c.DeletionProtection:
		return nil, badRequest("InvalidRequestException", "Cluster "+c.Name+" has deletion protection enabled and cannot be deleted.")
	case len(c.Nodegroups) > 0:
		return nil, inUse("Cluster has nodegroups attached")
	case len(c.FargateProfiles) > 0:
		return nil, inUse("Cluster has Fargate profiles attached")
	}
	delete(account.Get[*state](tx).Clusters, c.ARN)
	return s.describe(tx, c, "DELETING"), nil
}

// A clusterInput holds the supported parameters of CreateCluster.
type clusterInput struct {
	Name    string       `json:"name"`
	Version string       `json:"version"`
	RoleARN string       `json:"roleArn"`
	VPC     vpcConfig    `json:"resourcesVpcConfig"`
	Logging logging      `json:"logging"`
	Access  accessConfig `json:"accessConfig"`
	settings
	// SelfManagedAddons asks for add-ons that are no records of EKS.
	SelfManagedAddons *bool             `json:"bootstrapSelfManagedAddons"`
	Tags              map[string]string `json:"tags"`
	Token             string            `json:"clientRequestToken"`
}

func (i *clusterInput) setDefaults() {
	*i = clusterInput{
		Version: defaultVersion, Tags: map[string]string{}, VPC: defaultVPC(),
		Access: accessConfig{Mode: configMap, Bootstrap: true},
	}
}

func (i *clusterInput) conditionKeys() map[string][]string {
	return api.Merged(api.RequestTags(i.Tags), map[string][]string{
		"eks:kubernetesversion":     {i.Version},
		"eks:authenticationmode":    {i.Access.Mode},
		"eks:supporttype":           {cmp.Or(i.Upgrade.Support, "EXTENDED")},
		"eks:endpointpublicaccess":  {strconv.FormatBool(i.VPC.PublicAccess)},
		"eks:endpointprivateaccess": {strconv.FormatBool(i.VPC.PrivateAccess)},

		"eks:bootstrapclustercreatoradminpermissions": {strconv.FormatBool(i.Access.Bootstrap)},
		"eks:bootstrapselfmanagedaddons":              {strconv.FormatBool(i.SelfManagedAddons == nil || *i.SelfManagedAddons)},
	})
}

func (s service) createCluster(tx *account.Tx, _ none, in request[clusterInput]) (any, error) {
	input := in.Body
	if err := input.check(tx); err != nil {
		return nil, err
	}
	role, ok := tx.Identities().Role(input.RoleARN)
	if !ok || !tx.Account.Trusts(role, "eks") {
		return nil, invalid("Role with arn: " + input.RoleARN + ", could not be assumed because it does not exist or the trusted entity is not correct")
	}
	if err := tx.PassRole(role, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	clusters, arn, request := account.Get[*state](tx).Clusters, clusterARN(tx, tx.Region, input.Name), digest(input)
	if existing, ok := clusters[arn]; ok {
		if input.Token != "" && input.Token == existing.Token && request == existing.Request {
			return s.describe(tx, existing, "ACTIVE"), nil
		}
		return nil, inUse("Cluster already exists with name: " + input.Name)
	}
	if len(clusterNames(tx)) >= maxClusters {
		return nil, badRequest("ResourceLimitExceededException", fmt.Sprintf("A region cannot have more than %d clusters.", maxClusters))
	}
	logs, err := input.Logging.apply(nil)
	if err != nil {
		return nil, err
	}
	made := &cluster{
		Name: input.Name, Region: tx.Region, ARN: arn, Version: input.Version, Created: tx.Time,
		RoleARN: role.ARN, VPC: input.VPC, Tags: input.Tags, Creator: tx.Creator(), Mode: input.Access.Mode, Logs: logs,
		settings: input.settings, Token: input.Token, Request: request,
	}
	if made.Mode != configMap && input.Access.Bootstrap {
		if err := bootstrap(tx, made); err != nil {
			return nil, err
		}
	}
	clusters[arn] = made
	return s.describe(tx, made, "CREATING"), nil
}

// bootstrap grants the creator full access by an access entry.
func bootstrap(tx *account.Tx, c *cluster) error {
	config := entryConfig{Principal: tx.Caller.Owner.ARN, Type: "STANDARD"}
	if err := config.completeStandard(); err != nil {
		return err
	}
	made, err := grant(tx, c, accessEntryInput{}, config, tx.Caller.Owner)
	if err != nil {
		return err
	}
	made.Policies = map[string]*accessPolicy{
		policyARN(tx, "AmazonEKSClusterAdminPolicy"): {Scope: accessScope{"cluster", []string{}}, Created: tx.Time, Modified: tx.Time},
	}
	return nil
}

func (i *clusterInput) check(tx *account.Tx) error {
	if !namePattern.MatchString(i.Name) {
		return invalid("The cluster name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters.")
	}
	if _, ok := versionOf(i.Version); !ok {
		return unsupportedVersion(i.Version)
	}
	if err := i.VPC.check(); err != nil {
		return err
	}
	if err := i.VPC.checkNetwork(tx, ""); err != nil {
		return err
	}
	if problem := checkTags(i.Tags); problem != "" {
		return invalid(problem)
	}
	if err := i.Access.check(); err != nil {
		return err
	}
	if i.autoMode() && (i.SelfManagedAddons == nil || *i.SelfManagedAddons) {
		return invalid("When EKS Auto Mode is enabled, bootstrapSelfManagedAddons must be set to false.")
	}
	return i.settings.check(tx)
}

// describe returns the answer that describes a cluster.
func (s service) describe(tx *account.Tx, c *cluster, status string) map[string]any {
	settings, server, vpc := c.complete(), s.servers.of(c), c.VPC
	vpc.Egress = vpc.egress()
	v, _ := versionOf(c.Version)
	described := with(map[string]any{
		"name": c.Name, "arn": c.ARN, "version": c.Version, "createdAt": protocol.Timestamp(c.Created), "status": status, "roleArn": c.RoleARN,
		"platformVersion": cmp.Or(v.platform, "eks.1"), "accessConfig": map[string]string{"authenticationMode": c.mode()},
		"logging": loggingOf(c.Logs), "tags": c.Tags, "deletionProtection": c.DeletionProtection,
		"health":               map[string]any{"issues": []any{}},
		"certificateAuthority": map[string]string{"data": base64.StdEncoding.EncodeToString(server.CA)},
		"endpoint":             server.Endpoint,
		"identity":             map[string]any{"oidc": map[string]string{"issuer": c.issuer(tx)}},
		"resourcesVpcConfig": struct {
			vpcConfig
			SecurityGroup string `json:"clusterSecurityGroupId"`
			ID            string `json:"vpcId"`
		}{vpc, "sg-0" + strings.ToLower(c.id()[:16]), c.vpcID(tx)},
	}, settings)
	if !s.servers.bound(c) {
		described["health"] = map[string]any{"issues": []any{map[string]any{
			"code": "Other", "resourceIds": []string{c.ARN},
			"message": "localaws: no API server is bound to the cluster, which is a record. localaws serve --cluster-endpoint " + c.Name + "=https://HOST:PORT --cluster-ca " + c.Name + "=FILE binds one.",
		}}}
	}
	return map[string]any{"cluster": described}
}

// issuer returns the issuer of the tokens of service accounts. Nobody answers there.
func (c *cluster) issuer(tx *account.Tx) string {
	return "https://oidc.eks." + c.Region + "." + tx.Account.Domain() + "/id/" + c.id()
}

// vpcID returns the VPC of the cluster's subnets. Without any that exists, it is the
// default VPC.
func (c *cluster) vpcID(tx *account.Tx) string {
	for _, id := range c.VPC.SubnetIDs {
		if subnet, ok := tx.Networks().Subnet(tx, c.Region, id); ok {
			return subnet.VPC
		}
	}
	return tx.Networks().DefaultVPC(tx, c.Region)
}
