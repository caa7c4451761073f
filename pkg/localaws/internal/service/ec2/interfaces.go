package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func interfaceOperations() []api.Operation {
	return []api.Operation{describe("DescribeNetworkInterfaces", describeInterfaces)}
}

// interfaceOf returns the ID of the network interface of an instance or a NAT gateway,
// which has one.
func interfaceOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "eni-0" + hex.EncodeToString(sum[:8])
}

func (i *instance) interfaceID() string { return interfaceOf(i.ID) }

// macOf returns the hardware address of an instance or a NAT gateway, unique by its ID.
func macOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

type xmlGroupName struct {
	ID   string `xml:"groupId"`
	Name string `xml:"groupName"`
}

func (c *call) xmlGroupNames(ids []string) items[xmlGroupName] {
	var all items[xmlGroupName]
	for _, id := range ids {
		all.Item = append(all.Item, xmlGroupName{id, c.nameOf(id)})
	}
	return all
}

type xmlInterfaceAttachment struct {
	ID       string    `xml:"attachmentId"`
	Instance string    `xml:"instanceId,omitempty"`
	Owner    string    `xml:"instanceOwnerId,omitempty"`
	Index    int       `xml:"deviceIndex"`
	Card     int       `xml:"networkCardIndex"`
	Status   string    `xml:"status"`
	Time     timestamp `xml:"attachTime"`
	Delete   bool      `xml:"deleteOnTermination"`
}

type xmlAddress struct {
	Address     string                   `xml:"privateIpAddress"`
	Name        string                   `xml:"privateDnsName,omitempty"`
	Primary     bool                     `xml:"primary"`
	Association *xmlInterfaceAssociation `xml:"association"`
}

// xmlInterfaceAssociation is the association of an Elastic IP address.
type xmlInterfaceAssociation struct {
	Public     string `xml:"publicIp"`
	Name       string `xml:"publicDnsName"`
	Owner      string `xml:"ipOwnerId"`
	Allocation string `xml:"allocationId"`
	ID         string `xml:"associationId"`
}

type xmlInterface struct {
	ID          string                 `xml:"networkInterfaceId"`
	Subnet      string                 `xml:"subnetId"`
	VPC         string                 `xml:"vpcId"`
	Zone        string                 `xml:"availabilityZone,omitempty"`
	Description string                 `xml:"description"`
	Owner       string                 `xml:"ownerId"`
	Requester   string                 `xml:"requesterId,omitempty"`
	Managed     bool                   `xml:"requesterManaged"`
	Status      string                 `xml:"status"`
	MAC         string                 `xml:"macAddress"`
	Address     string                 `xml:"privateIpAddress"`
	Name        string                 `xml:"privateDnsName,omitempty"`
	Check       bool                   `xml:"sourceDestCheck"`
	Groups      items[xmlGroupName]    `xml:"groupSet"`
	Attachment  xmlInterfaceAttachment `xml:"attachment"`
	Addresses   items[xmlAddress]      `xml:"privateIpAddressesSet"`
	Type        string                 `xml:"interfaceType"`

	Association *xmlInterfaceAssociation `xml:"association"`
}

// xmlInterface returns the network interface of an instance in a subnet.
func (c *call) xmlInterface(i *instance) xmlInterface {
	return c.addressed(xmlInterface{
		ID: i.interfaceID(), Subnet: i.Subnet, VPC: c.vpcOf(i), Zone: i.zone(), Owner: c.Account.ID, Status: "in-use", MAC: macOf(i.ID),
		Address: i.PrivateIP.String(), Name: i.PrivateDNSName, Check: true, Groups: c.xmlGroupNames(i.Groups), Type: "interface",
		Attachment: xmlInterfaceAttachment{
			strings.Replace(i.interfaceID(), "eni-", "eni-attach-", 1), i.ID, c.Account.ID, 0, 0, "attached", timestamp(i.Launched), true,
		},
	})
}

// natInterface returns the network interface of a NAT gateway.
func (c *call) natInterface(n *natGateway) xmlInterface {
	s := c.region.Subnets[n.Subnet]
	return c.addressed(xmlInterface{
		ID: n.interfaceID(), Subnet: s.ID, VPC: s.VPC, Zone: s.Zone, Description: "Interface for NAT Gateway " + n.ID, Owner: c.Account.ID,
		Requester: "amazon-aws", Managed: true, Status: "in-use", MAC: macOf(n.ID), Address: n.IP.String(), Type: "nat_gateway",
		Attachment: xmlInterfaceAttachment{
			strings.Replace(n.interfaceID(), "eni-", "ela-attach-", 1), "", "amazon-aws", 1, 0, "attached", timestamp(n.Created), false,
		},
	})
}

// addressed adds the addresses of an interface.
func (c *call) addressed(x xmlInterface) xmlInterface {
	if a := c.addressOf(x.ID); a != nil {
		x.Association = &xmlInterfaceAssociation{a.IP.String(), c.publicName(a), c.Account.ID, a.ID, a.Association}
	}
	x.Addresses = itemsOf([]xmlAddress{{x.Address, x.Name, true, x.Association}})
	return x
}

// vpcOf returns the VPC of an instance; empty for configured instances, which have none.
func (c *call) vpcOf(i *instance) string {
	if s, ok := c.region.Subnets[i.Subnet]; ok {
		return s.VPC
	}
	return ""
}

// interfaces returns the network interfaces of the region, in the order of their IDs.
func (c *call) interfaces() []xmlInterface {
	var all []xmlInterface
	for _, i := range c.instances() {
		if i.Subnet != "" && i.State != "terminated" {
			all = append(all, c.xmlInterface(i))
		}
	}
	for _, n := range c.region.NATGateways {
		all = append(all, c.natInterface(n))
	}
	slices.SortFunc(all, func(a, b xmlInterface) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// interfaceWith returns the network interface with an ID.
func (c *call) interfaceWith(id string) (xmlInterface, bool) {
	for _, x := range c.interfaces() {
		if x.ID == id {
			return x, true
		}
	}
	return xmlInterface{}, false
}

func noInterface(id string) error {
	return refuse("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '"+id+"' does not exist")
}

type interfacesInput struct {
	listing
	paging
	IDs []string `ec2:"NetworkInterfaceId"`
}

func describeInterfaces(c *call, in interfacesInput) (any, error) {
	all := c.interfaces()
	for _, id := range in.IDs {
		if !slices.ContainsFunc(all, func(x xmlInterface) bool { return x.ID == id }) {
			return nil, noInterface(id)
		}
	}
	if len(in.IDs) > 0 {
		all = slices.DeleteFunc(all, func(x xmlInterface) bool { return !slices.Contains(in.IDs, x.ID) })
	}
	all, err := filtered(in.Filter, all, interfaceFilters(), func(xmlInterface) map[string]string { return nil })
	if err != nil {
		return nil, err
	}
	return page(in.paging, "networkInterfaceSet", all, func(x xmlInterface) string { return x.ID }, func(x xmlInterface) xmlInterface { return x })
}

func interfaceFilters() map[string]field[xmlInterface] {
	// An empty value is none.
	of := func(value func(xmlInterface) string) field[xmlInterface] {
		return each(func(x xmlInterface) []xmlInterface { return []xmlInterface{x} }, value)
	}
	associated := func(value func(xmlInterfaceAssociation) string) field[xmlInterface] {
		return of(func(x xmlInterface) string {
			if x.Association == nil {
				return ""
			}
			return value(*x.Association)
		})
	}
	groups := func(value func(xmlGroupName) string) field[xmlInterface] {
		return each(func(x xmlInterface) []xmlGroupName { return x.Groups.Item }, value)
	}
	address, public := of(func(x xmlInterface) string { return x.Address }), associated(func(a xmlInterfaceAssociation) string { return a.Public })
	owner := associated(func(a xmlInterfaceAssociation) string { return a.Owner })
	name := associated(func(a xmlInterfaceAssociation) string { return a.Name })
	return map[string]field[xmlInterface]{
		"addresses.association.owner-id":        owner,
		"addresses.association.public-dns-name": name,
		"addresses.association.public-ip":       public,
		"addresses.primary":                     always[xmlInterface]("true"),
		"addresses.private-ip-address":          address,
		"association.allocation-id":             associated(func(a xmlInterfaceAssociation) string { return a.Allocation }),
		"association.association-id":            associated(func(a xmlInterfaceAssociation) string { return a.ID }),
		"association.ip-owner-id":               owner,
		"association.public-dns-name":           name,
		"association.public-ip":                 public,
		"attachment.attachment-id":              of(func(x xmlInterface) string { return x.Attachment.ID }),
		"attachment.delete-on-termination":      yes(func(x xmlInterface) bool { return x.Attachment.Delete }),
		"attachment.device-index":               of(func(x xmlInterface) string { return strconv.Itoa(x.Attachment.Index) }),
		"attachment.instance-id":                of(func(x xmlInterface) string { return x.Attachment.Instance }),
		"attachment.instance-owner-id":          of(func(x xmlInterface) string { return x.Attachment.Owner }),
		"attachment.status":                     of(func(x xmlInterface) string { return x.Attachment.Status }),
		"availability-zone":                     of(func(x xmlInterface) string { return x.Zone }),
		"availability-zone-id":                  of(func(x xmlInterface) string { return zoneID(x.Zone) }),
		"description":                           one(func(x xmlInterface) string { return x.Description }),
		"group-id":                              groups(func(g xmlGroupName) string { return g.ID }),
		"group-name":                            groups(func(g xmlGroupName) string { return g.Name }),
		"interface-type":                        of(func(x xmlInterface) string { return x.Type }),
		"mac-address":                           of(func(x xmlInterface) string { return x.MAC }),
		"network-interface-id":                  of(func(x xmlInterface) string { return x.ID }),
		"owner-id":                              of(func(x xmlInterface) string { return x.Owner }),
		"private-dns-name":                      of(func(x xmlInterface) string { return x.Name }),
		"private-ip-address":                    address,
		"requester-id":                          of(func(x xmlInterface) string { return x.Requester }),
		"requester-managed":                     yes(func(x xmlInterface) bool { return x.Managed }),
		"source-dest-check":                     yes(func(x xmlInterface) bool { return x.Check }),
		"status":                                of(func(x xmlInterface) string { return x.Status }),
		"subnet-id":                             of(func(x xmlInterface) string { return x.Subnet }),
		"vpc-id":                                of(func(x xmlInterface) string { return x.VPC }),
	}
}
