package eks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func clusterUpdateOperations() []api.Operation {
	const one = "/clusters/{name}"
	return []api.Operation{
		on(namedCluster, "POST "+one+"/update-config", "UpdateClusterConfig", updateClusterConfig),
		on(namedCluster, "POST "+one+"/updates", "UpdateClusterVersion", updateClusterVersion),
		on(namedCluster, "POST "+one+"/encryption-config/associate", "AssociateEncryptionConfig", associateEncryption),
	}
}

// A configChange is a request to update one part of a cluster.
type configChange struct {
	VPC     json.RawMessage `json:"resourcesVpcConfig"`
	Logging *logging        `json:"logging"`
	Access  *struct {
		Mode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	Upgrade    *upgradePolicy  `json:"upgradePolicy"`
	Scaling    *controlPlane   `json:"controlPlaneScalingConfig"`
	ZonalShift *toggle         `json:"zonalShiftConfig"`
	Remote     *remoteNetworks `json:"remoteNetworkConfig"`
	Protection *bool           `json:"deletionProtection"`
	// EKS Auto Mode takes these three together.
	Compute *computeConfig `json:"computeConfig"`
	Storage *storageConfig `json:"storageConfig"`
	Network *networkConfig `json:"kubernetesNetworkConfig"`

	Token string `json:"clientRequestToken"`
}

func (i *configChange) conditionKeys() map[string][]string {
	keys := map[string][]string{}
	if i.Access != nil {
		keys["eks:authenticationmode"] = []string{i.Access.Mode}
	}
	if i.Upgrade != nil {
		keys["eks:supporttype"] = []string{i.Upgrade.Support}
	}
	return keys
}

// updateClusterConfig makes the one change that a request has.
func updateClusterConfig(tx *account.Tx, c *cluster, in request[configChange]) (any, error) {
	input := in.Body
	asked := in.under(input.Token)
	if done, err := c.updated(asked); done != nil || err != nil {
		return done, err
	}
	type change struct {
		given bool
		make  func() (update, error)
	}
	changes := []change{
		{input.VPC != nil, func() (update, error) { return c.updateVPC(tx, input.VPC) }},
		{input.Logging != nil, func() (update, error) { return c.updateLogging(input.Logging) }},
		{input.Access != nil, func() (update, error) { return c.updateMode(input.Access.Mode) }},
		{input.Upgrade != nil, func() (update, error) { return c.updateUpgradePolicy(*input.Upgrade) }},
		{input.Scaling != nil, func() (update, error) { return c.updateScaling(*input.Scaling) }},
		{input.ZonalShift != nil, func() (update, error) { return c.updateZonalShift(*input.ZonalShift) }},
		{input.Remote != nil, func() (update, error) { return c.updateRemoteNetworks(input.Remote) }},
		{input.Protection != nil, func() (update, error) { return c.updateProtection(*input.Protection) }},
		{input.Compute != nil || input.Storage != nil || input.Network != nil, func() (update, error) {
			return c.updateAutoMode(tx, input.Compute, input.Storage, input.Network)
		}},
	}
	changes = slices.DeleteFunc(changes, func(one change) bool { return !one.given })
	switch len(changes) {
	case 0:
		return nil, invalid("The type for cluster update was not provided.")
	case 1:
		made, err := changes[0].make()
		if err != nil {
			return nil, err
		}
		made.tokened = asked
		return c.update(tx, made), nil
	}
	return nil, invalid("Only one type of update can be made at a time.")
}

// updateVPC changes the networks, the access to the endpoint or the egress mode.
func (c *cluster) updateVPC(tx *account.Tx, text []byte) (update, error) {
	now := c.VPC
	next := vpcConfig{
		SubnetIDs: slices.Clone(now.SubnetIDs), SecurityGroupIDs: slices.Clone(now.SecurityGroupIDs),
		PublicAccess: now.PublicAccess, PrivateAccess: now.PrivateAccess, PublicAccessCIDRs: slices.Clone(now.PublicAccessCIDRs), Egress: now.Egress,
	}
	if err := decodeJSON(text, &next); err != nil {
		return update{}, err
	}
	if err := next.check(); err != nil {
		return update{}, err
	}
	networks := !slices.Equal(next.SubnetIDs, now.SubnetIDs) || !slices.Equal(next.SecurityGroupIDs, now.SecurityGroupIDs)
	access := next.PublicAccess != now.PublicAccess || next.PrivateAccess != now.PrivateAccess || !slices.Equal(next.PublicAccessCIDRs, now.PublicAccessCIDRs)
	egress := next.egress() != now.egress()
	switch {
	case networks && access || egress && (networks || access):
		return update{}, invalid("The networks of a cluster, the access to its endpoint and its egress mode cannot be updated at a time.")
	case egress && next.egress() == awsManaged:
		return update{}, invalid("Unsupported control plane egress mode update from " + now.Egress + " to " + awsManaged)
	case egress:
		c.VPC = next
		return update{Type: "ControlPlaneEgressUpdate", Params: []updateParam{{"ControlPlaneEgressMode", next.Egress}}}, nil
	case networks:
		if err := next.checkNetwork(tx, c.vpcID(tx)); err != nil {
			return update{}, err
		}
		c.VPC = next
		return update{Type: "VpcConfigUpdate", Params: []updateParam{{"Subnets", jsonOf(next.SubnetIDs)}, {"SecurityGroups", jsonOf(next.SecurityGroupIDs)}}}, nil
	case access:
		c.VPC = next
		return update{Type: "EndpointAccessUpdate", Params: []updateParam{
			{"EndpointPublicAccess", strconv.FormatBool(next.PublicAccess)},
			{"EndpointPrivateAccess", strconv.FormatBool(next.PrivateAccess)},
			{"PublicAccessCidrs", jsonOf(next.PublicAccessCIDRs)},
		}}, nil
	}
	return update{}, invalid("Cluster is already at the desired configuration with endpointPrivateAccess: " + strconv.FormatBool(now.PrivateAccess) +
		" , endpointPublicAccess: " + strconv.FormatBool(now.PublicAccess) + ", and Public Endpoint Restrictions: [" + strings.Join(now.PublicAccessCIDRs, ", ") + "]")
}

func (c *cluster) updateLogging(asked *logging) (update, error) {
	next, err := asked.apply(c.Logs)
	if err != nil {
		return update{}, err
	}
	if slices.Equal(next, c.Logs) {
		return update{}, invalid("No changes needed for the logging config provided")
	}
	c.Logs = next
	return update{Type: "LoggingUpdate", Params: []updateParam{{"ClusterLogging", jsonOf(asked)}}}, nil
}

// updateMode changes the authentication mode, one step and never back.
func (c *cluster) updateMode(mode string) (update, error) {
	now, next := slices.Index(modes(), c.mode()), slices.Index(modes(), mode)
	if next != now+1 {
		return update{}, invalid("Unsupported authentication mode update from " + c.mode() + " to " + mode)
	}
	c.Mode = mode
	return update{Type: "AccessConfigUpdate", Params: []updateParam{{"AuthenticationMode", strconv.Quote(mode)}}}, nil
}

func (c *cluster) updateUpgradePolicy(next upgradePolicy) (update, error) {
	if err := oneOf("supportType", next.Support, []string{"STANDARD", "EXTENDED"}); err != nil {
		return update{}, err
	}
	c.Upgrade = next
	return update{Type: "UpgradePolicyUpdate", Params: []updateParam{{"UpgradePolicy", jsonOf(next)}}}, nil
}

func (c *cluster) updateScaling(next controlPlane) (update, error) {
	if err := next.check(); err != nil {
		return update{}, err
	}
	params := []updateParam{{"PreviousTier", c.complete().Scaling.Tier}, {"UpdatedTier", next.Tier}}
	c.Scaling = next
	return update{Type: "ControlPlaneScalingConfigUpdate", Params: params}, nil
}

func (c *cluster) updateZonalShift(next toggle) (update, error) {
	c.ZonalShift = &next
	return update{Type: "ZonalShiftConfigUpdate", Params: []updateParam{{"ZonalShiftConfig", jsonOf(next)}}}, nil
}

func (c *cluster) updateRemoteNetworks(next *remoteNetworks) (update, error) {
	if err := next.check(); err != nil {
		return update{}, err
	}
	c.Remote = next
	return update{Type: "RemoteNetworkConfigUpdate", Params: []updateParam{{"RemoteNetworkConfig", jsonOf(next)}}}, nil
}

func (c *cluster) updateProtection(next bool) (update, error) {
	c.DeletionProtection = next
	return update{Type: "DeletionProtectionUpdate", Params: []updateParam{{"DeletionProtection", strconv.FormatBool(next)}}}, nil
}

func (c *cluster) updateAutoMode(tx *account.Tx, compute *computeConfig, storage *storageConfig, network *networkConfig) (update, error) {
	next := c.settings
	var params []updateParam
	if compute != nil {
		next.Compute = compute
		params = append(params, updateParam{"ComputeConfig", jsonOf(compute)})
	}
	if network != nil {
		if network.Family != "" || network.IPv4CIDR != "" || network.IPv6CIDR != "" {
			return update{}, invalid("The IP family and the service CIDR of a cluster cannot be updated.")
		}
		next.Network.LoadBalancing = network.LoadBalancing
		params = append(params, updateParam{"KubernetesNetworkConfig", jsonOf(network)})
	}
	if storage != nil {
		next.Storage = storage
		params = append(params, updateParam{"StorageConfig", jsonOf(storage)})
	}
	if err := next.checkAutoMode(tx); err != nil {
		return update{}, err
	}
	c.settings = next
	return update{Type: "AutoModeUpdate", Params: params}, nil
}

type versionChange struct {
	Version string `json:"version"`
	Force   bool   `json:"force"`
	Token   string `json:"clientRequestToken"`
}

func (i *versionChange) conditionKeys() map[string][]string {
	return map[string][]string{"eks:kubernetesversion": {i.Version}}
}

// updateClusterVersion goes to the next minor version.
func updateClusterVersion(tx *account.Tx, c *cluster, in request[versionChange]) (any, error) {
	asked := in.under(in.Body.Token)
	if done, err := c.updated(asked); done != nil || err != nil {
		return done, err
	}
	next, ok := versionOf(in.Body.Version)
	switch {
	case !ok:
		return nil, unsupportedVersion(in.Body.Version)
	case next.name == c.Version:
		return nil, invalid("Cluster is already at version: " + c.Version)
	case minor(next.name) != minor(c.Version)+1:
		return nil, invalid("Unsupported Kubernetes minor version update from " + c.Version + " to " + next.name)
	}
	for _, g := range nodegroups().all(c) {
		if minor(next.name) > minor(g.Version)+maxSkew {
			return nil, invalid(fmt.Sprintf("Nodegroup %s must be updated first: nodes may be at most %d minor versions older than the cluster.", g.Name, maxSkew))
		}
	}
	c.Version = next.name
	params := []updateParam{{"Version", next.name}, {"PlatformVersion", next.platform}}
	return c.update(tx, update{Type: "VersionUpdate", Params: params, tokened: asked}), nil
}

// maxSkew is by how many minor versions nodes may be older than their cluster.
const maxSkew = 3

type encryptionInput struct {
	Encryption []encryption `json:"encryptionConfig"`
	Token      string       `json:"clientRequestToken"`
}

// associateEncryption turns on the encryption of secrets, which nothing turns off.
func associateEncryption(tx *account.Tx, c *cluster, in request[encryptionInput]) (any, error) {
	asked := in.under(in.Body.Token)
	if done, err := c.updated(asked); done != nil || err != nil {
		return done, err
	}
	if err := checkEncryption(in.Body.Encryption); err != nil {
		return nil, err
	}
	if len(c.Encryption) > 0 {
		return nil, invalid("Encryption is already enabled for cluster " + c.Name)
	}
	c.Encryption = in.Body.Encryption
	params := []updateParam{{"EncryptionConfig", jsonOf(in.Body.Encryption)}}
	return c.update(tx, update{Type: "AssociateEncryptionConfig", Params: params, tokened: asked}), nil
}
