package ec2

import (
	"cmp"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

var _ account.Networks = (*state)(nil)

// Subnet returns the subnet with an ID.
func (s *state) Subnet(tx *account.Tx, regionName, id string) (account.Subnet, bool) {
	found, ok := s.region(tx, regionName).Subnets[id]
	if !ok {
		return account.Subnet{}, false
	}
	return found.subnet(), true
}

func (s *subnet) subnet() account.Subnet { return account.Subnet{ID: s.ID, VPC: s.VPC, Zone: s.Zone} }

// DefaultSubnets returns the default VPC's subnet of each zone.
func (s *state) DefaultSubnets(tx *account.Tx, regionName string) []account.Subnet {
	var found []account.Subnet
	for _, one := range s.region(tx, regionName).Subnets {
		if one.Default {
			found = append(found, one.subnet())
		}
	}
	slices.SortFunc(found, func(a, b account.Subnet) int { return cmp.Compare(a.Zone, b.Zone) })
	return found
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
