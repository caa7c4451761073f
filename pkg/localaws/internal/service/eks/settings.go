package eks

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// Authentication modes. A cluster goes from one to the next, never back.
const (
	configMap    = "CONFIG_MAP"
	apiConfigMap = "API_AND_CONFIG_MAP"
	apiOnly      = "API"
)

func modes() []string { return []string{configMap, apiConfigMap, apiOnly} }

// An accessConfig says who has access to a new cluster.
type accessConfig struct {
	Mode      string `json:"authenticationMode"`
	Bootstrap bool   `json:"bootstrapClusterCreatorAdminPermissions"`
}

func (a *accessConfig) check() error {
	switch {
	case !slices.Contains(modes(), a.Mode):
		return oneOf("authenticationMode", a.Mode, modes())
	case a.Mode == configMap && !a.Bootstrap:
		return invalid("bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to " + configMap)
	}
	return nil
}

// settings are what a client can configure of a cluster besides its VPC, its logs and
// its access, as in requests, in answers and in the state.
type settings struct {
	Network            networkConfig   `json:"kubernetesNetworkConfig,omitzero"`
	Encryption         []encryption    `json:"encryptionConfig,omitempty"`
	Upgrade            upgradePolicy   `json:"upgradePolicy,omitzero"`
	Scaling            controlPlane    `json:"controlPlaneScalingConfig,omitzero"`
	ZonalShift         *toggle         `json:"zonalShiftConfig,omitempty"`
	Compute            *computeConfig  `json:"computeConfig,omitempty"`
	Storage            *storageConfig  `json:"storageConfig,omitempty"`
	Remote             *remoteNetworks `json:"remoteNetworkConfig,omitempty"`
	DeletionProtection bool            `json:"deletionProtection,omitempty"`
}

type (
	toggle struct {
		Enabled bool `json:"enabled"`
	}
	upgradePolicy struct {
		Support string `json:"supportType"`
	}
	controlPlane struct {
		Tier string `json:"tier"`
	}
	networkConfig struct {
		IPv4CIDR      string  `json:"serviceIpv4Cidr,omitempty"`
		IPv6CIDR      string  `json:"serviceIpv6Cidr,omitempty"`
		Family        string  `json:"ipFamily,omitempty"`
		LoadBalancing *toggle `json:"elasticLoadBalancing,omitempty"`
	}
	encryption struct {
		Provider  encryptionKey `json:"provider"`
		Resources []string      `json:"resources"`
	}
	encryptionKey struct {
		ARN string `json:"keyArn"`
	}
	computeConfig struct {
		Enabled   *bool    `json:"enabled,omitempty"`
		NodePools []string `json:"nodePools,omitempty"`
		NodeRole  string   `json:"nodeRoleArn,omitempty"`
	}
	storageConfig struct {
		Block toggle `json:"blockStorage"`
	}
	remoteNetworks struct {
		Nodes []remoteNetwork `json:"remoteNodeNetworks"`
		Pods  []remoteNetwork `json:"remotePodNetworks,omitempty"`
	}
	remoteNetwork struct {
		CIDRs []string `json:"cidrs"`
	}
)

// complete returns the settings with AWS's defaults, which a cluster of an older state
// lacks.
func (s settings) complete() settings {
	s.Upgrade.Support = cmp.Or(s.Upgrade.Support, "EXTENDED")
	s.Scaling.Tier = cmp.Or(s.Scaling.Tier, "standard")
	s.Network.Family = cmp.Or(s.Network.Family, "ipv4")
	if s.Network.Family == "ipv4" {
		s.Network.IPv4CIDR = cmp.Or(s.Network.IPv4CIDR, "172.20.0.0/16")
	} else {
		s.Network.IPv6CIDR = "fd00:ec2::/108"
	}
	if s.Network.LoadBalancing == nil {
		s.Network.LoadBalancing = &toggle{}
	}
	return s
}

func (s *settings) check(tx *account.Tx) error {
	if s.Upgrade.Support != "" {
		if err := oneOf("supportType", s.Upgrade.Support, []string{"STANDARD", "EXTENDED"}); err != nil {
			return err
		}
	}
	if s.Scaling.Tier != "" {
		if err := s.Scaling.check(); err != nil {
			return err
		}
	}
	if len(s.Encryption) > 0 {
		if err := checkEncryption(s.Encryption); err != nil {
			return err
		}
	}
	if err := s.Network.check(); err != nil {
		return err
	}
	if s.Remote != nil {
		if err := s.Remote.check(); err != nil {
			return err
		}
	}
	return s.checkAutoMode(tx)
}

func (p controlPlane) check() error {
	return oneOf("tier", p.Tier, []string{"standard", "tier-xl", "tier-2xl", "tier-4xl", "tier-8xl"})
}

func (n *networkConfig) check() error {
	if n.IPv6CIDR != "" {
		return unsupported("localaws does not support the parameter serviceIpv6Cidr.")
	}
	if n.Family != "" {
		if err := oneOf("ipFamily", n.Family, []string{"ipv4", "ipv6"}); err != nil {
			return err
		}
	}
	if n.IPv4CIDR == "" {
		return nil
	}
	if n.Family == "ipv6" {
		return invalid("A custom service IPv4 CIDR cannot be specified with the IP family ipv6.")
	}
	prefix, err := netip.ParsePrefix(n.IPv4CIDR)
	if err != nil || prefix != prefix.Masked() || prefix.Bits() < 12 || prefix.Bits() > 24 || !prefix.Addr().Is4() || !prefix.Addr().IsPrivate() {
		return invalid("The specified service CIDR " + n.IPv4CIDR + " is not valid: expected a block of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 with a mask from /24 to /12.")
	}
	return nil
}

func (r *remoteNetworks) check() error {
	for _, network := range slices.Concat(r.Nodes, r.Pods) {
		if len(network.CIDRs) > 15 {
			return invalid("A remote network cannot have more than 15 CIDRs.")
		}
		for _, text := range network.CIDRs {
			if prefix, err := netip.ParsePrefix(text); err != nil || !prefix.Addr().IsPrivate() {
				return invalid("The CIDR " + text + " of a remote network is not valid.")
			}
		}
	}
	if len(r.Nodes) > 1 || len(r.Pods) > 1 {
		return invalid("A cluster has at most one remote node network and one remote pod network.")
	}
	return nil
}

// autoMode reports whether EKS Auto Mode is on.
func (s *settings) autoMode() bool {
	return s.Compute != nil && s.Compute.Enabled != nil && *s.Compute.Enabled
}

// checkAutoMode checks that the three parts of EKS Auto Mode are on, or all off.
func (s *settings) checkAutoMode(tx *account.Tx) error {
	on := s.autoMode()
	block := s.Storage != nil && s.Storage.Block.Enabled
	balancing := s.Network.LoadBalancing != nil && s.Network.LoadBalancing.Enabled
	if on != block || on != balancing {
		return invalid("For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled.")
	}
	if s.Compute == nil {
		return nil
	}
	for _, pool := range s.Compute.NodePools {
		if err := oneOf("nodePools", pool, []string{"general-purpose", "system"}); err != nil {
			return err
		}
	}
	if (len(s.Compute.NodePools) > 0) != (s.Compute.NodeRole != "") {
		return invalid("When Compute Config nodeRoleArn is not null or empty, nodePool value(s) must be provided, and the other way round.")
	}
	if s.Compute.NodeRole == "" {
		return nil
	}
	role, ok := tx.Identities().Role(s.Compute.NodeRole)
	if !ok {
		return invalid("The role with ARN " + s.Compute.NodeRole + " cannot be found.")
	}
	return tx.PassRole(role, "eks.amazonaws.com")
}

var keyPattern = pattern.New(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:(key|alias)/[\w/-]{1,256}$`)

func checkEncryption(config []encryption) error {
	if len(config) != 1 {
		return invalid("Only one encryption config is supported.")
	}
	if !slices.Equal(config[0].Resources, []string{"secrets"}) {
		return invalid("The resources of an encryption config must be secrets.")
	}
	if !keyPattern.MatchString(config[0].Provider.ARN) {
		return invalid(fmt.Sprintf("The key ARN %q is not valid.", config[0].Provider.ARN))
	}
	return nil
}
