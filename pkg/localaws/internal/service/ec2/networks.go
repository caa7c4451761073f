package ec2

import "github.com/kube-iam/authenticator/pkg/localaws/internal/account"

var _ account.Networks = (*state)(nil)

// Subnet returns the subnet with an ID.
func (s *state) Subnet(tx *account.Tx, regionName, id string) (account.Subnet, bool) {
	found, ok := s.region(tx, regionName).Subnets[id]
	if !ok {
		return account.Subnet{}, false
	}
	return account.Subnet{ID: found.ID, VPC: found.VPC, Zone: found.Zone}, true
}

// DefaultVPC returns the ID that the default VPC has or had.
func (s *state) DefaultVPC(tx *account.Tx, regionName string) string {
	return derivedID(tx, regionName, "vpc-", "")
}

// SecurityGroup returns the VPC of the security group with an ID.
func (s *state) SecurityGroup(tx *account.Tx, regionName, id string) (vpc string, ok bool) {
	found, ok := s.region(tx, regionName).Groups[id]
	if !ok {
		return "", false
	}
	return found.VPC, true
}
