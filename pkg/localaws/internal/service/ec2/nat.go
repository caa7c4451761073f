package ec2

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A natGateway lets a VPC's private subnets out. No packet goes through it.
type natGateway struct {
	base
	replayable
	Subnet  string     `json:"subnet"`
	Private bool       `json:"private,omitempty"` // it has no Elastic IP address
	IP      netip.Addr `json:"ip"`                // in the subnet
	Created time.Time  `json:"created"`
}

// AWS's quota, in an availability zone.
const maxNATGateways = 5

func (n *natGateway) connectivity() string {
	if n.Private {
		return "private"
	}
	return "public"
}

func (n *natGateway) interfaceID() string { return interfaceOf(n.ID) }

func natGatewayOperations() []api.Operation {
	return []api.Operation{
		change("CreateNatGateway", createNATGateway), change("DeleteNatGateway", deleteNATGateway),
		describe("DescribeNatGateways", func(c *call, in natGatewaysInput) (any, error) {
			return natGatewayKind().list(c, in.Filter, in.paging, in.IDs)
		}),
	}
}

type natGatewaysInput struct {
	listing
	paging
	IDs []string `ec2:"NatGatewayId"`
}

func natGatewayKind() kind[*natGateway] {
	return kind[*natGateway]{
		noun: "natgateway", prefix: "nat-", title: "natGateway ID", malformed: "NatGatewayMalformed", absent: "NatGatewayNotFound",
		of: func(c *call) map[string]*natGateway { return c.region.NATGateways }, set: "natGatewaySet", xml: func(c *call, n *natGateway) any { return c.xmlNATGateway(n, "available") },
		filters: func(c *call) map[string]field[*natGateway] {
			return map[string]field[*natGateway]{
				"nat-gateway-id": one((*natGateway).id),
				"state":          always[*natGateway]("available"),
				"subnet-id":      one(func(n *natGateway) string { return n.Subnet }),
				"vpc-id":         one(func(n *natGateway) string { return c.region.Subnets[n.Subnet].VPC }),
			}
		},
	}
}

type xmlNATAddress struct {
	Allocation  string `xml:"allocationId,omitempty"`
	Association string `xml:"associationId,omitempty"`
	Interface   string `xml:"networkInterfaceId"`
	Private     string `xml:"privateIp"`
	Public      string `xml:"publicIp,omitempty"`
	Primary     bool   `xml:"isPrimary"`
	Status      string `xml:"status"`
}

type xmlNATGateway struct {
	ID           string               `xml:"natGatewayId"`
	Subnet       string               `xml:"subnetId"`
	VPC          string               `xml:"vpcId"`
	State        string               `xml:"state"`
	Connectivity string               `xml:"connectivityType"`
	Mode         string               `xml:"availabilityMode"`
	Created      timestamp            `xml:"createTime"`
	Addresses    items[xmlNATAddress] `xml:"natGatewayAddressSet"`
	Tags         *items[xmlTag]       `xml:"tagSet"`
}

func (c *call) xmlNATGateway(n *natGateway, state string) xmlNATGateway {
	own := xmlNATAddress{Interface: n.interfaceID(), Private: n.IP.String(), Primary: true, Status: "succeeded"}
	if a := c.addressOf(n.interfaceID()); a != nil {
		own.Allocation, own.Association, own.Public = a.ID, a.Association, a.IP.String()
	}
	return xmlNATGateway{
		n.ID, n.Subnet, c.region.Subnets[n.Subnet].VPC, state, n.connectivity(), "zonal", timestamp(n.Created), itemsOf([]xmlNATAddress{own}), xmlTags(n.Tags),
	}
}

type createNATInput struct {
	dryRun
	Subnet        string             `ec2:"SubnetId,required"`
	Allocation    string             `ec2:"AllocationId"`
	Connectivity  string             `ec2:"ConnectivityType"`
	Mode          string             `ec2:"AvailabilityMode"`
	PrivateIP     string             `ec2:"PrivateIpAddress"`
	Token         string             `ec2:"ClientToken"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in createNATInput) private() bool { return in.Connectivity == "private" }

func (in createNATInput) check() error {
	switch {
	case in.Mode != "" && in.Mode != "zonal":
		return unsupported("InvalidParameterValue", "localaws does not support the value '"+in.Mode+"' of the parameter AvailabilityMode (supported: zonal).")
	case cmp.Or(in.Connectivity, "public") != "public" && !in.private():
		return invalid("Value (" + in.Connectivity + ") for parameter connectivityType is invalid. Expecting public or private.")
	case in.private() && in.Allocation != "":
		return invalidCombination("The parameter AllocationId cannot be used with the connectivity type private.")
	case !in.private() && in.Allocation == "":
		return missing("AllocationId")
	}
	return checkToken(in.Token)
}

// createNATGateway fails where AWS creates a gateway that has failed, with the code and
// the message of that failure.
func createNATGateway(c *call, in createNATInput) (any, error) {
	s, err := subnetKind().authorized(c, in.Subnet, nil)
	if err != nil {
		return nil, err
	}
	var a *address
	if !in.private() {
		if a, err = addressKind().authorized(c, in.Allocation, nil); err != nil {
			return nil, err
		}
	}
	made, err := natGatewayKind().create(c, in.Specification, map[string][]string{"ec2:vpc": {c.arn("vpc", s.VPC)}, "ec2:availabilityzone": {s.Zone}})
	if err != nil {
		return nil, err
	}
	n := &natGateway{base: made, Subnet: s.ID, Private: in.private(), Created: c.Time, replayable: c.replayable(in.Token)}
	if done, err := replayed(maps.Values(c.region.NATGateways), n.replayable); err != nil {
		return nil, err
	} else if len(done) > 0 {
		return natResponse(c, done[0], "available"), nil
	}
	inZone := 0
	for _, other := range c.region.NATGateways {
		inZone += count(c.region.Subnets[other.Subnet].Zone == s.Zone)
	}
	if n.IP, err = c.privateIP(in.PrivateIP, s); err != nil {
		return nil, err
	}
	switch {
	case c.usedAddresses(s)[n.IP]:
		return nil, addressInUse(n.IP)
	case inZone >= maxNATGateways:
		return nil, refuse("NatGatewayLimitExceeded", fmt.Sprintf("Performing this operation would exceed the limit of %d NAT gateways", maxNATGateways))
	case a != nil && a.Interface != "":
		return nil, refuse("Resource.AlreadyAssociated", "Elastic IP address "+a.ID+" is already associated")
	case a != nil && c.internet(s.VPC) == nil:
		return nil, refuse("Gateway.NotAttached", "Network "+s.VPC+" has no Internet gateway attached")
	case c.free(s) == 0:
		return nil, refuse("InsufficientFreeAddressesInSubnet", "Subnet has insufficient free addresses to create this NAT gateway")
	}
	if !n.IP.IsValid() {
		used := c.usedAddresses(s)
		for n.IP = s.first(); used[n.IP]; {
			n.IP = n.IP.Next()
		}
	}
	c.region.NATGateways[n.ID] = n
	if a != nil {
		c.associate(a, n.interfaceID())
	}
	return natResponse(c, n, "pending"), nil
}

func natResponse(c *call, n *natGateway, state string) fields {
	response := fields{element("natGateway", c.xmlNATGateway(n, state))}
	if n.Token != "" {
		response = append(response, element("clientToken", n.Token))
	}
	return response
}

type natInput struct {
	dryRun
	ID string `ec2:"NatGatewayId,required"`
}

func deleteNATGateway(c *call, in natInput) (any, error) {
	n, err := natGatewayKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	c.disassociate(n.interfaceID())
	delete(c.region.NATGateways, n.ID)
	return fields{element("natGatewayId", n.ID)}, nil
}
