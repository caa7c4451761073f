package ec2

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A region is what EC2 keeps in a region, besides instances. Every map is by ID.
type region struct {
	VPCs        map[string]*vpc        `json:"vpcs"`
	Subnets     map[string]*subnet     `json:"subnets"`
	RouteTables map[string]*routeTable `json:"routeTables"`
	Gateways    map[string]*gateway    `json:"internetGateways"`
	NATGateways map[string]*natGateway `json:"natGateways"`
	Addresses   map[string]*address    `json:"addresses"`
	ACLs        map[string]*acl        `json:"networkACLs"`
	Groups      map[string]*group      `json:"securityGroups"`
	Templates   map[string]*template   `json:"launchTemplates"`
	Volumes     map[string]*volume     `json:"volumes"`
	KeyPairs    map[string]*keyPair    `json:"keyPairs"`
}

// maxRegions bounds the regions that something was changed in, which are kept.
const maxRegions = 64

func newRegion() *region {
	r := &region{}
	r.fill()
	return r
}

// fill makes the maps that a state lacks.
func (r *region) fill() {
	fill(&r.VPCs)
	fill(&r.Subnets)
	fill(&r.RouteTables)
	fill(&r.Gateways)
	fill(&r.NATGateways)
	fill(&r.Addresses)
	fill(&r.ACLs)
	fill(&r.Groups)
	fill(&r.Templates)
	fill(&r.Volumes)
	fill(&r.KeyPairs)
}

func fill[T any](m *map[string]T) {
	if *m == nil {
		*m = map[string]T{}
	}
}

// check validates a region that was read.
func (r *region) check(name string) error {
	r.fill()
	for _, err := range []error{
		account.CheckAll("VPC", r.VPCs, func(v *vpc) (string, error) { return v.ID, checkBlock(v.CIDR) }),
		account.CheckAll("subnet", r.Subnets, func(s *subnet) (string, error) {
			return s.ID, firstOf(checkBlock(s.CIDR), checkZone(name, s.Zone), r.hasVPC(s.VPC))
		}),
		account.CheckAll("route table", r.RouteTables, func(t *routeTable) (string, error) { return t.ID, firstOf(r.hasVPC(t.VPC), t.check()) }),
		account.CheckAll("internet gateway", r.Gateways, func(g *gateway) (string, error) { return g.ID, nil }),
		account.CheckAll("NAT gateway", r.NATGateways, func(n *natGateway) (string, error) { return n.ID, firstOf(checkIP(n.IP), r.hasSubnet(n.Subnet)) }),
		account.CheckAll("address", r.Addresses, func(a *address) (string, error) { return a.ID, checkIP(a.IP) }),
		account.CheckAll("network ACL", r.ACLs, func(a *acl) (string, error) { return a.ID, r.hasVPC(a.VPC) }),
		account.CheckAll("launch template", r.Templates, func(t *template) (string, error) { return t.ID, t.check() }),
		account.CheckAll("volume", r.Volumes, func(v *volume) (string, error) { return v.ID, checkZone(name, v.Zone) }),
		account.CheckAll("key pair", r.KeyPairs, func(k *keyPair) (string, error) { return k.ID, nil }),
		account.CheckAll("security group", r.Groups, func(g *group) (string, error) { return g.ID, firstOf(r.hasVPC(g.VPC), g.check()) }),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkBlock(block netip.Prefix) error {
	if !block.IsValid() || !block.Addr().Is4() {
		return fmt.Errorf("%q is not a block of IPv4 addresses", block)
	}
	return nil
}

func checkZone(region, zone string) error {
	if !slices.Contains(zonesOf(region), zone) {
		return fmt.Errorf("%q is not an availability zone of %q", zone, region)
	}
	return nil
}

func checkIP(ip netip.Addr) error {
	if !ip.Is4() {
		return fmt.Errorf("%q is not an IPv4 address", ip)
	}
	return nil
}

func (r *region) hasVPC(id string) error {
	if _, ok := r.VPCs[id]; !ok {
		return fmt.Errorf("its VPC %q does not exist", id)
	}
	return nil
}

func (r *region) hasSubnet(id string) error {
	if _, ok := r.Subnets[id]; !ok {
		return fmt.Errorf("its subnet %q does not exist", id)
	}
	return nil
}

// region returns a region. One that is not kept has the default VPC alone.
func (s *state) region(tx *account.Tx, name string) *region {
	if r, ok := s.Regions[name]; ok {
		return r
	}
	r := newRegion()
	r.addDefaultVPC(tx, name)
	return r
}

// hasRoomFor returns an error if a region is not kept and cannot be.
func (s *state) hasRoomFor(name string) error {
	if s.Regions[name] == nil && len(s.Regions) >= maxRegions {
		return unsupported("UnsupportedOperation", fmt.Sprintf("localaws keeps the resources of %d regions at most.", maxRegions))
	}
	return nil
}

// addDefaultVPC adds the VPC that every region has, with a subnet in each zone.
func (r *region) addDefaultVPC(tx *account.Tx, name string) {
	v := &vpc{base: base{ID: derivedID(tx, name, "vpc-", "")}, CIDR: netip.MustParsePrefix("172.31.0.0/16"), Default: true, Tenancy: "default", DNSSupport: true, DNSHostnames: true}
	derived := func(prefix, what string) string { return derivedID(tx, name, prefix, prefix+what) }
	r.VPCs[v.ID] = v
	for i, zone := range zonesOf(name) {
		s := &subnet{
			base: base{ID: derivedID(tx, name, "subnet-", zone)}, VPC: v.ID, Zone: zone, Default: true, MapPublicIP: true,
			CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(16 * i), 0}), 20),
		}
		r.Subnets[s.ID] = s
	}
	g := &gateway{base: base{ID: derived("igw-", "")}, VPC: v.ID}
	r.Gateways[g.ID] = g
	r.equip(v, derived)
	for _, table := range r.RouteTables {
		table.Routes = append(table.Routes, &route{Destination: netip.MustParsePrefix("0.0.0.0/0"), routeTarget: routeTarget{Gateway: g.ID}})
	}
}

// equip adds what every VPC has: a main route table, a network ACL and a security
// group.
func (r *region) equip(v *vpc, id func(prefix, what string) string) {
	table := &routeTable{base: base{ID: id("rtb-", "")}, VPC: v.ID, Main: id("rtbassoc-", ""), Associations: map[string]string{}}
	list := &acl{base: base{ID: id("acl-", "")}, VPC: v.ID}
	members := &group{base: base{ID: id("sg-", "")}, VPC: v.ID, Name: "default", Description: "default VPC security group", Rules: map[string]*rule{}}
	in := &rule{base: base{ID: id("sgr-", "in")}, Group: members.ID, ruleSpec: ruleSpec{Protocol: anyProtocol, ToGroup: members.ID}}
	out := allowAll(id("sgr-", "out"), members.ID)
	members.Rules[in.ID], members.Rules[out.ID] = in, out
	r.RouteTables[table.ID], r.ACLs[list.ID], r.Groups[members.ID] = table, list, members
}

// dismantle deletes what equip added.
func (r *region) dismantle(vpcID string) {
	maps.DeleteFunc(r.RouteTables, func(_ string, t *routeTable) bool { return t.VPC == vpcID })
	maps.DeleteFunc(r.ACLs, func(_ string, a *acl) bool { return a.VPC == vpcID })
	maps.DeleteFunc(r.Groups, func(_ string, g *group) bool { return g.VPC == vpcID })
}

// defaultVPC returns the default VPC; nil if it was deleted.
func (r *region) defaultVPC() *vpc {
	for _, v := range r.VPCs {
		if v.Default {
			return v
		}
	}
	return nil
}
