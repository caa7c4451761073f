package eks

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A vpcConfig is the network of a cluster, as requested and described. It does not
// affect where the API server listens.
type vpcConfig struct {
	SubnetIDs         []string `json:"subnetIds"`
	SecurityGroupIDs  []string `json:"securityGroupIds"`
	PublicAccess      bool     `json:"endpointPublicAccess"`
	PrivateAccess     bool     `json:"endpointPrivateAccess"`
	PublicAccessCIDRs []string `json:"publicAccessCidrs"`
	// Egress is the way of the control plane to other networks; empty means awsManaged.
	Egress string `json:"controlPlaneEgressMode,omitempty"`
}

// awsManaged is the egress mode that a cluster has until it gets another, for good.
const awsManaged = "AWS_MANAGED"

func (v *vpcConfig) egress() string { return cmp.Or(v.Egress, awsManaged) }

func defaultVPC() vpcConfig {
	return vpcConfig{SubnetIDs: []string{}, SecurityGroupIDs: []string{}, PublicAccess: true, PublicAccessCIDRs: []string{"0.0.0.0/0"}}
}

// registeredVPC returns the network of a cluster that is registered: the default VPC.
func registeredVPC(tx *account.Tx, region string) vpcConfig {
	v := defaultVPC()
	for _, subnet := range tx.Networks().DefaultSubnets(tx, region) {
		v.SubnetIDs = append(v.SubnetIDs, subnet.ID)
	}
	return v
}

// check validates what needs no EC2.
func (v *vpcConfig) check() error {
	if err := checkSubnets(v.SubnetIDs, 0); err != nil {
		return err
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(v.SubnetIDs))); len(distinct) < 2 {
		return invalid("Subnets specified must be in at least two different AZs")
	}
	if len(v.SecurityGroupIDs) > 5 {
		return invalid("A cluster cannot have more than 5 security groups.")
	}
	if !v.PublicAccess && !v.PrivateAccess {
		return invalid("Private and public endpoint access cannot be false")
	}
	if v.Egress != "" {
		if err := oneOf("controlPlaneEgressMode", v.Egress, []string{awsManaged, "CUSTOMER_ROUTED", "CUSTOMER_ISOLATED"}); err != nil {
			return err
		}
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

// checkNetwork checks that EC2 has the subnets and the security groups, all in a VPC, and
// that the subnets are in two zones. Without a VPC, it is that of the first subnet.
func (v *vpcConfig) checkNetwork(tx *account.Tx, vpc string) error {
	if first, ok := tx.Networks().Subnet(tx, tx.Region, v.SubnetIDs[0]); ok && vpc == "" {
		vpc = first.VPC
	}
	if err := lookUpSubnets(tx, v.SubnetIDs, vpc); err != nil {
		return err
	}
	zones := map[string]bool{}
	for _, id := range v.SubnetIDs {
		subnet, _ := tx.Networks().Subnet(tx, tx.Region, id)
		zones[subnet.Zone] = true
	}
	if len(zones) < 2 {
		return invalid("Subnets specified must be in at least two different AZs")
	}
	return lookUpGroups(tx, v.SecurityGroupIDs, vpc)
}

// lookUpSubnets checks that EC2 has the subnets, in a VPC.
func lookUpSubnets(tx *account.Tx, ids []string, vpc string) error {
	for _, id := range ids {
		switch subnet, ok := tx.Networks().Subnet(tx, tx.Region, id); {
		case !ok:
			return unknown(tx, "subnet ID", id, "InvalidSubnetID.NotFound")
		case subnet.VPC != vpc:
			return invalid("Specified subnets must belong to cluster's vpc " + vpc)
		}
	}
	return nil
}

// lookUpGroups checks that EC2 has the security groups, in a VPC.
func lookUpGroups(tx *account.Tx, ids []string, vpc string) error {
	var elsewhere []string
	for _, id := range ids {
		of, ok := tx.Networks().SecurityGroup(tx, tx.Region, id)
		if !ok {
			return unknown(tx, "security group", id, "InvalidGroup.NotFound")
		}
		if of != vpc {
			elsewhere = append(elsewhere, id)
		}
	}
	if len(elsewhere) > 0 {
		return invalid("Security group(s) [" + strings.Join(elsewhere, ", ") + "] are not in the same VPC as the subnets. Please specify a security group that is associated with the VPC: " + vpc + ".")
	}
	return nil
}

// unknown returns the error for what EC2 does not have. EKS passes on the error of its
// own call of EC2.
func unknown(tx *account.Tx, what, id, code string) error {
	return invalid("The " + what + " '" + id + "' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: " + code + "; Request ID: " + tx.RequestID + "; Proxy: null)")
}

const (
	maxSubnets = 16
	maxCIDRs   = 40
)

// checkSubnets checks the number of IDs of subnets.
func checkSubnets(ids []string, least int) error {
	if len(ids) < least {
		return invalid("Subnets are required.")
	}
	if len(ids) > maxSubnets {
		return invalid(fmt.Sprintf("Subnets cannot have more than %d members.", maxSubnets))
	}
	return nil
}
