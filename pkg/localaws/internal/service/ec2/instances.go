package ec2

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
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
	// Region of the instance. Empty means the default region of the account.
	Region string `json:"region"`
	// InstanceProfile is the name of the instance's profile, which holds its
	// role; empty without one. The profile may be created later than the
	// instance.
	InstanceProfile string `json:"instanceProfile,omitempty"`
}

// An instance is an Instance with the state that EC2 keeps for it.
type instance struct {
	Instance
	replayable
	Image       string                  `json:"image"`
	Type        string                  `json:"type"`
	Reservation string                  `json:"reservation"`
	LaunchIndex int                     `json:"launchIndex"`
	Launched    time.Time               `json:"launched"`
	Ended       time.Time               `json:"ended,omitzero"` // when it stopped or was terminated
	Tags        map[string]string       `json:"tags"`
	Metadata    account.MetadataOptions `json:"metadataOptions"`
	// Association is the ID of the association with the instance profile.
	Association string    `json:"association,omitempty"`
	Associated  time.Time `json:"associated,omitzero"`
	Zone        string    `json:"zone,omitempty"` // empty means the first
	KeyName     string    `json:"keyName,omitempty"`
	UserData    string    `json:"userData,omitempty"` // in base64
	Subnet      string    `json:"subnet,omitempty"`
	Groups      []string  `json:"securityGroups,omitempty"`
	// Session is the access key ID of the credentials that its metadata service
	// hands out.
	Session string `json:"session,omitempty"`
	// Monitored and Optimized (for EBS) change nothing.
	Monitored bool `json:"monitoring,omitempty"`
	Optimized bool `json:"ebsOptimized,omitempty"`
}

const (
	// maxInstances bounds the instances that are not terminated, in all regions.
	maxInstances = 200
	// terminatedFor is how long EC2 still lists an instance after its
	// termination.
	terminatedFor = time.Hour
	// maxTerminated bounds the instances that are listed after their termination.
	maxTerminated = 1000

	defaultInstanceType = "m1.small"
	defaultImage        = "ami-00000000000000000"
)

var instanceIDPattern = pattern.New(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)

func (i *instance) id() string                 { return i.ID }
func (i *instance) tagged() *map[string]string { return &i.Tags }

func (i *instance) architecture() string {
	t, _ := typeNamed(i.Type)
	return cmp.Or(t.architecture, "x86_64")
}

func instanceKind() kind[*instance] {
	return kind[*instance]{
		noun: "instance", prefix: "i-", title: "instance ID", malformed: "InvalidInstanceID.Malformed", absent: "InvalidInstanceID.NotFound",
		of: func(c *call) map[string]*instance {
			all := map[string]*instance{}
			for _, i := range c.instances() {
				all[i.ID] = i
			}
			return all
		},
	}
}

func instanceStates() []string {
	return []string{"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}
}

// Check validates configured instances and fills in their default state.
func Check(instances []Instance) error {
	seen := map[string]bool{}
	for i := range instances {
		instance := &instances[i]
		if err := instance.check(); err != nil {
			return err
		}
		if seen[instance.ID] {
			return fmt.Errorf("instance %s is listed twice", instance.ID)
		}
		seen[instance.ID] = true
	}
	return nil
}

func (i *Instance) check() error {
	i.State = cmp.Or(i.State, "running")
	switch {
	case !instanceIDPattern.MatchString(i.ID):
		return fmt.Errorf("instance ID %q: expected i- and 8 or 17 hex digits", i.ID)
	case !slices.Contains(instanceStates(), i.State):
		return fmt.Errorf("instance %s: unknown state %q (supported: %s)", i.ID, i.State, strings.Join(instanceStates(), ", "))
	}
	return nil
}

// check validates an instance that was read, and fills in defaults.
func (i *instance) check() error {
	if i.Tags == nil {
		i.Tags = map[string]string{}
	}
	if i.Zone != "" {
		return firstOf(i.Instance.check(), checkZone(i.Region, i.Zone))
	}
	return i.Instance.check()
}

// add adds instances to the first account, or updates the ones that exist.
func (s *state) add(tx *account.Tx, configured []Instance) {
	if tx.Accounts()[0] != tx.Account {
		return
	}
	for _, given := range configured {
		given.Region = cmp.Or(given.Region, tx.Account.Region)
		i, ok := s.Instances[given.ID]
		if !ok {
			i = &instance{
				Image: defaultImage, Type: defaultInstanceType, Reservation: "r" + strings.TrimPrefix(given.ID, "i"),
				Launched: tx.Time, Tags: map[string]string{}, Metadata: defaultMetadata(),
			}
			s.Instances[given.ID] = i
		}
		i.Instance = given
		i.associate(given.InstanceProfile, tx.Time)
	}
}

// Instances returns all instances in launch order.
func Instances(tx *account.Tx) []Instance {
	var all []Instance
	for _, i := range account.Get[*state](tx).sorted() {
		all = append(all, i.Instance)
	}
	return all
}

var _ account.Instances = (*state)(nil)

// Instance returns the instance with an ID, for the metadata service.
func (s *state) Instance(id string) (account.Instance, bool) {
	i, ok := s.Instances[id]
	if !ok {
		return account.Instance{}, false
	}
	return account.Instance{
		ID: i.ID, State: i.State, Region: i.Region, Zone: i.zone(), Image: i.Image, Type: i.Type, Architecture: i.architecture(),
		Reservation: i.Reservation, LaunchIndex: i.LaunchIndex, Launched: i.Launched, PrivateDNSName: i.PrivateDNSName, PrivateIP: i.PrivateIP,
		Tags: maps.Clone(i.Tags), Profile: i.InstanceProfile, Metadata: i.Metadata, UserData: i.decodedUserData(), Session: i.Session,
	}, true
}

// SetSession keeps the access key ID of an instance's credentials.
func (s *state) SetSession(id, accessKeyID string) {
	if i, ok := s.Instances[id]; ok {
		i.Session = accessKeyID
	}
}

func instanceOperations() []api.Operation {
	return []api.Operation{
		change("RunInstances", runInstances),
		describe("DescribeInstances", describeInstances),
		transition{"StartInstances", "started", []string{"stopped"}, "pending", "running"}.operation(),
		transition{"StopInstances", "stopped", []string{"pending", "running"}, "stopping", "stopped"}.operation(),
		transition{"TerminateInstances", "terminated", instanceStates(), "shutting-down", "terminated"}.operation(),
	}
}

// forgetInstances deletes the instances that were terminated a while ago, and the first of
// those that were terminated if they are too many.
func (c *call) forgetInstances() {
	var listed []*instance
	maps.DeleteFunc(c.state.Instances, func(_ string, i *instance) bool {
		if i.State != "terminated" || i.Ended.IsZero() {
			return false
		}
		listed = append(listed, i)
		return !c.Time.Before(i.Ended.Add(terminatedFor))
	})
	slices.SortFunc(listed, func(a, b *instance) int { return b.Ended.Compare(a.Ended) })
	for _, i := range listed[min(len(listed), maxTerminated):] {
		delete(c.state.Instances, i.ID)
	}
}

// zone returns the availability zone.
func (i *instance) zone() string { return cmp.Or(i.Zone, i.Region+"a") }

// instanceKeys returns the condition keys of an instance.
func (c *call) instanceKeys(i *instance) map[string][]string {
	keys := api.Merged(api.ResourceTags(i.Tags), map[string][]string{
		"ec2:instanceid": {i.ID}, "ec2:instancetype": {i.Type}, "ec2:availabilityzone": {i.zone()},
		"ec2:metadatahttptokens": {i.Metadata.Tokens}, "ec2:metadatahttpendpoint": {i.Metadata.Endpoint},
	})
	for key, value := range i.Tags {
		keys["ec2:resourcetag/"+strings.ToLower(key)] = []string{value}
	}
	if profile, ok := c.Identities().Profile(i.InstanceProfile); ok {
		keys["ec2:instanceprofile"] = []string{profile.ARN}
	}
	return keys
}

// instances returns the instances of the call's region, in launch order.
func (c *call) instances() []*instance {
	return slices.DeleteFunc(c.state.sorted(), func(i *instance) bool { return i.Region != c.Region })
}

func (s *state) sorted() []*instance {
	return slices.SortedFunc(maps.Values(s.Instances), func(a, b *instance) int { return strings.Compare(a.key(), b.key()) })
}

// key returns the key that orders instances by launch.
func (i *instance) key() string {
	return i.Launched.UTC().Format("2006-01-02T15:04:05.000000000") + "/" + i.Reservation + "/" + fmt.Sprintf("%05d", i.LaunchIndex)
}

// checkIDs validates the instance IDs of a call.
func checkIDs(ids []string) error {
	for _, id := range ids {
		if !instanceIDPattern.MatchString(id) {
			return refuse("InvalidInstanceID.Malformed", fmt.Sprintf("Invalid id: %q", id))
		}
	}
	return nil
}

// findInstances returns the region's instances with these IDs.
func (c *call) findInstances(ids []string) ([]*instance, error) {
	var found []*instance
	var absent []string
	for _, id := range ids {
		if i, ok := c.state.Instances[id]; ok && i.Region == c.Region {
			found = append(found, i)
		} else {
			absent = append(absent, id)
		}
	}
	switch len(absent) {
	case 0:
		return found, nil
	case 1:
		return nil, refuse("InvalidInstanceID.NotFound", "The instance ID '"+absent[0]+"' does not exist")
	default:
		return nil, refuse("InvalidInstanceID.NotFound", "The instance IDs '"+strings.Join(absent, ", ")+"' do not exist")
	}
}

// permitted returns the instances with these IDs, once the call is permitted to act on
// each. Keys are the condition keys that do not depend on the instance.
func (c *call) permitted(action string, ids []string, keys map[string][]string) ([]*instance, error) {
	var grants []grant
	for _, id := range ids {
		g := grant{action, c.arn("instance", id), keys}
		if i, ok := c.state.Instances[id]; ok && i.Region == c.Region {
			g.keys = api.Merged(keys, c.instanceKeys(i))
		}
		grants = append(grants, g)
	}
	if err := c.authorize(grants...); err != nil {
		return nil, err
	}
	found, err := c.findInstances(ids)
	if err != nil {
		return nil, err
	}
	return found, c.permit()
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
	PrivateIP    string              `xml:"privateIpAddress,omitempty"`
	PublicIP     string              `xml:"ipAddress,omitempty"`
	Subnet       string              `xml:"subnetId,omitempty"`
	VPC          string              `xml:"vpcId,omitempty"`
	Groups       items[xmlGroupName] `xml:"groupSet"`
	Interfaces   items[xmlInterface] `xml:"networkInterfaceSet"`
	RootType     string              `xml:"rootDeviceType"`
	Root         string              `xml:"rootDeviceName,omitempty"`
	Devices      items[xmlDevice]    `xml:"blockDeviceMapping"`
	Key          string              `xml:"keyName,omitempty"`
	Monitoring   xmlMonitoring       `xml:"monitoring"`
	Virtual      string              `xml:"virtualizationType"`
	Hypervisor   string              `xml:"hypervisor"`
	Check        bool                `xml:"sourceDestCheck"`
	Optimized    bool                `xml:"ebsOptimized"`
	StateReason  *xmlReason          `xml:"stateReason"`
	Architecture string              `xml:"architecture"`
	ClientToken  string              `xml:"clientToken,omitempty"`
	Tags         *items[xmlTag]      `xml:"tagSet"`
	Profile      *xmlProfile         `xml:"iamInstanceProfile"`
	Metadata     xmlMetadataOptions  `xml:"metadataOptions"`
}

type xmlMonitoring struct {
	State string `xml:"state"`
}

type xmlDevice struct {
	Name string `xml:"deviceName"`
	EBS  struct {
		Volume string    `xml:"volumeId"`
		Status string    `xml:"status"`
		Time   timestamp `xml:"attachTime"`
		Delete bool      `xml:"deleteOnTermination"`
	} `xml:"ebs"`
}

func (i *instance) monitoring() string {
	if i.Monitored {
		return "enabled"
	}
	return "disabled"
}

// volumesOf returns the volumes of an instance, by device.
func (c *call) volumesOf(i *instance) []*volume {
	all := slices.DeleteFunc(volumeKind().sorted(c), func(v *volume) bool { return v.Instance != i.ID })
	slices.SortFunc(all, func(a, b *volume) int { return strings.Compare(a.Device, b.Device) })
	return all
}

// rootDevice returns the device of the volume that an instance starts from.
func (i *instance) rootDevice() string {
	found, _ := image.Find(i.Region, i.Image)
	return found.RootDevice
}

func (c *call) xmlInstance(i *instance) xmlInstance {
	x := xmlInstance{
		InstanceID: i.ID, ImageID: i.Image, State: stateOf(i.State), PrivateDNSName: i.PrivateDNSName, LaunchIndex: i.LaunchIndex,
		Type: i.Type, Launched: timestamp(i.Launched), Architecture: i.architecture(), ClientToken: i.Token, Tags: xmlTags(i.Tags),
		Profile: c.xmlProfile(i.InstanceProfile), Metadata: xmlMetadata(i.Metadata),
	}
	x.Placement.Zone, x.Placement.Tenancy = i.zone(), "default"
	x.Subnet, x.VPC, x.Groups, x.Check = i.Subnet, c.vpcOf(i), c.xmlGroupNames(i.Groups), true
	x.RootType, x.Root, x.Key, x.Virtual, x.Hypervisor, x.Monitoring.State = "ebs", i.rootDevice(), i.KeyName, "hvm", "xen", i.monitoring()
	x.Optimized = i.Optimized
	if i.Subnet != "" && i.State != "terminated" {
		x.Interfaces.Item = []xmlInterface{c.xmlInterface(i)}
	}
	if a := c.addressOf(i.interfaceID()); a != nil {
		x.PublicIP, x.DNSName = a.IP.String(), c.publicName(a)
	}
	for _, v := range c.volumesOf(i) {
		d := xmlDevice{Name: v.Device}
		d.EBS.Volume, d.EBS.Status, d.EBS.Time, d.EBS.Delete = v.ID, "attached", timestamp(v.Created), v.DeleteOnTermination
		x.Devices.Item = append(x.Devices.Item, d)
	}
	if i.PrivateIP.IsValid() {
		x.PrivateIP = i.PrivateIP.String()
	}
	if !i.Ended.IsZero() {
		x.Reason = "User initiated (" + i.Ended.UTC().Format("2006-01-02 15:04:05") + " GMT)"
		x.StateReason = &xmlReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
	}
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
	return fields{element("reservationId", of[0].Reservation), element("ownerId", c.Account.ID), element("groupSet", struct{}{}), element("instancesSet", instances)}
}

type instancesInput struct {
	listing
	paging
	IDs []string `ec2:"InstanceId"`
}

func (in instancesInput) check() error {
	if len(in.IDs) > 0 && in.MaxResults != nil {
		return invalidCombination("The parameter instancesSet cannot be used with the parameter maxResults")
	}
	return checkIDs(in.IDs)
}

func describeInstances(c *call, in instancesInput) (any, error) {
	found := c.instances()
	if len(in.IDs) > 0 {
		if _, err := c.findInstances(in.IDs); err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(i *instance) bool { return !slices.Contains(in.IDs, i.ID) })
	}
	found, err := filtered(in.Filter, found, c.instanceFilters(), func(i *instance) map[string]string { return i.Tags })
	if err != nil {
		return nil, err
	}
	found, next, err := pageOf(in.paging, found, (*instance).key)
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

func (c *call) instanceFilters() map[string]field[*instance] {
	groups := func(i *instance) []string { return i.Groups }
	groupNames := func(i *instance) (names []string) {
		for _, id := range i.Groups {
			names = append(names, c.nameOf(id))
		}
		return names
	}
	volumes := func(value func(*volume) string) field[*instance] { return each(c.volumesOf, value) }
	interfaces := func(value func(*instance) string) field[*instance] {
		return func(i *instance) []string {
			if i.Subnet == "" || i.State == "terminated" {
				return nil
			}
			return []string{value(i)}
		}
	}
	public := func(value func(*address) string) field[*instance] {
		return func(i *instance) []string {
			if a := c.addressOf(i.interfaceID()); a != nil {
				return []string{value(a)}
			}
			return nil
		}
	}
	of := always[*instance]
	return map[string]field[*instance]{
		"dns-name":   public(c.publicName),
		"ip-address": public(func(a *address) string { return a.IP.String() }),
		"network-interface.association.allocation-id":   public((*address).id),
		"network-interface.association.association-id":  public(func(a *address) string { return a.Association }),
		"network-interface.association.ip-owner-id":     public(func(*address) string { return c.Account.ID }),
		"network-interface.association.public-dns-name": public(c.publicName),
		"network-interface.association.public-ip":       public(func(a *address) string { return a.IP.String() }),
		"architecture": one((*instance).architecture),
		"block-device-mapping.delete-on-termination": volumes(func(v *volume) string { return strconv.FormatBool(v.DeleteOnTermination) }),
		"block-device-mapping.device-name":           volumes(func(v *volume) string { return v.Device }),
		"block-device-mapping.status":                volumes(func(*volume) string { return "attached" }),
		"block-device-mapping.volume-id":             volumes((*volume).id),
		"group-id":                                   groups,
		"group-name":                                 groupNames,
		"hypervisor":                                 of("xen"),
		"instance.group-id":                          groups,
		"instance.group-name":                        groupNames,
		"instance-lifecycle":                         func(*instance) []string { return nil },
		"key-name":                                   one(func(i *instance) string { return i.KeyName }),
		"launch-index":                               one(func(i *instance) string { return strconv.Itoa(i.LaunchIndex) }),
		"launch-time":                                one(func(i *instance) string { return i.Launched.UTC().Format("2006-01-02T15:04:05.000Z") }),
		"metadata-options.http-endpoint":             one(func(i *instance) string { return i.Metadata.Endpoint }),
		"metadata-options.http-tokens":               one(func(i *instance) string { return i.Metadata.Tokens }),
		"monitoring-state":                           one((*instance).monitoring),
		"network-interface.group-id":                 groups,
		"network-interface.network-interface-id":     interfaces((*instance).interfaceID),
		"network-interface.subnet-id":                interfaces(func(i *instance) string { return i.Subnet }),
		"network-interface.vpc-id":                   interfaces(c.vpcOf),
		"owner-id":                                   of(c.Account.ID),
		"platform":                                   func(*instance) []string { return nil },
		"root-device-name":                           one((*instance).rootDevice),
		"root-device-type":                           of("ebs"),
		"source-dest-check":                          of("true"),
		"subnet-id":                                  one(func(i *instance) string { return i.Subnet }),
		"tenancy":                                    of("default"),
		"virtualization-type":                        of("hvm"),
		"vpc-id":                                     one(c.vpcOf),
		"availability-zone":                          one((*instance).zone),
		"client-token":                               one(func(i *instance) string { return i.Token }),
		"iam-instance-profile.arn": func(i *instance) []string {
			if profile, ok := c.Identities().Profile(i.InstanceProfile); ok {
				return []string{profile.ARN}
			}
			return nil
		},
		"image-id":            one(func(i *instance) string { return i.Image }),
		"instance-id":         one(func(i *instance) string { return i.ID }),
		"instance-state-code": one(func(i *instance) string { return strconv.Itoa(stateOf(i.State).Code) }),
		"instance-state-name": one(func(i *instance) string { return i.State }),
		"instance-type":       one(func(i *instance) string { return i.Type }),
		"private-dns-name":    one(func(i *instance) string { return i.PrivateDNSName }),
		"private-ip-address":  one(func(i *instance) string { return i.PrivateIP.String() }),
		"reservation-id":      one(func(i *instance) string { return i.Reservation }),
	}
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

type transitionInput struct {
	dryRun
	IDs []string `ec2:"InstanceId,required"`
}

func (in transitionInput) check() error { return checkIDs(in.IDs) }

func (t transition) operation() api.Operation { return change(t.action, t.run) }

func (t transition) run(c *call, in transitionInput) (any, error) {
	found, err := c.permitted(t.action, in.IDs, nil)
	if err != nil {
		return nil, err
	}
	for _, i := range found {
		if i.State != t.to && i.State != t.via && !slices.Contains(t.from, i.State) {
			return nil, refuse("IncorrectInstanceState", "The instance '"+i.ID+"' is not in a state from which it can be "+t.done+".")
		}
	}
	var changes items[xmlStateChange]
	for _, i := range found {
		change := xmlStateChange{i.ID, stateOf(i.State), stateOf(i.State)}
		if i.State != t.to {
			change.Current = stateOf(t.via)
			i.enter(t.to, c.Time)
			c.release(i)
		}
		changes.Item = append(changes.Item, change)
	}
	return fields{element("instancesSet", changes)}, nil
}

// release disassociates the Elastic IP address of a terminated instance, deletes its
// volumes, and detaches those that stay.
func (c *call) release(i *instance) {
	if i.State == "terminated" {
		c.disassociate(i.interfaceID())
	}
	for id, v := range c.region.Volumes {
		switch {
		case i.State != "terminated" || v.Instance != i.ID:
		case v.DeleteOnTermination:
			delete(c.region.Volumes, id)
		default:
			v.Instance, v.Device = "", ""
		}
	}
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
