package ec2

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A vpc is a virtual network.
type vpc struct {
	base
	CIDR         netip.Prefix `json:"cidr"`
	Default      bool         `json:"default,omitempty"`
	Tenancy      string       `json:"tenancy"`
	DNSSupport   bool         `json:"dnsSupport"`
	DNSHostnames bool         `json:"dnsHostnames"`
	Metrics      bool         `json:"addressMetrics,omitempty"`
}

// AWS's quotas.
const (
	maxVPCs    = 5
	maxSubnets = 200 // of a VPC
)

func vpcOperations() []api.Operation {
	return []api.Operation{
		change("CreateVpc", createVPC), change("DeleteVpc", deleteVPC), change("ModifyVpcAttribute", modifyVPC),
		describe("DescribeVpcAttribute", describeVPCAttribute),
		describe("DescribeVpcs", func(c *call, in vpcsInput) (any, error) { return vpcKind().list(c, in.Filter, in.paging, in.IDs) }),
	}
}

type vpcsInput struct {
	listing
	paging
	IDs []string `ec2:"VpcId"`
}

func vpcKind() kind[*vpc] {
	return kind[*vpc]{
		noun: "vpc", prefix: "vpc-", title: "vpc ID", malformed: "InvalidVpcID.Malformed", absent: "InvalidVpcID.NotFound",
		of: func(c *call) map[string]*vpc { return c.region.VPCs }, set: "vpcSet", xml: func(c *call, v *vpc) any { return c.xmlVPC(v) },
		filters: func(c *call) map[string]field[*vpc] {
			block := one(func(v *vpc) string { return v.CIDR.String() })
			return map[string]field[*vpc]{
				"cidr": block, "cidr-block": block, "cidr-block-association.cidr-block": block,
				"cidr-block-association.association-id": one(func(v *vpc) string { return associationOf(v.ID) }),
				"cidr-block-association.state":          always[*vpc]("associated"),
				"dhcp-options-id":                       always[*vpc](c.dhcpOptions()),
				"is-default":                            yes(func(v *vpc) bool { return v.Default }),
				"owner-id":                              always[*vpc](c.Account.ID),
				"state":                                 always[*vpc]("available"),
				"vpc-id":                                one((*vpc).id),
			}
		},
	}
}

// associationOf returns the ID of the association of a VPC with its block.
func associationOf(vpcID string) string { return strings.Replace(vpcID, "vpc-", "vpc-cidr-assoc-", 1) }

// dhcpOptions returns the ID of the default DHCP options, which all VPCs have.
func (c *call) dhcpOptions() string { return derivedID(c.Tx, c.Region, "dopt-", "dopt-") }

type xmlBlock struct {
	Association string `xml:"associationId"`
	CIDR        string `xml:"cidrBlock"`
	State       struct {
		State string `xml:"state"`
	} `xml:"cidrBlockState"`
}

type xmlVPC struct {
	ID          string          `xml:"vpcId"`
	Owner       string          `xml:"ownerId"`
	State       string          `xml:"state"`
	CIDR        string          `xml:"cidrBlock"`
	Blocks      items[xmlBlock] `xml:"cidrBlockAssociationSet"`
	DHCPOptions string          `xml:"dhcpOptionsId"`
	Tags        *items[xmlTag]  `xml:"tagSet"`
	Tenancy     string          `xml:"instanceTenancy"`
	Default     bool            `xml:"isDefault"`
}

func (c *call) xmlVPC(v *vpc) xmlVPC {
	block := xmlBlock{Association: associationOf(v.ID), CIDR: v.CIDR.String()}
	block.State.State = "associated"
	return xmlVPC{v.ID, c.Account.ID, "available", v.CIDR.String(), itemsOf([]xmlBlock{block}), c.dhcpOptions(), xmlTags(v.Tags), v.Tenancy, v.Default}
}

type createVPCInput struct {
	dryRun
	CIDR          string             `ec2:"CidrBlock,required"`
	Tenancy       string             `ec2:"InstanceTenancy"`
	IPv6          bool               `ec2:"AmazonProvidedIpv6CidrBlock,off"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

// parseBlock parses a block of IPv4 addresses of a size that VPCs and subnets can have.
// AWS drops the bits of a host.
func parseBlock(text, code string) (netip.Prefix, error) {
	block, err := netip.ParsePrefix(text)
	if err != nil || !block.Addr().Is4() {
		return block, invalid("Value (" + text + ") for parameter cidrBlock is invalid. This is not a valid CIDR block.")
	}
	if block.Bits() < 16 || block.Bits() > 28 {
		return block, refuse(code, "The CIDR '"+text+"' is invalid.")
	}
	return block.Masked(), nil
}

func createVPC(c *call, in createVPCInput) (any, error) {
	block, err := parseBlock(in.CIDR, "InvalidVpc.Range")
	if err != nil {
		return nil, err
	}
	switch in.Tenancy {
	case "":
		in.Tenancy = "default"
	case "default", "dedicated":
	default:
		return nil, invalid("Value (" + in.Tenancy + ") for parameter instanceTenancy is invalid. Expecting default or dedicated.")
	}
	made, err := vpcKind().create(c, in.Specification, nil)
	if err != nil {
		return nil, err
	}
	if err := bounded(len(c.region.VPCs), maxVPCs, "VpcLimitExceeded", "VPCs"); err != nil {
		return nil, err
	}
	v := &vpc{base: made, CIDR: block, Tenancy: in.Tenancy, DNSSupport: true}
	c.region.VPCs[v.ID] = v
	c.region.equip(v, func(prefix, _ string) string { return account.NewHexID(prefix) })
	x := c.xmlVPC(v)
	x.State = "pending"
	return fields{element("vpc", x)}, nil
}

type vpcInput struct {
	dryRun
	ID string `ec2:"VpcId,required"`
}

func deleteVPC(c *call, in vpcInput) (any, error) {
	v, err := vpcKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	inside := 0
	for _, s := range c.region.Subnets {
		inside += count(s.VPC == v.ID)
	}
	for _, g := range c.region.Gateways {
		inside += count(g.VPC == v.ID)
	}
	for _, t := range c.region.RouteTables {
		inside += count(t.VPC == v.ID && t.Main == "")
	}
	for _, g := range c.region.Groups {
		inside += count(g.VPC == v.ID && g.Name != "default")
	}
	if inside > 0 {
		return nil, dependent("vpc", v.ID)
	}
	c.region.dismantle(v.ID)
	delete(c.region.VPCs, v.ID)
	return nil, nil
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// dependent returns the error for the deletion of what something else needs.
func dependent(title, id string) error {
	return refuse("DependencyViolation", "The "+title+" '"+id+"' has dependencies and cannot be deleted.")
}

type boolean struct{ Value *bool }

type modifyVPCInput struct {
	ID           string  `ec2:"VpcId,required"`
	DNSSupport   boolean `ec2:"EnableDnsSupport"`
	DNSHostnames boolean `ec2:"EnableDnsHostnames"`
	Metrics      boolean `ec2:"EnableNetworkAddressUsageMetrics"`
}

func modifyVPC(c *call, in modifyVPCInput) (any, error) {
	v, err := vpcKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, setOne(map[*bool]boolean{&v.DNSSupport: in.DNSSupport, &v.DNSHostnames: in.DNSHostnames, &v.Metrics: in.Metrics})
}

// setOne sets the one attribute that a call changes.
func setOne(attributes map[*bool]boolean) error {
	given := 0
	for _, to := range attributes {
		given += count(to.Value != nil)
	}
	if given != 1 {
		return invalidCombination("Expected one attribute to modify, not " + strconv.Itoa(given) + ".")
	}
	for attribute, to := range attributes {
		if to.Value != nil {
			*attribute = *to.Value
		}
	}
	return nil
}

type vpcAttributeInput struct {
	dryRun
	ID        string `ec2:"VpcId,required"`
	Attribute string `ec2:"Attribute,required"`
}

type xmlBoolean struct {
	Value bool `xml:"value"`
}

func describeVPCAttribute(c *call, in vpcAttributeInput) (any, error) {
	v, err := vpcKind().find(c, in.ID)
	if err != nil {
		return nil, err
	}
	value, ok := map[string]bool{"enableDnsSupport": v.DNSSupport, "enableDnsHostnames": v.DNSHostnames, "enableNetworkAddressUsageMetrics": v.Metrics}[in.Attribute]
	if !ok {
		return nil, invalid("Value (" + in.Attribute + ") for parameter attribute is invalid. Unknown attribute.")
	}
	return fields{element("vpcId", v.ID), element(in.Attribute, xmlBoolean{value})}, nil
}

// A subnet is a part of a VPC in one zone.
type subnet struct {
	base
	VPC          string       `json:"vpc"`
	Zone         string       `json:"zone"`
	CIDR         netip.Prefix `json:"cidr"`
	Default      bool         `json:"default,omitempty"`
	MapPublicIP  bool         `json:"mapPublicIP,omitempty"`
	ResourceName bool         `json:"resourceName,omitempty"`  // instances get resource names as host names
	ResourceA    bool         `json:"resourceNameA,omitempty"` // with an A record
}

func (s *subnet) vpcID() string { return s.VPC }

func (s *subnet) hostnameType() string {
	if s.ResourceName {
		return "resource-name"
	}
	return "ip-name"
}

func subnetOperations() []api.Operation {
	return []api.Operation{
		change("CreateSubnet", createSubnet), change("DeleteSubnet", deleteSubnet), change("ModifySubnetAttribute", modifySubnet),
		describe("DescribeSubnets", func(c *call, in subnetsInput) (any, error) { return subnetKind().list(c, in.Filter, in.paging, in.IDs) }),
	}
}

type subnetsInput struct {
	listing
	paging
	IDs []string `ec2:"SubnetId"`
}

func subnetKind() kind[*subnet] {
	return kind[*subnet]{
		noun: "subnet", prefix: "subnet-", title: "subnet ID", malformed: "InvalidSubnetID.Malformed", absent: "InvalidSubnetID.NotFound",
		of: func(c *call) map[string]*subnet { return c.region.Subnets }, set: "subnetSet", xml: func(c *call, s *subnet) any { return c.xmlSubnet(s) },
		filters: func(c *call) map[string]field[*subnet] {
			block := one(func(s *subnet) string { return s.CIDR.String() })
			return map[string]field[*subnet]{
				"availability-zone":          one(func(s *subnet) string { return s.Zone }),
				"availability-zone-id":       one(func(s *subnet) string { return zoneID(s.Zone) }),
				"available-ip-address-count": one(func(s *subnet) string { return strconv.Itoa(c.free(s)) }),
				"cidr":                       block,
				"cidr-block":                 block,
				"default-for-az":             yes(func(s *subnet) bool { return s.Default }),
				"enable-dns64":               always[*subnet]("false"),
				"map-public-ip-on-launch":    yes(func(s *subnet) bool { return s.MapPublicIP }),
				"owner-id":                   always[*subnet](c.Account.ID),
				"private-dns-name-options-on-launch.hostname-type": one((*subnet).hostnameType),
				"state":      always[*subnet]("available"),
				"subnet-arn": one(func(s *subnet) string { return c.arn("subnet", s.ID) }),
				"subnet-id":  one((*subnet).id),
				"vpc-id":     one((*subnet).vpcID),
			}
		},
	}
}

// free returns the number of free addresses of a subnet. AWS reserves five.
func (c *call) free(s *subnet) int {
	return max(1<<(32-s.CIDR.Bits())-5-len(c.usedAddresses(s)), 0)
}

type xmlSubnet struct {
	ID          string         `xml:"subnetId"`
	ARN         string         `xml:"subnetArn"`
	State       string         `xml:"state"`
	Owner       string         `xml:"ownerId"`
	VPC         string         `xml:"vpcId"`
	CIDR        string         `xml:"cidrBlock"`
	IPv6        items[string]  `xml:"ipv6CidrBlockAssociationSet"`
	AssignIPv6  bool           `xml:"assignIpv6AddressOnCreation"`
	Native      bool           `xml:"ipv6Native"`
	Available   int            `xml:"availableIpAddressCount"`
	Zone        string         `xml:"availabilityZone"`
	ZoneID      string         `xml:"availabilityZoneId"`
	Default     bool           `xml:"defaultForAz"`
	MapPublicIP bool           `xml:"mapPublicIpOnLaunch"`
	MapOwned    bool           `xml:"mapCustomerOwnedIpOnLaunch"`
	DNS64       bool           `xml:"enableDns64"`
	Tags        *items[xmlTag] `xml:"tagSet"`
	Names       struct {
		Type string `xml:"hostnameType"`
		A    bool   `xml:"enableResourceNameDnsARecord"`
		AAAA bool   `xml:"enableResourceNameDnsAAAARecord"`
	} `xml:"privateDnsNameOptionsOnLaunch"`
}

func (c *call) xmlSubnet(s *subnet) xmlSubnet {
	x := xmlSubnet{
		ID: s.ID, ARN: c.arn("subnet", s.ID), State: "available", Owner: c.Account.ID, VPC: s.VPC, CIDR: s.CIDR.String(), Available: c.free(s),
		Zone: s.Zone, ZoneID: zoneID(s.Zone), Default: s.Default, MapPublicIP: s.MapPublicIP, Tags: xmlTags(s.Tags),
	}
	x.Names.Type, x.Names.A = s.hostnameType(), s.ResourceA
	return x
}

type createSubnetInput struct {
	dryRun
	VPC           string             `ec2:"VpcId,required"`
	CIDR          string             `ec2:"CidrBlock,required"`
	Zone          string             `ec2:"AvailabilityZone"`
	ZoneID        string             `ec2:"AvailabilityZoneId"`
	Native        bool               `ec2:"Ipv6Native,off"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

// zoneNamed returns the zone that a call names by name or ID, or the first.
func (c *call) zoneNamed(name, id string) (string, error) {
	for _, zone := range zonesOf(c.Region) {
		if (name == "" || name == zone) && (id == "" || id == zoneID(zone)) {
			return zone, nil
		}
	}
	return "", c.noSuchZone(name, "Value ("+name+id+") for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: "+strings.Join(zonesOf(c.Region), ", ")+".")
}

func createSubnet(c *call, in createSubnetInput) (any, error) {
	block, err := parseBlock(in.CIDR, "InvalidSubnet.Range")
	if err != nil {
		return nil, err
	}
	zone, err := c.zoneNamed(in.Zone, in.ZoneID)
	if err != nil {
		return nil, err
	}
	v, err := vpcKind().authorized(c, in.VPC, nil)
	if err != nil {
		return nil, err
	}
	made, err := subnetKind().create(c, in.Specification, map[string][]string{"ec2:vpc": {c.arn("vpc", v.ID)}, "ec2:availabilityzone": {zone}})
	if err != nil {
		return nil, err
	}
	if !v.CIDR.Contains(block.Addr()) || block.Bits() < v.CIDR.Bits() {
		return nil, refuse("InvalidSubnet.Range", "The CIDR '"+in.CIDR+"' is invalid.")
	}
	siblings := 0
	for _, s := range c.region.Subnets {
		if s.VPC != v.ID {
			continue
		}
		siblings++
		if s.CIDR.Overlaps(block) {
			return nil, refuse("InvalidSubnet.Conflict", "The CIDR '"+in.CIDR+"' conflicts with another subnet")
		}
	}
	if err := bounded(siblings, maxSubnets, "SubnetLimitExceeded", "subnets of the VPC"); err != nil {
		return nil, err
	}
	s := &subnet{base: made, VPC: v.ID, Zone: zone, CIDR: block}
	c.region.Subnets[s.ID] = s
	return fields{element("subnet", c.xmlSubnet(s))}, nil
}

type subnetInput struct {
	dryRun
	ID string `ec2:"SubnetId,required"`
}

func deleteSubnet(c *call, in subnetInput) (any, error) {
	s, err := subnetKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	for _, i := range c.instances() {
		if i.Subnet == s.ID && i.State != "terminated" {
			return nil, dependent("subnet", s.ID)
		}
	}
	for _, n := range c.region.NATGateways {
		if n.Subnet == s.ID {
			return nil, dependent("subnet", s.ID)
		}
	}
	for _, t := range c.region.RouteTables {
		for id, associated := range t.Associations {
			if associated == s.ID {
				delete(t.Associations, id)
			}
		}
	}
	delete(c.region.Subnets, s.ID)
	return nil, nil
}

type modifySubnetInput struct {
	ID           string  `ec2:"SubnetId,required"`
	MapPublicIP  boolean `ec2:"MapPublicIpOnLaunch"`
	ResourceA    boolean `ec2:"EnableResourceNameDnsARecordOnLaunch"`
	HostnameType string  `ec2:"PrivateDnsHostnameTypeOnLaunch"`
}

func modifySubnet(c *call, in modifySubnetInput) (any, error) {
	s, err := subnetKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	var named boolean
	switch in.HostnameType {
	case "":
	case "ip-name", "resource-name":
		named.Value = new(in.HostnameType == "resource-name")
	default:
		return nil, invalid("Value (" + in.HostnameType + ") for parameter privateDnsHostnameTypeOnLaunch is invalid. Expecting ip-name or resource-name.")
	}
	return nil, setOne(map[*bool]boolean{&s.MapPublicIP: in.MapPublicIP, &s.ResourceA: in.ResourceA, &s.ResourceName: named})
}
