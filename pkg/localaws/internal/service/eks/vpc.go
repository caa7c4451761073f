package eks

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A vpcConfig is the network of a cluster, as requested and described. It does not
// affect where the API server listens.
type vpcConfig struct {
	SubnetIDs         []string `json:"subnetIds"`
	SecurityGroupIDs  []string `json:"securityGroupIds"`
	PublicAccess      bool     `json:"endpointPublicAccess"`
	PrivateAccess     bool     `json:"endpointPrivateAccess"`
	PublicAccessCIDRs []string `json:"publicAccessCidrs"`
}

func defaultVPC() vpcConfig {
	return vpcConfig{SubnetIDs: []string{}, SecurityGroupIDs: []string{}, PublicAccess: true, PublicAccessCIDRs: []string{"0.0.0.0/0"}}
}

var (
	subnetPattern        = pattern.New(`^subnet-[0-9a-f]+$`)
	securityGroupPattern = pattern.New(`^sg-[0-9a-f]+$`)
)

func (v *vpcConfig) check() error {
	if err := checkSubnets(v.SubnetIDs, 0); err != nil {
		return err
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(v.SubnetIDs))); len(distinct) < 2 {
		return invalid("Subnets specified must be in at least two different AZs")
	}
	for _, id := range v.SecurityGroupIDs {
		if !securityGroupPattern.MatchString(id) {
			return invalid("The security group ID '" + id + "' is not valid: expected sg- and hex digits.")
		}
	}
	if len(v.SecurityGroupIDs) > 5 {
		return invalid("A cluster cannot have more than 5 security groups.")
	}
	if !v.PublicAccess && !v.PrivateAccess {
		return invalid("Private and public endpoint access cannot be false")
	}
	if len(v.PublicAccessCIDRs) > maxCIDRs {
		return invalid(fmt.Sprintf("publicAccessCidrs cannot have more than %d members.", maxCIDRs))
	}
	for _, text := range v.PublicAccessCIDRs {
		if _, err := netip.ParsePrefix(text); err != nil {
			return invalid("The CIDR '" + text + "' of publicAccessCidrs is not valid.")
		}
	}
	return nil
}

// checkNetwork checks that the subnets are in one VPC, with the security groups, and in
// two zones, as far as EC2 knows them.
func (v *vpcConfig) checkNetwork(tx *account.Tx) error {
	zones, vpcs := map[string]bool{}, map[string]bool{}
	for _, id := range v.SubnetIDs {
		subnet, ok := tx.Networks().Subnet(tx, tx.Region, id)
		if !ok {
			return nil
		}
		zones[subnet.Zone], vpcs[subnet.VPC] = true, true
	}
	if len(zones) < 2 {
		return invalid("Subnets specified must be in at least two different AZs")
	}
	for _, id := range v.SecurityGroupIDs {
		if vpc, ok := tx.Networks().SecurityGroup(tx, tx.Region, id); ok {
			vpcs[vpc] = true
		}
	}
	if len(vpcs) > 1 {
		return invalid("Subnets and security groups must be in the same VPC.")
	}
	return nil
}

const (
	maxSubnets = 16
	maxCIDRs   = 40
)

// checkSubnets checks at least this many IDs of subnets. No subnet is looked up.
func checkSubnets(ids []string, least int) error {
	if len(ids) < least {
		return invalid("Subnets are required.")
	}
	if len(ids) > maxSubnets {
		return invalid(fmt.Sprintf("Subnets cannot have more than %d members.", maxSubnets))
	}
	for _, id := range ids {
		if !subnetPattern.MatchString(id) {
			return invalid("The subnet ID '" + id + "' is not valid: expected subnet- and hex digits.")
		}
	}
	return nil
}
