package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func interfaceOperations() []api.Operation {
	return []api.Operation{describe("DescribeNetworkInterfaces", describeInterfaces)}
}

// interfaceID returns the ID of the network interface of an instance, which has one.
func (i *instance) interfaceID() string {
	sum := sha256.Sum256([]byte(i.ID))
	return "eni-0" + hex.EncodeToString(sum[:8])
}

// MAC returns the hardware address of an instance, unique by its ID.
func (i *instance) mac() string {
	sum := sha256.Sum256([]byte(i.ID))
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
	Address string `xml:"privateIpAddress"`
	Name    string `xml:"privateDnsName"`
	Primary bool   `xml:"primary"`
}

type xmlInterface struct {
	ID          string                 `xml:"networkInterfaceId"`
	Subnet      string                 `xml:"subnetId"`
	VPC         string                 `xml:"vpcId"`
	Zone        string                 `xml:"availabilityZone,omitempty"`
	Description string                 `xml:"description"`
	Owner       string                 `xml:"ownerId"`
	Managed     bool                   `xml:"requesterManaged"`
	Status      string                 `xml:"status"`
	MAC         string                 `xml:"macAddress"`
	Address     string                 `xml:"privateIpAddress"`
	Name        string                 `xml:"privateDnsName"`
	Check       bool                   `xml:"sourceDestCheck"`
	Groups      items[xmlGroupName]    `xml:"groupSet"`
	Attachment  xmlInterfaceAttachment `xml:"attachment"`
	Addresses   items[xmlAddress]      `xml:"privateIpAddressesSet"`
	Type        string                 `xml:"interfaceType"`
}

// xmlInterface returns the network interface of an instance in a subnet.
func (c *call) xmlInterface(i *instance) xmlInterface {
	return xmlInterface{
		ID: i.interfaceID(), Subnet: i.Subnet, VPC: c.vpcOf(i), Zone: i.zone(), Owner: c.Account.ID, Status: "in-use", MAC: i.mac(),
		Address: i.PrivateIP.String(), Name: i.PrivateDNSName, Check: true, Groups: c.xmlGroupNames(i.Groups), Type: "interface",
		Attachment: xmlInterfaceAttachment{
			strings.Replace(i.interfaceID(), "eni-", "eni-attach-", 1), i.ID, c.Account.ID, 0, 0, "attached", timestamp(i.Launched), true,
		},
		Addresses: itemsOf([]xmlAddress{{i.PrivateIP.String(), i.PrivateDNSName, true}}),
	}
}

// vpcOf returns the VPC of an instance; empty for configured instances, which have none.
func (c *call) vpcOf(i *instance) string {
	if s, ok := c.region.Subnets[i.Subnet]; ok {
		return s.VPC
	}
	return ""
}

// attached returns the instances that have a network interface.
func (c *call) attached() []*instance {
	return slices.DeleteFunc(c.instances(), func(i *instance) bool { return i.Subnet == "" || i.State == "terminated" })
}

type interfacesInput struct {
	listing
	paging
	IDs []string `ec2:"NetworkInterfaceId"`
}

func describeInterfaces(c *call, in interfacesInput) (any, error) {
	all := c.attached()
	for _, id := range in.IDs {
		if !slices.ContainsFunc(all, func(i *instance) bool { return i.interfaceID() == id }) {
			return nil, refuse("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '"+id+"' does not exist")
		}
	}
	if len(in.IDs) > 0 {
		all = slices.DeleteFunc(all, func(i *instance) bool { return !slices.Contains(in.IDs, i.interfaceID()) })
	}
	of := always[*instance]
	address := one(func(i *instance) string { return i.PrivateIP.String() })
	name := one(func(i *instance) string { return i.PrivateDNSName })
	all, err := filtered(in.Filter, all, map[string]field[*instance]{
		"addresses.primary":            of("true"),
		"addresses.private-ip-address": address,
		"attachment.attachment-id":     one(func(i *instance) string { return c.xmlInterface(i).Attachment.ID }),
		"attachment.device-index":      of("0"),
		"attachment.instance-id":       one((*instance).id),
		"attachment.instance-owner-id": of(c.Account.ID),
		"attachment.status":            of("attached"),
		"availability-zone":            one((*instance).zone),
		"description":                  of(""),
		"group-id":                     func(i *instance) []string { return i.Groups },
		"group-name": func(i *instance) (names []string) {
			for _, id := range i.Groups {
				names = append(names, c.nameOf(id))
			}
			return names
		},
		"interface-type":       of("interface"),
		"mac-address":          one((*instance).mac),
		"network-interface-id": one((*instance).interfaceID),
		"owner-id":             of(c.Account.ID),
		"private-dns-name":     name,
		"private-ip-address":   address,
		"requester-id":         func(*instance) []string { return nil },
		"requester-managed":    of("false"),
		"source-dest-check":    of("true"),
		"status":               of("in-use"),
		"subnet-id":            one(func(i *instance) string { return i.Subnet }),
		"vpc-id":               one(c.vpcOf),
	}, func(*instance) map[string]string { return nil })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *instance) int { return strings.Compare(a.interfaceID(), b.interfaceID()) })
	return page(in.paging, "networkInterfaceSet", all, (*instance).interfaceID, c.xmlInterface)
}
