package ec2

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A group is a security group.
type group struct {
	base
	VPC         string           `json:"vpc"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Rules       map[string]*rule `json:"rules"` // by ID
}

func (g *group) vpcID() string { return g.VPC }

var errNull = errors.New("something in it is null")

// check validates a group that was read.
func (g *group) check() error {
	fill(&g.Rules)
	return account.CheckAll("rule", g.Rules, func(r *rule) (string, error) {
		r.Group = g.ID
		return r.ID, nil
	})
}

// A rule of a security group allows traffic.
type rule struct {
	base
	Group       string `json:"group"`
	Egress      bool   `json:"egress,omitempty"`
	Description string `json:"description,omitempty"`
	ruleSpec
}

// A ruleSpec is what a rule allows: a protocol, ports unless it allows every protocol,
// and where to or from.
type ruleSpec struct {
	Protocol string       `json:"protocol"`
	From     int          `json:"from,omitempty"`
	To       int          `json:"to,omitempty"`
	CIDR     netip.Prefix `json:"cidr,omitzero"`
	ToGroup  string       `json:"toGroup,omitempty"`
}

// anyProtocol is the protocol of a rule for all protocols.
const anyProtocol = "-1"

func (r ruleSpec) hasPorts() bool {
	return slices.Contains([]string{"tcp", "udp", "icmp", "icmpv6"}, r.Protocol)
}

func (r ruleSpec) String() string {
	ports := ""
	if r.hasPorts() {
		ports = fmt.Sprintf(", from port: %d, to port: %d", r.From, r.To)
	}
	peer := r.ToGroup
	if r.CIDR.IsValid() {
		peer = r.CIDR.String()
	}
	return "peer: " + peer + ", " + strings.ToUpper(r.Protocol) + ports + ", ALLOW"
}

// allowAll returns the rule that lets everything out, in a new group.
func allowAll(id, groupID string) *rule {
	return &rule{base: base{ID: id}, Group: groupID, Egress: true, ruleSpec: ruleSpec{Protocol: anyProtocol, CIDR: netip.MustParsePrefix("0.0.0.0/0")}}
}

const (
	maxGroups = 500 // of a region; AWS's quota is 2500
	maxRules  = 60  // of a group, in each direction: AWS's quota
)

func groupOperations() []api.Operation {
	return []api.Operation{
		change("CreateSecurityGroup", createGroup), change("DeleteSecurityGroup", deleteGroup),
		describe("DescribeSecurityGroups", describeGroups),
		change("AuthorizeSecurityGroupIngress", func(c *call, in authorizeInput) (any, error) { return in.authorize(c, false) }),
		change("AuthorizeSecurityGroupEgress", func(c *call, in authorizeInput) (any, error) { return in.authorize(c, true) }),
		change("RevokeSecurityGroupIngress", func(c *call, in revokeInput) (any, error) { return in.revoke(c, false) }),
		change("RevokeSecurityGroupEgress", func(c *call, in revokeInput) (any, error) { return in.revoke(c, true) }),
		change("ModifySecurityGroupRules", modifyRules),
		describe("DescribeSecurityGroupRules", func(c *call, in rulesInput) (any, error) { return ruleKind().list(c, in.Filter, in.paging, in.IDs) }),
	}
}

func groupKind() kind[*group] {
	return kind[*group]{
		noun: "security-group", prefix: "sg-", title: "security group", malformed: "InvalidGroupId.Malformed", absent: "InvalidGroup.NotFound",
		of: func(c *call) map[string]*group { return c.region.Groups }, set: "securityGroupInfo", xml: func(c *call, g *group) any { return c.xmlGroup(g) },
		filters: func(c *call) map[string]field[*group] {
			by := map[string]field[*group]{
				"description": one(func(g *group) string { return g.Description }),
				"group-id":    one((*group).id),
				"group-name":  one(func(g *group) string { return g.Name }),
				"owner-id":    always[*group](c.Account.ID),
				"vpc-id":      one((*group).vpcID),
			}
			for name, value := range map[string]func(*rule) string{
				"cidr":       func(r *rule) string { return r.block(true) },
				"ipv6-cidr":  func(r *rule) string { return r.block(false) },
				"from-port":  func(r *rule) string { return r.port(r.From) },
				"to-port":    func(r *rule) string { return r.port(r.To) },
				"protocol":   func(r *rule) string { return r.Protocol },
				"group-id":   func(r *rule) string { return r.ToGroup },
				"group-name": func(r *rule) string { return c.nameOf(r.ToGroup) },
				"user-id":    func(r *rule) string { return c.ownerOf(r.ToGroup) },
			} {
				for prefix, egress := range map[string]bool{"ip-permission.": false, "egress.ip-permission.": true} {
					by[prefix+name] = each(func(g *group) []*rule { return g.sorted(egress) }, value)
				}
			}
			return by
		},
	}
}

func (c *call) nameOf(groupID string) string {
	if g, ok := c.region.Groups[groupID]; ok {
		return g.Name
	}
	return ""
}

func (c *call) ownerOf(groupID string) string {
	if groupID == "" {
		return ""
	}
	return c.Account.ID
}

// block returns the rule's block of addresses of one version of IP; empty without one.
func (r *rule) block(v4 bool) string {
	if !r.CIDR.IsValid() || r.CIDR.Addr().Is4() != v4 {
		return ""
	}
	return r.CIDR.String()
}

func (r *rule) port(n int) string {
	if !r.hasPorts() {
		return ""
	}
	return strconv.Itoa(n)
}

// sorted returns the rules of a direction, in the order of their IDs.
func (g *group) sorted(egress bool) []*rule {
	var all []*rule
	for _, id := range slices.Sorted(maps.Keys(g.Rules)) {
		if g.Rules[id].Egress == egress {
			all = append(all, g.Rules[id])
		}
	}
	return all
}

type xmlPermission struct {
	Protocol string          `xml:"ipProtocol"`
	From     *int            `xml:"fromPort"`
	To       *int            `xml:"toPort"`
	Groups   items[xmlPeer]  `xml:"groups"`
	Ranges   items[xmlRange] `xml:"ipRanges"`
	IPv6     items[xmlRange] `xml:"ipv6Ranges"`
	Lists    items[string]   `xml:"prefixListIds"`
}

type xmlPeer struct {
	Owner       string `xml:"userId"`
	Group       string `xml:"groupId"`
	Description string `xml:"description,omitempty"`
}

type xmlRange struct {
	CIDR        string `xml:"cidrIp,omitempty"`
	IPv6        string `xml:"cidrIpv6,omitempty"`
	Description string `xml:"description,omitempty"`
}

type xmlGroup struct {
	Owner       string               `xml:"ownerId"`
	ID          string               `xml:"groupId"`
	ARN         string               `xml:"securityGroupArn"`
	Name        string               `xml:"groupName"`
	Description string               `xml:"groupDescription"`
	VPC         string               `xml:"vpcId"`
	Ingress     items[xmlPermission] `xml:"ipPermissions"`
	Egress      items[xmlPermission] `xml:"ipPermissionsEgress"`
	Tags        *items[xmlTag]       `xml:"tagSet"`
}

func (c *call) xmlGroup(g *group) xmlGroup {
	return xmlGroup{
		c.Account.ID, g.ID, c.arn("security-group", g.ID), g.Name, g.Description, g.VPC, c.xmlPermissions(g.sorted(false)), c.xmlPermissions(g.sorted(true)), xmlTags(g.Tags),
	}
}

// xmlPermissions joins the rules for the same protocol and ports.
func (c *call) xmlPermissions(rules []*rule) items[xmlPermission] {
	var all items[xmlPermission]
	places := map[ruleSpec]int{}
	for _, r := range rules {
		key := ruleSpec{Protocol: r.Protocol, From: r.From, To: r.To}
		at, ok := places[key]
		if !ok {
			at = len(all.Item)
			places[key] = at
			p := xmlPermission{Protocol: r.Protocol}
			if r.hasPorts() {
				p.From, p.To = &r.From, &r.To
			}
			all.Item = append(all.Item, p)
		}
		p := &all.Item[at]
		switch {
		case r.ToGroup != "":
			p.Groups.Item = append(p.Groups.Item, xmlPeer{c.Account.ID, r.ToGroup, r.Description})
		case r.CIDR.Addr().Is4():
			p.Ranges.Item = append(p.Ranges.Item, xmlRange{CIDR: r.CIDR.String(), Description: r.Description})
		default:
			p.IPv6.Item = append(p.IPv6.Item, xmlRange{IPv6: r.CIDR.String(), Description: r.Description})
		}
	}
	return all
}

type createGroupInput struct {
	dryRun
	Name          string             `ec2:"GroupName,required"`
	Description   string             `ec2:"GroupDescription,required"`
	VPC           string             `ec2:"VpcId"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in createGroupInput) check() error {
	switch {
	case in.Name == "" || len(in.Name) > 255:
		return invalid("Value (" + in.Name + ") for parameter GroupName is invalid. Expecting 1 to 255 characters.")
	case strings.HasPrefix(in.Name, "sg-"):
		return invalid("Value (" + in.Name + ") for parameter GroupName is invalid. Group names may not be in the format sg-*.")
	case in.Description == "" || len(in.Description) > 255:
		return invalid("Value (" + in.Description + ") for parameter GroupDescription is invalid. Expecting 1 to 255 characters.")
	}
	return cmp.Or(checkCharacters("GroupName", in.Name), checkCharacters("GroupDescription", in.Description))
}

var charactersPattern = pattern.New(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*$`)

// checkCharacters checks the characters of a name or a description.
func checkCharacters(parameter, text string) error {
	switch {
	case strings.ContainsFunc(text, func(c rune) bool { return c >= utf8.RuneSelf }):
		return invalid("Value (" + text + ") for parameter " + parameter + " is invalid. Character sets beyond ASCII are not supported.")
	case !charactersPattern.MatchString(text):
		return invalid("Value (" + text + ") for parameter " + parameter + " is invalid. Expecting the characters a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	}
	return nil
}

func createGroup(c *call, in createGroupInput) (any, error) {
	if v := c.region.defaultVPC(); in.VPC == "" && v == nil {
		return nil, refuse("VPCIdNotSpecified", "No default VPC for this user.")
	} else if in.VPC == "" {
		in.VPC = v.ID
	}
	v, err := vpcKind().authorized(c, in.VPC, nil)
	if err != nil {
		return nil, err
	}
	made, err := groupKind().create(c, in.Specification, map[string][]string{"ec2:vpc": {c.arn("vpc", v.ID)}})
	if err != nil {
		return nil, err
	}
	if in.Name == "default" {
		return nil, refuse("InvalidGroup.Reserved", "The security group 'default' is reserved")
	}
	for _, g := range c.region.Groups {
		if g.VPC == v.ID && g.Name == in.Name {
			return nil, refuse("InvalidGroup.Duplicate", "The security group '"+in.Name+"' already exists for VPC '"+v.ID+"'")
		}
	}
	if err := boundedHere(len(c.region.Groups), maxGroups, "SecurityGroupLimitExceeded", "security groups of a region"); err != nil {
		return nil, err
	}
	g := &group{base: made, VPC: v.ID, Name: in.Name, Description: in.Description, Rules: map[string]*rule{}}
	out := allowAll(account.NewHexID("sgr-"), g.ID)
	g.Rules[out.ID] = out
	c.region.Groups[g.ID] = g
	response := fields{element("return", true), element("groupId", g.ID), element("securityGroupArn", c.arn("security-group", g.ID))}
	if len(g.Tags) > 0 {
		response = append(response, element("tagSet", xmlTags(g.Tags)))
	}
	return response, nil
}

// A groupName names a group by ID, or one in the default VPC by name.
type groupName struct {
	ID   string `ec2:"GroupId"`
	Name string `ec2:"GroupName"`
}

func (n groupName) id(c *call) (string, error) {
	if n.ID != "" {
		return n.ID, nil
	}
	if n.Name == "" {
		return "", missing("GroupId")
	}
	if v := c.region.defaultVPC(); v != nil {
		for _, g := range c.region.Groups {
			if g.VPC == v.ID && g.Name == n.Name {
				return g.ID, nil
			}
		}
	}
	return "", refuse("InvalidGroup.NotFound", "The security group '"+n.Name+"' does not exist in default VPC")
}

type groupInput struct {
	dryRun
	groupName
}

func deleteGroup(c *call, in groupInput) (any, error) {
	id, err := in.id(c)
	if err != nil {
		return nil, err
	}
	g, err := groupKind().taken(c, id)
	if err != nil {
		return nil, err
	}
	if g.Name == "default" {
		return nil, refuse("CannotDelete", `the specified group: "`+g.ID+`" name: "default" cannot be deleted by a user`)
	}
	for _, other := range c.region.Groups {
		for _, r := range other.Rules {
			if r.ToGroup == g.ID && other != g {
				return nil, refuse("DependencyViolation", "resource "+g.ID+" has a dependent object")
			}
		}
	}
	for _, i := range c.instances() {
		if i.State != "terminated" && slices.Contains(i.Groups, g.ID) {
			return nil, refuse("DependencyViolation", "resource "+g.ID+" has a dependent object")
		}
	}
	delete(c.region.Groups, g.ID)
	return fields{element("return", true), element("groupId", g.ID)}, nil
}

type groupsInput struct {
	listing
	paging
	IDs   []string `ec2:"GroupId"`
	Names []string `ec2:"GroupName"`
}

func describeGroups(c *call, in groupsInput) (any, error) {
	for _, name := range in.Names {
		id, err := groupName{Name: name}.id(c)
		if err != nil {
			return nil, err
		}
		in.IDs = append(in.IDs, id)
	}
	return groupKind().list(c, in.Filter, in.paging, in.IDs)
}

// A permissionInput allows several things for one protocol.
type permissionInput struct {
	IpProtocol       string
	FromPort, ToPort *int
	IpRanges         []struct{ CidrIp, Description string }
	Ipv6Ranges       []struct{ CidrIpv6, Description string }
	Groups           []struct{ GroupId, GroupName, UserId, VpcId, Description string }
}

// A permission is a rule that is asked for.
type permission struct {
	ruleSpec
	description string
}

// protocolNamed returns the name of a protocol, or the number of one without a name.
func protocolNamed(text string) (string, error) {
	name := strings.ToLower(text)
	if known, ok := map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": anyProtocol}[name]; ok {
		name = known
	}
	if n, err := strconv.Atoi(name); err == nil && n >= -1 && n <= 255 || slices.Contains([]string{"tcp", "udp", "icmp", "icmpv6"}, name) {
		return name, nil
	}
	return "", invalid("Invalid value '" + text + "' for IP protocol. Unknown protocol.")
}

// specOf returns a protocol with ports.
func specOf(protocol string, from, to *int) (s ruleSpec, err error) {
	if s.Protocol, err = protocolNamed(protocol); err != nil || !s.hasPorts() {
		return s, err
	}
	if from == nil || to == nil {
		return s, invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
	}
	s.From, s.To = *from, *to
	internet := s.Protocol == "tcp" || s.Protocol == "udp"
	if internet && (s.From < 0 || s.To > 65535 || s.From > s.To) || !internet && (min(s.From, s.To) < -1 || max(s.From, s.To) > 255) {
		return s, invalid(fmt.Sprintf("Invalid value '%d-%d' for portRange.", s.From, s.To))
	}
	return s, nil
}

func blockOf(text string, v4 bool) (netip.Prefix, error) {
	block, err := netip.ParsePrefix(text)
	if err != nil || block.Addr().Is4() != v4 {
		return block, invalid("CIDR block " + text + " is malformed")
	}
	return block.Masked(), nil
}

// permissions returns the rules that a permission asks for.
func (in permissionInput) permissions(c *call, of *group) ([]permission, error) {
	s, err := specOf(in.IpProtocol, in.FromPort, in.ToPort)
	if err != nil {
		return nil, err
	}
	var all []permission
	add := func(description string, change func(*ruleSpec) error) error {
		p := permission{s, description}
		if len(description) > 255 {
			return invalid("Invalid rule description. Expecting at most 255 characters.")
		}
		if err := checkCharacters("Description", description); err != nil {
			return err
		}
		if err := change(&p.ruleSpec); err != nil {
			return err
		}
		all = append(all, p)
		return nil
	}
	for _, r := range in.IpRanges {
		if err := add(r.Description, func(s *ruleSpec) (err error) { s.CIDR, err = blockOf(r.CidrIp, true); return err }); err != nil {
			return nil, err
		}
	}
	for _, r := range in.Ipv6Ranges {
		if err := add(r.Description, func(s *ruleSpec) (err error) { s.CIDR, err = blockOf(r.CidrIpv6, false); return err }); err != nil {
			return nil, err
		}
	}
	for _, g := range in.Groups {
		if err := add(g.Description, func(s *ruleSpec) (err error) {
			s.ToGroup, err = c.peer(groupName{g.GroupId, g.GroupName}, g.UserId, of)
			return err
		}); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, missing("IpPermissions.N.IpRanges, Ipv6Ranges or Groups")
	}
	return all, nil
}

// peer returns the ID of a group that a rule of another names.
func (c *call) peer(name groupName, owner string, of *group) (string, error) {
	if owner != "" && owner != c.Account.ID {
		return "", unsupported("InvalidGroup.NotFound", "The security group '"+cmp.Or(name.ID, name.Name)+"' does not exist: localaws has no groups of account "+owner+".")
	}
	id, err := name.id(c)
	if err != nil {
		return "", err
	}
	g, err := groupKind().find(c, id)
	if err == nil && g.VPC != of.VPC {
		return "", refuse("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
	}
	return id, err
}

type ruleTargetInput struct {
	dryRun
	groupName
	Permissions []permissionInput `ec2:"IpPermissions"`
	// A single permission can be given by these.
	CidrIp, IpProtocol string
	FromPort, ToPort   *int
}

// permissions returns the rules that a call names.
func (in ruleTargetInput) permissions(c *call, of *group) ([]permission, error) {
	asked := in.Permissions
	if in.IpProtocol != "" || in.CidrIp != "" {
		asked = append(asked, permissionInput{
			IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort, IpRanges: []struct{ CidrIp, Description string }{{CidrIp: in.CidrIp}},
		})
	}
	var all []permission
	for _, p := range asked {
		some, err := p.permissions(c, of)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

type authorizeInput struct {
	ruleTargetInput
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in authorizeInput) authorize(c *call, egress bool) (any, error) {
	id, err := in.id(c)
	if err != nil {
		return nil, err
	}
	g, err := groupKind().authorized(c, id, nil)
	if err != nil {
		return nil, err
	}
	tags, err := specified(in.Specification, "security-group-rule")
	if err != nil {
		return nil, err
	}
	own := tags["security-group-rule"]
	var grants []grant
	if len(own) > 0 {
		grants = c.creating("security-group-rule", own, nil)
	}
	if err := c.permit(grants...); err != nil {
		return nil, err
	}
	asked, err := in.permissions(c, g)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		return nil, missing("IpPermissions")
	}
	for n, p := range asked {
		if g.has(p.ruleSpec, egress) != nil || slices.ContainsFunc(asked[:n], func(other permission) bool { return other.ruleSpec == p.ruleSpec }) {
			return nil, refuse("InvalidPermission.Duplicate", `the specified rule "`+p.String()+`" already exists`)
		}
	}
	if len(g.sorted(egress))+len(asked) > maxRules {
		return nil, refuse("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	var added items[any]
	for _, p := range asked {
		r := &rule{base: base{account.NewHexID("sgr-"), maps.Clone(own)}, Group: g.ID, Egress: egress, Description: p.description, ruleSpec: p.ruleSpec}
		g.Rules[r.ID] = r
		added.Item = append(added.Item, c.xmlRule(r))
	}
	return fields{element("return", true), element("securityGroupRuleSet", added)}, nil
}

// has returns the rule that allows the same; nil if there is none.
func (g *group) has(s ruleSpec, egress bool) *rule {
	for _, r := range g.Rules {
		if r.ruleSpec == s && r.Egress == egress {
			return r
		}
	}
	return nil
}

type revokeInput struct {
	ruleTargetInput
	IDs []string `ec2:"SecurityGroupRuleId"`
}

func (in revokeInput) revoke(c *call, egress bool) (any, error) {
	id, err := in.id(c)
	if err != nil {
		return nil, err
	}
	g, err := groupKind().taken(c, id)
	if err != nil {
		return nil, err
	}
	asked, err := in.permissions(c, g)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 && len(in.IDs) == 0 {
		return nil, missing("IpPermissions or SecurityGroupRuleId.N")
	}
	var revoked []*rule
	for _, p := range asked {
		r := g.has(p.ruleSpec, egress)
		if r == nil {
			return nil, refuse("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		revoked = append(revoked, r)
	}
	for _, id := range in.IDs {
		r, ok := g.Rules[id]
		if !ok || r.Egress != egress {
			return nil, refuse("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '"+id+"' does not exist")
		}
		revoked = append(revoked, r)
	}
	var gone items[xmlRevokedRule]
	for _, r := range revoked {
		if g.Rules[r.ID] == nil {
			continue // it was asked for twice
		}
		delete(g.Rules, r.ID)
		x := c.xmlRule(r)
		gone.Item = append(gone.Item, xmlRevokedRule{x.ID, x.Group, x.Egress, x.Protocol, x.From, x.To, x.CIDR, x.IPv6, r.ToGroup, x.Description})
	}
	return fields{element("return", true), element("revokedSecurityGroupRuleSet", gone)}, nil
}

type xmlRevokedRule struct {
	ID          string `xml:"securityGroupRuleId"`
	Group       string `xml:"groupId"`
	Egress      bool   `xml:"isEgress"`
	Protocol    string `xml:"ipProtocol"`
	From        int    `xml:"fromPort"`
	To          int    `xml:"toPort"`
	CIDR        string `xml:"cidrIpv4,omitempty"`
	IPv6        string `xml:"cidrIpv6,omitempty"`
	Peer        string `xml:"referencedGroupId,omitempty"`
	Description string `xml:"description,omitempty"`
}

type rulesInput struct {
	listing
	paging
	IDs []string `ec2:"SecurityGroupRuleId"`
}

func ruleKind() kind[*rule] {
	return kind[*rule]{
		noun: "security-group-rule", prefix: "sgr-", title: "security group rule ID", malformed: "InvalidSecurityGroupRuleId.Malformed",
		absent: "InvalidSecurityGroupRuleId.NotFound", set: "securityGroupRuleSet", xml: func(c *call, r *rule) any { return c.xmlRule(r) },
		of: func(c *call) map[string]*rule {
			all := map[string]*rule{}
			for _, g := range c.region.Groups {
				maps.Copy(all, g.Rules)
			}
			return all
		},
		filters: func(*call) map[string]field[*rule] {
			return map[string]field[*rule]{
				"group-id":               one(func(r *rule) string { return r.Group }),
				"security-group-rule-id": one((*rule).id),
			}
		},
	}
}

type xmlRule struct {
	ID          string         `xml:"securityGroupRuleId"`
	ARN         string         `xml:"securityGroupRuleArn"`
	Group       string         `xml:"groupId"`
	Owner       string         `xml:"groupOwnerId"`
	Egress      bool           `xml:"isEgress"`
	Protocol    string         `xml:"ipProtocol"`
	From        int            `xml:"fromPort"`
	To          int            `xml:"toPort"`
	CIDR        string         `xml:"cidrIpv4,omitempty"`
	IPv6        string         `xml:"cidrIpv6,omitempty"`
	Peer        *xmlReferenced `xml:"referencedGroupInfo"`
	Description string         `xml:"description,omitempty"`
	Tags        *items[xmlTag] `xml:"tagSet"`
}

type xmlReferenced struct {
	Group string `xml:"groupId"`
	Owner string `xml:"userId"`
}

func (c *call) xmlRule(r *rule) xmlRule {
	x := xmlRule{
		ID: r.ID, ARN: c.arn("security-group-rule", r.ID), Group: r.Group, Owner: c.Account.ID, Egress: r.Egress, Protocol: r.Protocol,
		From: r.From, To: r.To, CIDR: r.block(true), IPv6: r.block(false), Description: r.Description, Tags: xmlTags(r.Tags),
	}
	if !r.hasPorts() {
		x.From, x.To = -1, -1
	}
	if r.ToGroup != "" {
		x.Peer = &xmlReferenced{r.ToGroup, c.Account.ID}
	}
	return x
}

type modifyRulesInput struct {
	dryRun
	Group string            `ec2:"GroupId,required"`
	Rules []modifyRuleInput `ec2:"SecurityGroupRule,required"`
}

type modifyRuleInput struct {
	ID   string `ec2:"SecurityGroupRuleId,required"`
	Rule struct {
		IpProtocol, CidrIpv4, CidrIpv6, ReferencedGroupId, Description string
		FromPort, ToPort                                               *int
	} `ec2:"SecurityGroupRule,required"`
}

func modifyRules(c *call, in modifyRulesInput) (any, error) {
	g, err := groupKind().taken(c, in.Group)
	if err != nil {
		return nil, err
	}
	changed := map[*rule]permission{}
	for _, m := range in.Rules {
		r, ok := g.Rules[m.ID]
		if !ok {
			return nil, refuse("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '"+m.ID+"' does not exist")
		}
		asked := permissionInput{IpProtocol: m.Rule.IpProtocol, FromPort: m.Rule.FromPort, ToPort: m.Rule.ToPort}
		if m.Rule.CidrIpv4 != "" {
			asked.IpRanges = []struct{ CidrIp, Description string }{{m.Rule.CidrIpv4, m.Rule.Description}}
		}
		if m.Rule.CidrIpv6 != "" {
			asked.Ipv6Ranges = []struct{ CidrIpv6, Description string }{{m.Rule.CidrIpv6, m.Rule.Description}}
		}
		if m.Rule.ReferencedGroupId != "" {
			asked.Groups = []struct{ GroupId, GroupName, UserId, VpcId, Description string }{{GroupId: m.Rule.ReferencedGroupId, Description: m.Rule.Description}}
		}
		permissions, err := asked.permissions(c, g)
		if err != nil {
			return nil, err
		}
		if len(permissions) != 1 {
			return nil, invalidCombination("A security group rule has one of cidrIpv4, cidrIpv6 and referencedGroupId.")
		}
		if same := g.has(permissions[0].ruleSpec, r.Egress); same != nil && same != r {
			return nil, refuse("InvalidPermission.Duplicate", `the specified rule "`+permissions[0].String()+`" already exists`)
		}
		changed[r] = permissions[0]
	}
	for r, p := range changed {
		r.ruleSpec, r.Description = p.ruleSpec, p.description
	}
	return nil, nil
}
