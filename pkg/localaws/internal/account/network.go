package account

// Networks is what EKS asks of EC2, which keeps subnets and security groups. EC2's
// section implements it.
type Networks interface {
	// Subnet returns the subnet with an ID in a region.
	Subnet(tx *Tx, region, id string) (Subnet, bool)
	// DefaultVPC returns the ID that the default VPC of a region has or had.
	DefaultVPC(tx *Tx, region string) string
	// DefaultSubnets returns the default VPC's subnet of each zone of a region, in the
	// order of the zones. Those that were deleted are missing.
	DefaultSubnets(tx *Tx, region string) []Subnet
	// SecurityGroup returns the VPC of a security group in a region.
	SecurityGroup(tx *Tx, region, id string) (vpc string, ok bool)
}

// Networks returns the account's EC2.
func (tx *Tx) Networks() Networks { return offered[Networks](tx.Account) }

// A Subnet is a subnet as other services see it.
type Subnet struct{ ID, VPC, Zone string }
