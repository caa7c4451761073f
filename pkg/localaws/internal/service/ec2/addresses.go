package ec2

import (
	"cmp"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// An address is an Elastic IP address. Nothing answers there.
type address struct {
	base
	IP netip.Addr `json:"ip"`
	// Interface is the ID of the network interface that it is associated with, and
	// Association that of the association; both are empty without one.
	Interface   string `json:"networkInterface,omitempty"`
	Association string `json:"association,omitempty"`
}

// AWS's quota, in a region.
const maxAddresses = 5

func addressOperations() []api.Operation {
	return []api.Operation{
		change("AllocateAddress", allocateAddress), change("ReleaseAddress", releaseAddress),
		change("AssociateAddress", associateAddress), change("DisassociateAddress", disassociateAddress),
		describe("DescribeAddresses", describeAddresses), describe("DescribeAddressesAttribute", describeAddressAttributes),
	}
}

func addressKind() kind[*address] {
	return kind[*address]{
		noun: "elastic-ip", prefix: "eipalloc-", title: "allocation ID", malformed: "InvalidAllocationID.Malformed", absent: "InvalidAllocationID.NotFound",
		of: func(c *call) map[string]*address { return c.region.Addresses }, set: "addressesSet", xml: func(c *call, a *address) any { return c.xmlElasticIP(a) },
		filters: func(c *call) map[string]field[*address] {
			some := func(value func(xmlElasticIP) string) field[*address] {
				return each(func(a *address) []xmlElasticIP { return []xmlElasticIP{c.xmlElasticIP(a)} }, value)
			}
			return map[string]field[*address]{
				"allocation-id":              one((*address).id),
				"association-id":             some(func(x xmlElasticIP) string { return x.Association }),
				"domain":                     always[*address]("vpc"),
				"instance-id":                some(func(x xmlElasticIP) string { return x.Instance }),
				"network-border-group":       always[*address](c.Region),
				"network-interface-id":       some(func(x xmlElasticIP) string { return x.Interface }),
				"network-interface-owner-id": some(func(x xmlElasticIP) string { return x.Owner }),
				"private-ip-address":         some(func(x xmlElasticIP) string { return x.Private }),
				"public-ip":                  one(func(a *address) string { return a.IP.String() }),
			}
		},
	}
}

type xmlElasticIP struct {
	Public      string         `xml:"publicIp"`
	ID          string         `xml:"allocationId"`
	Domain      string         `xml:"domain"`
	Instance    string         `xml:"instanceId,omitempty"`
	Association string         `xml:"associationId,omitempty"`
	Interface   string         `xml:"networkInterfaceId,omitempty"`
	Owner       string         `xml:"networkInterfaceOwnerId,omitempty"`
	Private     string         `xml:"privateIpAddress,omitempty"`
	Pool        string         `xml:"publicIpv4Pool"`
	Border      string         `xml:"networkBorderGroup"`
	Tags        *items[xmlTag] `xml:"tagSet"`
}

func (c *call) xmlElasticIP(a *address) xmlElasticIP {
	x := xmlElasticIP{Public: a.IP.String(), ID: a.ID, Domain: "vpc", Association: a.Association, Interface: a.Interface, Pool: "amazon", Border: c.Region, Tags: xmlTags(a.Tags)}
	if to, ok := c.interfaceWith(a.Interface); ok {
		x.Instance, x.Owner, x.Private = to.Attachment.Instance, to.Owner, to.Address
	}
	return x
}

// publicName returns the public DNS name of an address.
func (c *call) publicName(a *address) string {
	return "ec2-" + strings.ReplaceAll(a.IP.String(), ".", "-") + "." + c.Region + ".compute." + c.Account.Domain()
}

// addressOf returns the address that a network interface has; nil if it has none.
func (c *call) addressOf(interfaceID string) *address {
	for _, a := range c.region.Addresses {
		if interfaceID != "" && a.Interface == interfaceID {
			return a
		}
	}
	return nil
}

// associate gives an address to a network interface, and takes the one that it had.
func (c *call) associate(a *address, interfaceID string) {
	c.disassociate(interfaceID)
	a.Interface, a.Association = interfaceID, account.NewHexID("eipassoc-")
}

func (c *call) disassociate(interfaceID string) {
	if had := c.addressOf(interfaceID); had != nil {
		had.Interface, had.Association = "", ""
	}
}

type allocateInput struct {
	dryRun
	Domain        string
	Border        string             `ec2:"NetworkBorderGroup"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in allocateInput) check() error {
	if in.Domain != "" && in.Domain != "vpc" {
		return invalid("Value (" + in.Domain + ") for parameter domain is invalid. Expecting vpc.")
	}
	return nil
}

func allocateAddress(c *call, in allocateInput) (any, error) {
	if in.Border != "" && in.Border != c.Region {
		return nil, unsupported("InvalidParameterValue", "Value ("+in.Border+") for parameter networkBorderGroup is invalid. localaws has the network border group "+c.Region+" here.")
	}
	made, err := addressKind().create(c, in.Specification, map[string][]string{"ec2:domain": {"vpc"}})
	if err != nil {
		return nil, err
	}
	if err := bounded(len(c.region.Addresses), maxAddresses, "AddressLimitExceeded", "addresses"); err != nil {
		return nil, err
	}
	a := &address{base: made, IP: c.publicIP(made.ID)}
	c.region.Addresses[a.ID] = a
	return fields{
		element("publicIp", a.IP.String()), element("allocationId", a.ID), element("domain", "vpc"),
		element("publicIpv4Pool", "amazon"), element("networkBorderGroup", c.Region),
	}, nil
}

// publicIP returns an address that follows from an ID and that no other of the region has.
// It is from the block for benchmarks of networks, which no host on the internet has.
func (c *call) publicIP(id string) netip.Addr {
	digits, _ := hex.DecodeString(id[len(id)-6:]) // IDs end in hex digits
	ip := netip.AddrFrom4([4]byte{198, 18 | digits[0]&1, digits[1], digits[2]})
	for slices.ContainsFunc(addressKind().sorted(c), func(a *address) bool { return a.IP == ip }) {
		ip = ip.Next()
	}
	return ip
}

type releaseInput struct {
	dryRun
	ID     string `ec2:"AllocationId,required"`
	Border string `ec2:"NetworkBorderGroup"`
}

func releaseAddress(c *call, in releaseInput) (any, error) {
	a, err := addressKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Border != "" && in.Border != c.Region {
		return nil, refuse("InvalidAddress.NotFound", "The allocation ID '"+a.ID+"' does not exist in the network border group '"+in.Border+"'")
	}
	if to, ok := c.interfaceWith(a.Interface); ok {
		// Only the default VPC's instances lose their addresses so.
		switch v := c.region.VPCs[to.VPC]; {
		case to.Managed:
			return nil, managed()
		case v == nil || !v.Default:
			return nil, refuse("InvalidIPAddress.InUse", "Address "+a.IP.String()+" is in use.")
		}
	}
	delete(c.region.Addresses, a.ID)
	return nil, nil
}

// managed returns the error for an address or a network interface of a NAT gateway.
func managed() error {
	return refuse("AuthFailure", "You do not have permission to access the specified resource.")
}

type associateAddressInput struct {
	dryRun
	ID        string `ec2:"AllocationId,required"`
	Instance  string `ec2:"InstanceId"`
	Interface string `ec2:"NetworkInterfaceId"`
	PrivateIP string `ec2:"PrivateIpAddress"`
	Again     *bool  `ec2:"AllowReassociation"`
}

func (in associateAddressInput) check() error {
	switch {
	case in.Instance == "" && in.Interface == "":
		return missing("InstanceId or NetworkInterfaceId")
	case in.Instance != "" && in.Interface != "":
		return invalidCombination("The parameter instanceId cannot be used with the parameter networkInterfaceId")
	}
	return nil
}

func associateAddress(c *call, in associateAddressInput) (any, error) {
	a, err := addressKind().authorized(c, in.ID, nil)
	if err != nil {
		return nil, err
	}
	to, err := in.to(c)
	if err != nil {
		return nil, err
	}
	from, had := c.interfaceWith(a.Interface)
	switch {
	case to.Managed || from.Managed:
		return nil, managed()
	case had && in.Again != nil && !*in.Again && from.ID != to.ID:
		return nil, refuse("Resource.AlreadyAssociated", "resource "+a.ID+" is already associated with associate-id "+a.Association)
	case in.PrivateIP != "" && in.PrivateIP != to.Address:
		return nil, invalid("Invalid value '" + in.PrivateIP + "' for PrivateIpAddress. The network interface " + to.ID + " does not have it.")
	case c.internet(to.VPC) == nil:
		return nil, refuse("Gateway.NotAttached", "Network "+to.VPC+" is not attached to any internet gateway")
	case from.ID != to.ID:
		c.associate(a, to.ID)
	}
	return fields{element("return", true), element("associationId", a.Association)}, nil
}

// to returns the network interface that a call names, if the caller may give it an
// address.
func (in associateAddressInput) to(c *call) (xmlInterface, error) {
	if in.Instance == "" {
		to, ok := c.interfaceWith(in.Interface)
		if err := c.permit(grant{c.Operation, c.arn("network-interface", in.Interface), nil}); err != nil {
			return to, err
		}
		if !ok {
			return to, noInterface(in.Interface)
		}
		return to, nil
	}
	i, err := instanceKind().taken(c, in.Instance)
	switch {
	case err != nil:
		return xmlInterface{}, err
	case i.State == "terminated":
		return xmlInterface{}, refuse("IncorrectInstanceState", "The instance '"+i.ID+"' is not in a state from which it can be associated with an address.")
	case i.Subnet == "":
		return xmlInterface{}, unsupported("UnsupportedOperation", "localaws: instance "+i.ID+" is configured, and has no network interface.")
	}
	return c.xmlInterface(i), nil
}

type disassociateAddressInput struct {
	dryRun
	ID string `ec2:"AssociationId,required"`
}

func disassociateAddress(c *call, in disassociateAddressInput) (any, error) {
	at := slices.IndexFunc(addressKind().sorted(c), func(a *address) bool { return a.Association != "" && a.Association == in.ID })
	if at < 0 {
		if err := c.permit(grant{c.Operation, c.arn("elastic-ip", "*"), nil}); err != nil {
			return nil, err
		}
		return nil, refuse("InvalidAssociationID.NotFound", "The association ID '"+in.ID+"' does not exist")
	}
	a, err := addressKind().taken(c, addressKind().sorted(c)[at].ID)
	if err != nil {
		return nil, err
	}
	if to, _ := c.interfaceWith(a.Interface); to.Managed {
		return nil, managed()
	}
	c.disassociate(a.Interface)
	return fields{element("return", true)}, nil
}

type addressesInput struct {
	listing
	IDs       []string `ec2:"AllocationId"`
	PublicIPs []string `ec2:"PublicIp"`
}

func describeAddresses(c *call, in addressesInput) (any, error) {
	for _, ip := range in.PublicIPs {
		all := addressKind().sorted(c)
		at := slices.IndexFunc(all, func(a *address) bool { return a.IP.String() == ip })
		if at < 0 {
			return nil, refuse("InvalidAddress.NotFound", "Address '"+ip+"' not found.")
		}
		in.IDs = append(in.IDs, all[at].ID)
	}
	return addressKind().list(c, in.Filter, paging{}, in.IDs)
}

type addressAttributesInput struct {
	dryRun
	paging
	IDs       []string `ec2:"AllocationId"`
	Attribute string
}

// xmlAddressAttribute lacks the record for reverse lookups, which no address has.
type xmlAddressAttribute struct {
	Public string `xml:"publicIp"`
	ID     string `xml:"allocationId"`
}

func describeAddressAttributes(c *call, in addressAttributesInput) (any, error) {
	if cmp.Or(in.Attribute, "domain-name") != "domain-name" {
		return nil, invalid("Value (" + in.Attribute + ") for parameter attribute is invalid. Expecting domain-name.")
	}
	kind := addressKind()
	kind.set, kind.xml = "addressSet", func(_ *call, a *address) any { return xmlAddressAttribute{a.IP.String(), a.ID} }
	return kind.list(c, nil, in.paging, in.IDs)
}
