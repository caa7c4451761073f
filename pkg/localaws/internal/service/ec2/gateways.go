package ec2

import (
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A gateway connects a VPC with the internet.
type gateway struct {
	base
	VPC string `json:"vpc,omitempty"` // empty while it is detached
}

func gatewayOperations() []api.Operation {
	return []api.Operation{
		change("CreateInternetGateway", createGateway), change("DeleteInternetGateway", deleteGateway),
		change("AttachInternetGateway", attachGateway), change("DetachInternetGateway", detachGateway),
		describe("DescribeInternetGateways", func(c *call, in gatewaysInput) (any, error) {
			return gatewayKind().list(c, in.Filter, in.paging, in.IDs)
		}),
		describe("DescribeNetworkAcls", func(c *call, in aclsInput) (any, error) { return aclKind().list(c, in.Filter, in.paging, in.IDs) }),
	}
}

type gatewaysInput struct {
	listing
	paging
	IDs []string `ec2:"InternetGatewayId"`
}

func gatewayKind() kind[*gateway] {
	return kind[*gateway]{
		noun: "internet-gateway", prefix: "igw-", title: "internetGateway ID", malformed: "InvalidInternetGatewayID.Malformed", absent: "InvalidInternetGatewayID.NotFound",
		of: func(c *call) map[string]*gateway { return c.region.Gateways }, set: "internetGatewaySet", xml: func(c *call, g *gateway) any { return c.xmlGateway(g) },
		filters: func(c *call) map[string]field[*gateway] {
			attachments := func(g *gateway) []xmlAttachment { return c.xmlGateway(g).Attachments.Item }
			return map[string]field[*gateway]{
				"attachment.state":    each(attachments, func(a xmlAttachment) string { return a.State }),
				"attachment.vpc-id":   each(attachments, func(a xmlAttachment) string { return a.VPC }),
				"internet-gateway-id": one((*gateway).id),
				"owner-id":            always[*gateway](c.Account.ID),
			}
		},
	}
}

type xmlAttachment struct {
	VPC   string `xml:"vpcId"`
	State string `xml:"state"`
}

type xmlGateway struct {
	ID          string               `xml:"internetGatewayId"`
	Owner       string               `xml:"ownerId"`
	Attachments items[xmlAttachment] `xml:"attachmentSet"`
	Tags        *items[xmlTag]       `xml:"tagSet"`
}

func (c *call) xmlGateway(g *gateway) xmlGateway {
	x := xmlGateway{ID: g.ID, Owner: c.Account.ID, Tags: xmlTags(g.Tags)}
	if g.VPC != "" {
		x.Attachments.Item = []xmlAttachment{{g.VPC, "available"}}
	}
	return x
}

type createGatewayInput struct {
	dryRun
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func createGateway(c *call, in createGatewayInput) (any, error) {
	made, err := gatewayKind().create(c, in.Specification, nil)
	if err != nil {
		return nil, err
	}
	if err := bounded(len(c.region.Gateways), maxGateways, "InternetGatewayLimitExceeded", "internet gateways"); err != nil {
		return nil, err
	}
	g := &gateway{base: made}
	c.region.Gateways[g.ID] = g
	return fields{element("internetGateway", c.xmlGateway(g))}, nil
}

type gatewayInput struct {
	dryRun
	ID string `ec2:"InternetGatewayId,required"`
}

func deleteGateway(c *call, in gatewayInput) (any, error) {
	g, err := gatewayKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	if g.VPC != "" {
		return nil, dependent("internetGateway", g.ID)
	}
	delete(c.region.Gateways, g.ID)
	return nil, nil
}

type attachInput struct {
	gatewayInput
	VPC string `ec2:"VpcId,required"`
}

func (in attachInput) found(c *call) (*gateway, *vpc, error) {
	g, err := gatewayKind().authorized(c, in.ID, nil)
	if err != nil {
		return nil, nil, err
	}
	v, err := vpcKind().taken(c, in.VPC)
	return g, v, err
}

func attachGateway(c *call, in attachInput) (any, error) {
	g, v, err := in.found(c)
	if err != nil {
		return nil, err
	}
	if g.VPC != "" {
		return nil, refuse("Resource.AlreadyAssociated", "resource "+g.ID+" is already attached to network "+g.VPC)
	}
	if c.internet(v.ID) != nil {
		return nil, invalid("Network " + v.ID + " already has an internet gateway attached")
	}
	g.VPC = v.ID
	return nil, nil
}

func detachGateway(c *call, in attachInput) (any, error) {
	g, v, err := in.found(c)
	if err != nil {
		return nil, err
	}
	if g.VPC != v.ID {
		return nil, refuse("Gateway.NotAttached", "resource "+g.ID+" is not attached to network "+v.ID)
	}
	for _, x := range c.interfaces() {
		if x.VPC == v.ID && x.Association != nil {
			return nil, refuse("DependencyViolation", "Network "+v.ID+" has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.")
		}
	}
	g.VPC = ""
	return nil, nil
}

// internet returns the internet gateway of a VPC; nil if it has none.
func (c *call) internet(vpcID string) *gateway {
	for _, g := range c.region.Gateways {
		if g.VPC == vpcID {
			return g
		}
	}
	return nil
}

// An acl is the network ACL that a VPC has for all its subnets. It allows everything.
type acl struct {
	base
	VPC string `json:"vpc"`
}

func (a *acl) vpcID() string { return a.VPC }

type aclsInput struct {
	listing
	paging
	IDs []string `ec2:"NetworkAclId"`
}

func aclKind() kind[*acl] {
	return kind[*acl]{
		noun: "network-acl", prefix: "acl-", title: "networkAcl ID", malformed: "InvalidNetworkAclID.Malformed", absent: "InvalidNetworkAclID.NotFound",
		of: func(c *call) map[string]*acl { return c.region.ACLs }, set: "networkAclSet", xml: func(c *call, a *acl) any { return c.xmlACL(a) },
		filters: func(c *call) map[string]field[*acl] {
			associations := func(a *acl) []xmlACLAssociation { return c.xmlACL(a).Associations.Item }
			entries := func(a *acl) []xmlACLEntry { return c.xmlACL(a).Entries.Item }
			return map[string]field[*acl]{
				"association.association-id": each(associations, func(a xmlACLAssociation) string { return a.ID }),
				"association.network-acl-id": each(associations, func(a xmlACLAssociation) string { return a.ACL }),
				"association.subnet-id":      each(associations, func(a xmlACLAssociation) string { return a.Subnet }),
				"default":                    always[*acl]("true"),
				"entry.cidr":                 each(entries, func(e xmlACLEntry) string { return e.CIDR }),
				"entry.egress":               each(entries, func(e xmlACLEntry) string { return strconv.FormatBool(e.Egress) }),
				"entry.protocol":             each(entries, func(e xmlACLEntry) string { return e.Protocol }),
				"entry.rule-action":          each(entries, func(e xmlACLEntry) string { return e.Action }),
				"entry.rule-number":          each(entries, func(e xmlACLEntry) string { return strconv.Itoa(e.Number) }),
				"network-acl-id":             one((*acl).id),
				"owner-id":                   always[*acl](c.Account.ID),
				"vpc-id":                     one((*acl).vpcID),
			}
		},
	}
}

type xmlACLEntry struct {
	Number   int    `xml:"ruleNumber"`
	Protocol string `xml:"protocol"`
	Action   string `xml:"ruleAction"`
	Egress   bool   `xml:"egress"`
	CIDR     string `xml:"cidrBlock"`
}

type xmlACLAssociation struct {
	ID     string `xml:"networkAclAssociationId"`
	ACL    string `xml:"networkAclId"`
	Subnet string `xml:"subnetId"`
}

type xmlACL struct {
	ID           string                   `xml:"networkAclId"`
	VPC          string                   `xml:"vpcId"`
	Owner        string                   `xml:"ownerId"`
	Default      bool                     `xml:"default"`
	Entries      items[xmlACLEntry]       `xml:"entrySet"`
	Associations items[xmlACLAssociation] `xml:"associationSet"`
	Tags         *items[xmlTag]           `xml:"tagSet"`
}

func (c *call) xmlACL(a *acl) xmlACL {
	x := xmlACL{ID: a.ID, VPC: a.VPC, Owner: c.Account.ID, Default: true, Tags: xmlTags(a.Tags)}
	for _, egress := range []bool{true, false} {
		x.Entries.Item = append(x.Entries.Item, xmlACLEntry{100, anyProtocol, "allow", egress, "0.0.0.0/0"}, xmlACLEntry{32767, anyProtocol, "deny", egress, "0.0.0.0/0"})
	}
	for _, s := range subnetKind().sorted(c) {
		if s.VPC == a.VPC {
			x.Associations.Item = append(x.Associations.Item, xmlACLAssociation{strings.Replace(s.ID, "subnet-", "aclassoc-", 1), a.ID, s.ID})
		}
	}
	return x
}
