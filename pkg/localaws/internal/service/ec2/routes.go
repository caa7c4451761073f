package ec2

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A routeTable has the routes of subnets. Every VPC has a main one, for the subnets
// that are associated with no other.
type routeTable struct {
	base
	replayable
	VPC    string   `json:"vpc"`
	Routes []*route `json:"routes,omitempty"` // without the one within the VPC
	// Main is the ID of the association as the main table; empty for others.
	Main         string            `json:"main,omitempty"`
	Associations map[string]string `json:"associations,omitempty"` // IDs of subnets, by the association's
}

func (t *routeTable) vpcID() string { return t.VPC }

// check validates a table that was read.
func (t *routeTable) check() error {
	fill(&t.Associations)
	if slices.Contains(t.Routes, nil) {
		return errNull
	}
	return nil
}

// A route leads to an internet gateway or a NAT gateway.
type route struct {
	Destination netip.Prefix `json:"destination"`
	routeTarget
}

// A routeTarget has the ID of one of them.
type routeTarget struct {
	Gateway    string `json:"gateway,omitempty" ec2:"GatewayId"`
	NATGateway string `json:"natGateway,omitempty" ec2:"NatGatewayId"`
}

// vpc returns the ID of the VPC that a route can lead out of; empty if the target is
// gone or detached.
func (r routeTarget) vpc(c *call) string {
	if g, ok := c.region.Gateways[r.Gateway]; ok {
		return g.VPC
	}
	if n, ok := c.region.NATGateways[r.NATGateway]; ok {
		return c.region.Subnets[n.Subnet].VPC
	}
	return ""
}

// AWS's quotas.
const (
	maxRouteTables = 200 // of a VPC
	maxRoutes      = 50  // of a table
	maxGateways    = 5
)

func routeOperations() []api.Operation {
	return []api.Operation{
		change("CreateRouteTable", createRouteTable), change("DeleteRouteTable", deleteRouteTable),
		describe("DescribeRouteTables", func(c *call, in routeTablesInput) (any, error) {
			return routeTableKind().list(c, in.Filter, in.within(5, 100), in.IDs)
		}),
		change("CreateRoute", createRoute), change("ReplaceRoute", replaceRoute), change("DeleteRoute", deleteRoute),
		change("AssociateRouteTable", associateRouteTable), change("DisassociateRouteTable", disassociateRouteTable),
		change("ReplaceRouteTableAssociation", replaceAssociation),
	}
}

type routeTablesInput struct {
	listing
	paging
	IDs []string `ec2:"RouteTableId"`
}

func routeTableKind() kind[*routeTable] {
	return kind[*routeTable]{
		noun: "route-table", prefix: "rtb-", title: "routeTable ID", malformed: "InvalidRouteTableID.Malformed", absent: "InvalidRouteTableID.NotFound",
		of: func(c *call) map[string]*routeTable { return c.region.RouteTables }, set: "routeTableSet",
		xml: func(c *call, t *routeTable) any { return c.xmlRouteTable(t) },
		filters: func(c *call) map[string]field[*routeTable] {
			associations := func(t *routeTable) []xmlRouteAssociation { return c.xmlRouteTable(t).Associations.Item }
			routes := func(t *routeTable) []xmlRoute { return c.xmlRouteTable(t).Routes.Item }
			return map[string]field[*routeTable]{
				"association.gateway-id": func(*routeTable) []string { return nil },
				"association.main": each(associations, func(a xmlRouteAssociation) string {
					if a.Main {
						return "true"
					}
					return "false"
				}),
				"association.route-table-association-id": each(associations, func(a xmlRouteAssociation) string { return a.ID }),
				"association.route-table-id":             each(associations, func(a xmlRouteAssociation) string { return a.Table }),
				"association.subnet-id":                  each(associations, func(a xmlRouteAssociation) string { return a.Subnet }),
				"owner-id":                               always[*routeTable](c.Account.ID),
				"route-table-id":                         one((*routeTable).id),
				"route.destination-cidr-block":           each(routes, func(r xmlRoute) string { return r.CIDR }),
				"route.destination-ipv6-cidr-block":      each(routes, func(r xmlRoute) string { return r.IPv6 }),
				"route.gateway-id":                       each(routes, func(r xmlRoute) string { return r.Gateway }),
				"route.nat-gateway-id":                   each(routes, func(r xmlRoute) string { return r.NATGateway }),
				"route.origin":                           each(routes, func(r xmlRoute) string { return r.Origin }),
				"route.state":                            each(routes, func(r xmlRoute) string { return r.State }),
				"vpc-id":                                 one((*routeTable).vpcID),
			}
		},
	}
}

type xmlRoute struct {
	CIDR       string `xml:"destinationCidrBlock,omitempty"`
	IPv6       string `xml:"destinationIpv6CidrBlock,omitempty"`
	Gateway    string `xml:"gatewayId,omitempty"`
	NATGateway string `xml:"natGatewayId,omitempty"`
	State      string `xml:"state"`
	Origin     string `xml:"origin"`
}

type xmlRouteAssociation struct {
	ID     string              `xml:"routeTableAssociationId"`
	Table  string              `xml:"routeTableId"`
	Subnet string              `xml:"subnetId,omitempty"`
	Main   bool                `xml:"main"`
	State  xmlAssociationState `xml:"associationState"`
}

type xmlAssociationState struct {
	State string `xml:"state"`
}

type xmlRouteTable struct {
	ID           string                     `xml:"routeTableId"`
	VPC          string                     `xml:"vpcId"`
	Owner        string                     `xml:"ownerId"`
	Routes       items[xmlRoute]            `xml:"routeSet"`
	Associations items[xmlRouteAssociation] `xml:"associationSet"`
	Propagating  items[string]              `xml:"propagatingVgwSet"`
	Tags         *items[xmlTag]             `xml:"tagSet"`
}

func (c *call) xmlRouteTable(t *routeTable) xmlRouteTable {
	x := xmlRouteTable{ID: t.ID, VPC: t.VPC, Owner: c.Account.ID, Tags: xmlTags(t.Tags)}
	x.Routes.Item = append(x.Routes.Item, xmlRoute{CIDR: c.region.VPCs[t.VPC].CIDR.String(), Gateway: "local", State: "active", Origin: "CreateRouteTable"})
	for _, r := range t.Routes {
		to := xmlRoute{Gateway: r.Gateway, NATGateway: r.NATGateway, State: "blackhole", Origin: "CreateRoute"}
		if r.Destination.Addr().Is4() {
			to.CIDR = r.Destination.String()
		} else {
			to.IPv6 = r.Destination.String()
		}
		if r.vpc(c) == t.VPC {
			to.State = "active"
		}
		x.Routes.Item = append(x.Routes.Item, to)
	}
	if t.Main != "" {
		x.Associations.Item = append(x.Associations.Item, xmlRouteAssociation{ID: t.Main, Table: t.ID, Main: true, State: xmlAssociationState{"associated"}})
	}
	for _, id := range slices.Sorted(maps.Keys(t.Associations)) {
		x.Associations.Item = append(x.Associations.Item, xmlRouteAssociation{ID: id, Table: t.ID, Subnet: t.Associations[id], State: xmlAssociationState{"associated"}})
	}
	return x
}

type createRouteTableInput struct {
	dryRun
	VPC           string             `ec2:"VpcId,required"`
	Specification []tagSpecification `ec2:"TagSpecification"`
	Token         string             `ec2:"ClientToken"`
}

func (in createRouteTableInput) check() error { return checkToken(in.Token) }

func createRouteTable(c *call, in createRouteTableInput) (any, error) {
	v, err := vpcKind().authorized(c, in.VPC, nil)
	if err != nil {
		return nil, err
	}
	made, err := routeTableKind().create(c, in.Specification, map[string][]string{"ec2:vpc": {c.arn("vpc", v.ID)}})
	if err != nil {
		return nil, err
	}
	t := &routeTable{base: made, replayable: c.replayable(in.Token), VPC: v.ID, Associations: map[string]string{}}
	if done, err := replayed(maps.Values(c.region.RouteTables), t.replayable); err != nil {
		return nil, err
	} else if len(done) > 0 {
		return c.createdTable(done[0]), nil
	}
	siblings := 0
	for _, t := range c.region.RouteTables {
		siblings += count(t.VPC == v.ID)
	}
	if err := bounded(siblings, maxRouteTables, "RouteTableLimitExceeded", "route tables of the VPC"); err != nil {
		return nil, err
	}
	c.region.RouteTables[t.ID] = t
	return c.createdTable(t), nil
}

func (c *call) createdTable(t *routeTable) fields {
	response := fields{element("routeTable", c.xmlRouteTable(t))}
	if t.Token != "" {
		response = append(response, element("clientToken", t.Token))
	}
	return response
}

type routeTableInput struct {
	dryRun
	ID string `ec2:"RouteTableId,required"`
}

func deleteRouteTable(c *call, in routeTableInput) (any, error) {
	t, err := routeTableKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	if t.Main != "" || len(t.Associations) > 0 {
		return nil, dependent("routeTable", t.ID)
	}
	delete(c.region.RouteTables, t.ID)
	return nil, nil
}

type destinationInput struct {
	dryRun
	Table string `ec2:"RouteTableId,required"`
	CIDR  string `ec2:"DestinationCidrBlock"`
	IPv6  string `ec2:"DestinationIpv6CidrBlock"`
}

// destination returns the block that a route is for.
func (in destinationInput) destination() (netip.Prefix, error) {
	text := in.CIDR + in.IPv6
	if in.CIDR != "" && in.IPv6 != "" {
		return netip.Prefix{}, invalidCombination("The parameter destinationCidrBlock cannot be used with the parameter destinationIpv6CidrBlock")
	}
	if text == "" {
		return netip.Prefix{}, missing("DestinationCidrBlock")
	}
	block, err := netip.ParsePrefix(text)
	if err != nil || block.Addr().Is4() != (in.CIDR != "") {
		return netip.Prefix{}, invalid("Value (" + text + ") for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.")
	}
	return block.Masked(), nil
}

// index returns the place of the route to a destination; -1 if there is none.
func (t *routeTable) index(destination netip.Prefix) int {
	return slices.IndexFunc(t.Routes, func(r *route) bool { return r.Destination == destination })
}

type routeInput struct {
	destinationInput
	routeTarget
}

func (in routeInput) check() error {
	switch {
	case in.Gateway == "" && in.NATGateway == "":
		return missing("GatewayId or NatGatewayId")
	case in.Gateway != "" && in.NATGateway != "":
		return invalidCombination("The parameter gatewayId cannot be used with the parameter natGatewayId")
	}
	return nil
}

// target returns the table, the destination and whether the table may have the route.
func (in routeInput) target(c *call) (*routeTable, netip.Prefix, error) {
	destination, err := in.destination()
	if err != nil {
		return nil, destination, err
	}
	t, err := routeTableKind().taken(c, in.Table)
	if err != nil {
		return nil, destination, err
	}
	if block := c.region.VPCs[t.VPC].CIDR; block.Contains(destination.Addr()) && destination.Bits() >= block.Bits() {
		return nil, destination, invalid("The destination CIDR block " + destination.String() + " is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.")
	}
	if _, ok := c.region.Gateways[in.Gateway]; !ok && in.Gateway != "" {
		return nil, destination, unsupported("InvalidGatewayID.NotFound", "The gateway ID '"+in.Gateway+"' does not exist. localaws has routes to internet gateways and NAT gateways.")
	}
	if _, ok := c.region.NATGateways[in.NATGateway]; !ok && in.NATGateway != "" {
		return nil, destination, refuse("InvalidNatGatewayID.NotFound", "The natGateway ID '"+in.NATGateway+"' does not exist")
	}
	if in.vpc(c) != t.VPC {
		return nil, destination, invalid("route table " + t.ID + " and network gateway " + in.Gateway + in.NATGateway + " belong to different networks")
	}
	return t, destination, nil
}

func createRoute(c *call, in routeInput) (any, error) {
	t, destination, err := in.target(c)
	if err != nil {
		return nil, err
	}
	if at := t.index(destination); at >= 0 && t.Routes[at].routeTarget == in.routeTarget {
		return nil, nil
	} else if at >= 0 {
		return nil, refuse("RouteAlreadyExists", "The route identified by "+destination.String()+" already exists.")
	}
	if err := bounded(len(t.Routes), maxRoutes, "RouteLimitExceeded", "routes of the route table"); err != nil {
		return nil, err
	}
	t.Routes = append(t.Routes, &route{destination, in.routeTarget})
	return nil, nil
}

func replaceRoute(c *call, in routeInput) (any, error) {
	t, destination, err := in.target(c)
	if err != nil {
		return nil, err
	}
	at := t.index(destination)
	if at < 0 {
		return nil, refuse("InvalidParameterValue", "There is no route defined for '"+destination.String()+"' in the route table. Use CreateRoute instead.")
	}
	t.Routes[at].routeTarget = in.routeTarget
	return nil, nil
}

func deleteRoute(c *call, in destinationInput) (any, error) {
	destination, err := in.destination()
	if err != nil {
		return nil, err
	}
	t, err := routeTableKind().taken(c, in.Table)
	if err != nil {
		return nil, err
	}
	at := t.index(destination)
	if at < 0 {
		return nil, refuse("InvalidRoute.NotFound", "no route with destination-cidr-block "+destination.String()+" in route table "+t.ID)
	}
	t.Routes = slices.Delete(t.Routes, at, at+1)
	return nil, nil
}

type associateTableInput struct {
	dryRun
	Table  string `ec2:"RouteTableId,required"`
	Subnet string `ec2:"SubnetId,required"`
}

func associated() any { return xmlAssociationState{"associated"} }

func associateRouteTable(c *call, in associateTableInput) (any, error) {
	t, err := routeTableKind().authorized(c, in.Table, nil)
	if err != nil {
		return nil, err
	}
	s, err := subnetKind().taken(c, in.Subnet)
	if err != nil {
		return nil, err
	}
	if s.VPC != t.VPC {
		return nil, invalid("Route table " + t.ID + " and subnet " + s.ID + " belong to different networks")
	}
	for _, other := range c.region.RouteTables {
		for id, subnetID := range other.Associations {
			if subnetID != s.ID {
				continue
			}
			if other == t {
				return fields{element("associationId", id), element("associationState", associated())}, nil
			}
			return nil, refuse("Resource.AlreadyAssociated", "the specified association for route table "+t.ID+" conflicts with an existing association")
		}
	}
	id := account.NewHexID("rtbassoc-")
	t.Associations[id] = s.ID
	return fields{element("associationId", id), element("associationState", associated())}, nil
}

// associationWith returns the table that has an association.
func (c *call) associationWith(id string) *routeTable {
	for _, t := range c.region.RouteTables {
		if _, ok := t.Associations[id]; ok || t.Main == id {
			return t
		}
	}
	return nil
}

type associationInput struct {
	dryRun
	ID string `ec2:"AssociationId,required"`
}

// found returns the table of the association, if the call is permitted to act on it.
func (in associationInput) found(c *call) (*routeTable, error) {
	t := c.associationWith(in.ID)
	if t == nil {
		if err := c.permit(grant{c.Operation, c.arn("route-table", "*"), nil}); err != nil {
			return nil, err
		}
		return nil, refuse("InvalidAssociationID.NotFound", "The association ID '"+in.ID+"' does not exist")
	}
	return routeTableKind().authorized(c, t.ID, nil)
}

func disassociateRouteTable(c *call, in associationInput) (any, error) {
	t, err := in.found(c)
	if err != nil {
		return nil, err
	}
	if err := c.permit(); err != nil {
		return nil, err
	}
	if t.Main == in.ID {
		return nil, invalid("cannot disassociate the main route table association " + in.ID)
	}
	delete(t.Associations, in.ID)
	return nil, nil
}

type replaceAssociationInput struct {
	associationInput
	Table string `ec2:"RouteTableId,required"`
}

func replaceAssociation(c *call, in replaceAssociationInput) (any, error) {
	from, err := in.found(c)
	if err != nil {
		return nil, err
	}
	to, err := routeTableKind().taken(c, in.Table)
	if err != nil {
		return nil, err
	}
	if from.VPC != to.VPC {
		return nil, invalid("Route table " + to.ID + " and route table " + from.ID + " belong to different networks")
	}
	id := account.NewHexID("rtbassoc-")
	if from.Main == in.ID {
		from.Main, to.Main = "", id
	} else {
		to.Associations[id] = from.Associations[in.ID]
		delete(from.Associations, in.ID)
	}
	return fields{element("newAssociationId", id), element("associationState", associated())}, nil
}
