package localaws

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// Instance is an EC2 instance.
type Instance struct {
	// ID is i- and 8 or 17 hex digits.
	ID string `json:"id"`
	// PrivateDNSName, such as ip-10-0-1-23.eu-west-2.compute.internal. It may be
	// empty while the instance is pending or terminated.
	PrivateDNSName string `json:"privateDNSName,omitempty"`
	// PrivateIP is optional.
	PrivateIP netip.Addr `json:"privateIP,omitzero"`
	// State is pending, running, shutting-down, terminated, stopping or stopped.
	// Empty means running.
	State string `json:"state"`
	// Region of the instance. Empty means the region of the [AWS].
	Region string `json:"region"`
	// InstanceProfile is the name of the instance's profile, which holds its
	// role; empty without one. The profile may be created later than the
	// instance.
	InstanceProfile string `json:"instanceProfile,omitempty"`
}

// An instance is an Instance with the state that EC2 keeps for it.
type instance struct {
	Instance
	Image       string            `json:"image"`
	Type        string            `json:"type"`
	Reservation string            `json:"reservation"`
	LaunchIndex int               `json:"launchIndex"`
	Launched    time.Time         `json:"launched"`
	Ended       time.Time         `json:"ended,omitzero"` // when it stopped or was terminated
	Tags        map[string]string `json:"tags"`
	Metadata    metadataOptions   `json:"metadataOptions"`
	// Association is the ID of the association with the instance profile.
	Association string    `json:"association,omitempty"`
	Associated  time.Time `json:"associated,omitzero"`
	// Token is the client token that makes a launch idempotent, Request the
	// digest of its parameters.
	Token   string `json:"clientToken,omitempty"`
	Request string `json:"request,omitempty"`
	// Session is the access key ID of the credentials that its metadata service
	// hands out.
	Session string `json:"session,omitempty"`
}

const (
	// maxInstances bounds the instances that are not terminated, in all regions.
	maxInstances = 200
	// terminatedFor is how long EC2 still lists an instance after its
	// termination.
	terminatedFor = time.Hour

	defaultInstanceType = "m1.small"
	defaultImage        = "ami-00000000000000000"
)

var (
	instanceIDPattern   = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)
	imageIDPattern      = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	instanceTypePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
)

func instanceStates() []string {
	return []string{"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}
}

// checkInstances validates instances and fills in their default state.
func checkInstances(instances []Instance) error {
	seen := map[string]bool{}
	for i := range instances {
		instance := &instances[i]
		if instance.State == "" {
			instance.State = "running"
		}
		switch {
		case !instanceIDPattern.MatchString(instance.ID):
			return fmt.Errorf("instance ID %q: expected i- and 8 or 17 hex digits", instance.ID)
		case seen[instance.ID]:
			return fmt.Errorf("instance %s is listed twice", instance.ID)
		case !slices.Contains(instanceStates(), instance.State):
			return fmt.Errorf("instance %s: unknown state %q (supported: %s)", instance.ID, instance.State, strings.Join(instanceStates(), ", "))
		}
		seen[instance.ID] = true
	}
	return nil
}

// addInstances adds instances, or updates the ones that exist.
func (a *AWS) addInstances(given []Instance) {
	for _, g := range given {
		g.Region = cmp.Or(g.Region, a.region)
		i, ok := a.state.Instances[g.ID]
		if !ok {
			i = &instance{
				Image: defaultImage, Type: defaultInstanceType, Reservation: "r" + strings.TrimPrefix(g.ID, "i"),
				Launched: a.now().UTC(), Tags: map[string]string{}, Metadata: defaultMetadataOptions(),
			}
			a.state.Instances[g.ID] = i
		}
		i.Instance = g
		i.associate(g.InstanceProfile, a.now())
	}
}

func instanceOperations() map[string]operation {
	return map[string]operation{
		"RunInstances": change(runInstances,
			"ImageId", "InstanceType", "MinCount", "MaxCount", "PrivateIpAddress", "ClientToken",
			"IamInstanceProfile.Arn", "IamInstanceProfile.Name",
			"MetadataOptions.HttpTokens", "MetadataOptions.HttpEndpoint", "MetadataOptions.InstanceMetadataTags",
			"TagSpecification.N.ResourceType", "TagSpecification.N.Tag.N.Key", "TagSpecification.N.Tag.N.Value"),
		"DescribeInstances":  describe(describeInstances, slices.Concat(filterParameters(), pageParameters(), []string{"InstanceId.N"})...),
		"StartInstances":     change(transition{"StartInstances", "started", []string{"stopped"}, "pending", "running"}.run, "InstanceId.N"),
		"StopInstances":      change(transition{"StopInstances", "stopped", []string{"pending", "running"}, "stopping", "stopped"}.run, "InstanceId.N"),
		"TerminateInstances": change(transition{"TerminateInstances", "terminated", instanceStates(), "shutting-down", "terminated"}.run, "InstanceId.N"),
	}
}

// forgetInstances deletes the instances that were terminated a while ago.
func (c *call) forgetInstances() {
	maps.DeleteFunc(c.state.Instances, func(_ string, i *instance) bool {
		return i.State == "terminated" && !i.Ended.IsZero() && !c.time.Before(i.Ended.Add(terminatedFor))
	})
}

// zone returns the availability zone: a region here has only one.
func (i *instance) zone() string { return i.Region + "a" }

// instanceKeys returns the condition keys of an instance.
func (c *call) instanceKeys(i *instance) map[string][]string {
	keys := merged(resourceTags(i.Tags), map[string][]string{
		"ec2:instanceid": {i.ID}, "ec2:instancetype": {i.Type}, "ec2:region": {i.Region}, "ec2:availabilityzone": {i.zone()},
		"ec2:metadatahttptokens": {i.Metadata.Tokens}, "ec2:metadatahttpendpoint": {i.Metadata.Endpoint},
	})
	for key, value := range i.Tags {
		keys["ec2:resourcetag/"+lower(key)] = []string{value}
	}
	if profile, ok := c.tx.Identities().Profile(i.InstanceProfile); ok {
		keys["ec2:instanceprofile"] = []string{profile.ARN}
	}
	return keys
}

// instances returns the instances of the call's region, in launch order.
func (c *call) instances() []*instance {
	return slices.DeleteFunc(sortedInstances(c.state.Instances), func(i *instance) bool { return i.Region != c.region })
}

func sortedInstances(of map[string]*instance) []*instance {
	return slices.SortedFunc(maps.Values(of), func(a, b *instance) int { return strings.Compare(a.key(), b.key()) })
}

// key returns the key that orders instances by launch.
func (i *instance) key() string {
	return i.Launched.UTC().Format("2006-01-02T15:04:05.000000000") + "/" + i.Reservation + "/" + fmt.Sprintf("%05d", i.LaunchIndex)
}

// checkIDs validates the instance IDs of a call.
func checkIDs(ids []string) *Error {
	for _, id := range ids {
		if !instanceIDPattern.MatchString(id) {
			return newError(http.StatusBadRequest, "InvalidInstanceID.Malformed", fmt.Sprintf("Invalid id: %q", id))
		}
	}
	return nil
}

// findInstances returns the region's instances with these IDs.
func (c *call) findInstances(ids []string) ([]*instance, *Error) {
	var found []*instance
	var missing []string
	for _, id := range ids {
		if i, ok := c.state.Instances[id]; ok && i.Region == c.region {
			found = append(found, i)
		} else {
			missing = append(missing, id)
		}
	}
	switch len(missing) {
	case 0:
		return found, nil
	case 1:
		return nil, newError(http.StatusBadRequest, "InvalidInstanceID.NotFound", "The instance ID '"+missing[0]+"' does not exist")
	default:
		return nil, newError(http.StatusBadRequest, "InvalidInstanceID.NotFound", "The instance IDs '"+strings.Join(missing, ", ")+"' do not exist")
	}
}

// permitted returns the instances with these IDs, once the call is permitted to
// act on each. Keys are the condition keys that do not depend on the instance.
func (p *parameters) permitted(action string, ids []string, keys map[string][]string) ([]*instance, *Error) {
	if err := checkIDs(ids); err != nil {
		return nil, err
	}
	for _, id := range ids {
		g := grant{action, p.arn("ec2", p.region, "instance/"+id), keys}
		if i, ok := p.state.Instances[id]; ok && i.Region == p.region {
			g.keys = merged(keys, p.instanceKeys(i))
		}
		if err := p.permit(g); err != nil {
			return nil, err
		}
	}
	found, err := p.findInstances(ids)
	if err != nil {
		return nil, err
	}
	return found, p.dryRun()
}

// A launch holds the parameters of RunInstances.
type launch struct {
	instance
	profile  *account.Profile
	min, max int
}

// launch reads and checks the parameters of RunInstances.
func (p *parameters) launch() (l launch, e *Error) {
	l.instance = instance{
		Instance: Instance{State: "pending", Region: p.region}, Image: p.get("ImageId"), Type: cmp.Or(p.get("InstanceType"), defaultInstanceType),
		Reservation: account.NewHexID("r-"), Launched: p.time, Token: p.get("ClientToken"), Request: p.digest(),
	}
	switch {
	case l.Image == "":
		return l, missingParameter("ImageId")
	case !imageIDPattern.MatchString(l.Image):
		return l, newError(http.StatusBadRequest, "InvalidAMIID.Malformed", fmt.Sprintf("Invalid id: %q (expecting \"ami-...\")", l.Image))
	case !instanceTypePattern.MatchString(l.Type):
		return l, invalidEC2("Invalid value '" + l.Type + "' for InstanceType.")
	case len(l.Token) > 64:
		return l, invalidEC2("The value for parameter clientToken has more than 64 characters.")
	}
	if l.min, e = p.count("MinCount"); e != nil {
		return l, e
	}
	if l.max, e = p.count("MaxCount"); e != nil {
		return l, e
	}
	if l.min > l.max {
		return l, invalidEC2(fmt.Sprintf("Value (%d) for parameter minCount is invalid. It is more than maxCount (%d).", l.min, l.max))
	}
	if l.PrivateIP, e = p.privateIP(); e != nil {
		return l, e
	}
	if l.PrivateIP.IsValid() && l.max > 1 {
		return l, newError(http.StatusBadRequest, "InvalidParameterCombination", "A private IP address can be given to one instance only.")
	}
	if l.profile, e = p.namedProfile(); e != nil {
		return l, e
	}
	if l.profile != nil {
		l.InstanceProfile = l.profile.Name
	}
	if l.Metadata, e = p.metadataOptions(); e != nil {
		return l, e
	}
	l.Tags, e = p.tagSpecification()
	return l, e
}

func (p *parameters) count(name string) (int, *Error) {
	if !p.has(name) {
		return 0, missingParameter(name)
	}
	n, err := strconv.ParseInt(p.get(name), 10, 32)
	if err != nil || n < 1 {
		return 0, invalidEC2("Invalid value '" + p.get(name) + "' for " + name + ". It must be a number of at least 1, and of 32 bits.")
	}
	return int(n), nil
}

// digest returns a hash of the parameters of a call.
func (p *parameters) digest() string {
	asked := url.Values{}
	for name, values := range p.Form {
		if !strings.HasPrefix(name, "X-Amz-") && name != "DryRun" {
			asked[name] = values
		}
	}
	sum := sha256.Sum256([]byte(asked.Encode()))
	return hex.EncodeToString(sum[:])
}

// privateIP returns the address that a call asks for; the zero value for none.
func (p *parameters) privateIP() (netip.Addr, *Error) {
	text := p.get("PrivateIpAddress")
	if text == "" {
		return netip.Addr{}, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() || !address.IsPrivate() {
		return netip.Addr{}, invalidEC2("Value (" + text + ") for parameter privateIpAddress is invalid. Expecting a private IPv4 address.")
	}
	if p.usedAddresses()[address] {
		return netip.Addr{}, newError(http.StatusBadRequest, "InvalidIPAddress.InUse", "Address "+text+" is in use.")
	}
	return address, nil
}

// usedAddresses returns the addresses in use in the region.
func (c *call) usedAddresses() map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, i := range c.instances() {
		used[i.PrivateIP] = true
	}
	return used
}

// freeAddress returns the first free address of 10.0.0.0/16. AWS reserves the
// first four.
func freeAddress(used map[netip.Addr]bool) netip.Addr {
	address := netip.AddrFrom4([4]byte{10, 0, 0, 4})
	for used[address] {
		address = address.Next()
	}
	return address
}

// privateDNSName returns the name that AWS gives to an address.
func privateDNSName(address netip.Addr, region string) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(address.String(), ".", "-") + "." + domain
}

// grants returns the permissions that a launch needs for all that it makes or
// uses.
func (c *call) grants(l *launch) []grant {
	tags := requestTags(l.Tags)
	ofInstance := c.instanceKeys(&l.instance)
	maps.DeleteFunc(ofInstance, func(key string, _ []string) bool {
		return strings.Contains(key, "resourcetag/") || key == "ec2:instanceid"
	})
	all := c.arn("ec2", c.region, "instance/*")
	grants := []grant{
		{"RunInstances", all, merged(ofInstance, tags)},
		{"RunInstances", "arn:" + c.partition + ":ec2:" + c.region + "::image/" + l.Image, nil},
	}
	for _, kind := range []string{"network-interface", "security-group", "subnet", "volume"} {
		grants = append(grants, grant{"RunInstances", c.arn("ec2", c.region, kind+"/*"), nil})
	}
	if len(l.Tags) > 0 {
		grants = append(grants, grant{"CreateTags", all, merged(tags, map[string][]string{"ec2:createaction": {"RunInstances"}})})
	}
	return grants
}

func runInstances(c *call, p *parameters) (any, *Error) {
	l, err := p.launch()
	if err != nil {
		return nil, err
	}
	if err := c.permit(c.grants(&l)...); err != nil {
		return nil, err
	}
	if l.profile != nil {
		if err := c.mayPassProfile(l.profile); err != nil {
			return nil, err
		}
	}
	if err := p.dryRun(); err != nil {
		return nil, err
	}
	if done, err := c.launchedBefore(&l); len(done) > 0 || err != nil {
		return c.reservation(done), err
	}
	living := 0
	for _, i := range c.state.Instances {
		if i.State != "terminated" {
			living++
		}
	}
	if living+l.min > maxInstances {
		return nil, newError(http.StatusBadRequest, "InstanceLimitExceeded", fmt.Sprintf("You have requested more instances (%d) than your current instance limit of %d allows.", living+l.min, maxInstances))
	}
	used := c.usedAddresses()
	var launched []*instance
	for index := range min(l.max, maxInstances-living) {
		i := l.instance
		i.ID, i.LaunchIndex, i.Tags = account.NewHexID("i-"), index, maps.Clone(l.Tags)
		if !i.PrivateIP.IsValid() {
			i.PrivateIP = freeAddress(used)
		}
		used[i.PrivateIP] = true
		i.PrivateDNSName = privateDNSName(i.PrivateIP, i.Region)
		i.associate(l.InstanceProfile, c.time)
		c.state.Instances[i.ID] = &i
		launched = append(launched, &i)
	}
	response := c.reservation(launched)
	for _, i := range launched { // at once, though clients expect to see it pending first
		i.State = "running"
	}
	return response, nil
}

// launchedBefore returns the instances that an earlier copy of the request
// launched.
func (c *call) launchedBefore(l *launch) ([]*instance, *Error) {
	if l.Token == "" {
		return nil, nil
	}
	var found []*instance
	for _, i := range c.instances() {
		if i.Token != l.Token {
			continue
		}
		if i.Request != l.Request {
			return nil, newError(http.StatusBadRequest, "IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
		}
		found = append(found, i)
	}
	return found, nil
}

type xmlState struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

func stateOf(name string) xmlState {
	return xmlState{[]int{0, 16, 32, 48, 64, 80}[slices.Index(instanceStates(), name)], name}
}

type xmlReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

type xmlTag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

type xmlProfile struct {
	ARN string `xml:"arn"`
	ID  string `xml:"id"`
}

type xmlInstance struct {
	InstanceID     string    `xml:"instanceId"`
	ImageID        string    `xml:"imageId"`
	State          xmlState  `xml:"instanceState"`
	PrivateDNSName string    `xml:"privateDnsName"`
	DNSName        string    `xml:"dnsName"`
	Reason         string    `xml:"reason"`
	LaunchIndex    int       `xml:"amiLaunchIndex"`
	Type           string    `xml:"instanceType"`
	Launched       timestamp `xml:"launchTime"`
	Placement      struct {
		Zone    string `xml:"availabilityZone"`
		Tenancy string `xml:"tenancy"`
	} `xml:"placement"`
	PrivateIP    string             `xml:"privateIpAddress,omitempty"`
	StateReason  *xmlReason         `xml:"stateReason"`
	Architecture string             `xml:"architecture"`
	ClientToken  string             `xml:"clientToken,omitempty"`
	Tags         *items[xmlTag]     `xml:"tagSet"`
	Profile      *xmlProfile        `xml:"iamInstanceProfile"`
	Metadata     xmlMetadataOptions `xml:"metadataOptions"`
}

func (c *call) xmlInstance(i *instance) xmlInstance {
	x := xmlInstance{
		InstanceID: i.ID, ImageID: i.Image, State: stateOf(i.State), PrivateDNSName: i.PrivateDNSName, LaunchIndex: i.LaunchIndex,
		Type: i.Type, Launched: timestamp(i.Launched), Architecture: architecture, ClientToken: i.Token, Metadata: xmlOf(i.Metadata),
	}
	x.Placement.Zone, x.Placement.Tenancy = i.zone(), "default"
	if i.PrivateIP.IsValid() {
		x.PrivateIP = i.PrivateIP.String()
	}
	if !i.Ended.IsZero() {
		x.Reason = "User initiated (" + i.Ended.UTC().Format("2006-01-02 15:04:05") + " GMT)"
		x.StateReason = &xmlReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
	}
	if len(i.Tags) > 0 {
		x.Tags = &items[xmlTag]{}
		for _, key := range slices.Sorted(maps.Keys(i.Tags)) {
			x.Tags.Item = append(x.Tags.Item, xmlTag{key, i.Tags[key]})
		}
	}
	x.Profile = c.xmlProfile(i.InstanceProfile)
	return x
}

// reservation lists instances that were launched together.
func (c *call) reservation(of []*instance) fields {
	if len(of) == 0 {
		return nil
	}
	var instances items[xmlInstance]
	for _, i := range of {
		instances.Item = append(instances.Item, c.xmlInstance(i))
	}
	return fields{element("reservationId", of[0].Reservation), element("ownerId", c.accountID), element("groupSet", struct{}{}), element("instancesSet", instances)}
}

func describeInstances(c *call, p *parameters) (any, *Error) {
	found := c.instances()
	if ids := p.list("InstanceId", ""); len(ids) > 0 {
		if p.has("MaxResults") {
			return nil, newError(http.StatusBadRequest, "InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
		}
		if err := checkIDs(ids); err != nil {
			return nil, err
		}
		if _, err := c.findInstances(ids); err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(i *instance) bool { return !slices.Contains(ids, i.ID) })
	}
	found, err := filtered(p, found, c.instanceFilter)
	if err != nil {
		return nil, err
	}
	found, next, err := ec2Page(p, found, (*instance).key)
	if err != nil {
		return nil, err
	}
	var reservations items[fields]
	for start, i := range found {
		if start > 0 && found[start-1].Reservation == i.Reservation {
			continue
		}
		end := start + 1
		for end < len(found) && found[end].Reservation == i.Reservation {
			end++
		}
		reservations.Item = append(reservations.Item, c.reservation(found[start:end]))
	}
	return withNext(fields{element("reservationSet", reservations)}, next), nil
}

// withNext adds the token of the next page, if there is one.
func withNext(response fields, next string) fields {
	if next == "" {
		return response
	}
	return append(response, element("nextToken", next))
}

// instanceFilter returns the function that reads the values that a filter
// compares.
func (c *call) instanceFilter(name string) func(*instance) []string {
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		return func(i *instance) []string {
			if value, ok := i.Tags[key]; ok {
				return []string{value}
			}
			return nil
		}
	}
	one := func(of func(*instance) string) func(*instance) []string {
		return func(i *instance) []string { return []string{of(i)} }
	}
	switch name {
	case "availability-zone":
		return one((*instance).zone)
	case "client-token":
		return one(func(i *instance) string { return i.Token })
	case "iam-instance-profile.arn":
		return func(i *instance) []string {
			if profile, ok := c.tx.Identities().Profile(i.InstanceProfile); ok {
				return []string{profile.ARN}
			}
			return nil
		}
	case "image-id":
		return one(func(i *instance) string { return i.Image })
	case "instance-id":
		return one(func(i *instance) string { return i.ID })
	case "instance-state-code":
		return one(func(i *instance) string { return strconv.Itoa(stateOf(i.State).Code) })
	case "instance-state-name":
		return one(func(i *instance) string { return i.State })
	case "instance-type":
		return one(func(i *instance) string { return i.Type })
	case "private-dns-name":
		return one(func(i *instance) string { return i.PrivateDNSName })
	case "private-ip-address":
		return one(func(i *instance) string { return i.PrivateIP.String() })
	case "reservation-id":
		return one(func(i *instance) string { return i.Reservation })
	case "tag-key":
		return func(i *instance) []string { return slices.Collect(maps.Keys(i.Tags)) }
	}
	return nil
}

// A transition takes instances from a state to another. It is immediate, but the
// response shows the state in between, as AWS's does.
type transition struct {
	action, done string
	from         []string
	via, to      string
}

type xmlStateChange struct {
	InstanceID string   `xml:"instanceId"`
	Current    xmlState `xml:"currentState"`
	Previous   xmlState `xml:"previousState"`
}

func (t transition) run(c *call, p *parameters) (any, *Error) {
	ids := p.list("InstanceId", "")
	if len(ids) == 0 {
		return nil, missingParameter("InstanceId")
	}
	found, err := p.permitted(t.action, ids, nil)
	if err != nil {
		return nil, err
	}
	for _, i := range found {
		if i.State != t.to && i.State != t.via && !slices.Contains(t.from, i.State) {
			return nil, newError(http.StatusBadRequest, "IncorrectInstanceState", "The instance '"+i.ID+"' is not in a state from which it can be "+t.done+".")
		}
	}
	var changes items[xmlStateChange]
	for _, i := range found {
		change := xmlStateChange{i.ID, stateOf(i.State), stateOf(i.State)}
		if i.State != t.to {
			change.Current = stateOf(t.via)
			i.enter(t.to, c.time)
		}
		changes.Item = append(changes.Item, change)
	}
	return fields{element("instancesSet", changes)}, nil
}

// enter moves the instance to a state.
func (i *instance) enter(state string, now time.Time) {
	i.State, i.Ended = state, now
	switch state {
	case "running":
		i.Launched, i.Ended = now, time.Time{}
	case "terminated":
		i.PrivateDNSName, i.PrivateIP = "", netip.Addr{}
		i.associate("", now)
	}
}
