package ec2

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

var imageIDPattern = pattern.New(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// maxInstanceGroups bounds the security groups of an instance.
const maxInstanceGroups = 5

// launchInput is the input of RunInstances.
type launchInput struct {
	dryRun
	launchData
	Min       int    `ec2:"MinCount,required"`
	Max       int    `ec2:"MaxCount,required"`
	Subnet    string `ec2:"SubnetId"`
	PrivateIP string `ec2:"PrivateIpAddress"`
	Token     string `ec2:"ClientToken"`
	Template  *struct {
		templateName
		Version string
	} `ec2:"LaunchTemplate"`
}

func (in launchInput) check() error {
	switch {
	case in.ImageID == "" && in.Template == nil:
		return missing("ImageId")
	case in.Min < 1:
		return invalid(fmt.Sprintf("Invalid value '%d' for MinCount. It must be at least 1.", in.Min))
	case in.Min > in.Max:
		return invalid(fmt.Sprintf("Value (%d) for parameter minCount is invalid. It is more than maxCount (%d).", in.Min, in.Max))
	}
	return cmp.Or(checkToken(in.Token), in.launchData.check())
}

// A launch is what RunInstances launches.
type launch struct {
	instance
	grants  []grant
	profile *account.Profile
	image   image.Image
	subnet  *subnet
	volumes []volume
}

// launch reads and checks the parameters of RunInstances.
func (c *call) launch(in launchInput) (l launch, err error) {
	data := in.launchData
	if in.Template != nil {
		t, v, err := c.templateVersion(in.Template.templateName, in.Template.Version)
		if err != nil {
			return l, err
		}
		data = data.over(v.Data)
		l.grants = append(l.grants, grant{"RunInstances", c.arn("launch-template", t.ID), c.keysOf(t)})
	}
	if len(data.Interfaces) == 1 { // as if its parameters were the instance's
		with := data.Interfaces[0]
		if in.Subnet != "" || in.PrivateIP != "" || len(in.Groups)+len(in.GroupNames) > 0 {
			return l, invalidCombination("Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request")
		}
		in.Subnet, in.PrivateIP = with.Subnet, with.PrivateIP
		if len(with.Groups) > 0 {
			data.Groups, data.GroupNames = with.Groups, nil
		}
	}
	if err := data.launchable(); err != nil {
		return l, err
	}
	l.instance = instance{
		Instance: Instance{State: "pending", Region: c.Region}, Type: cmp.Or(data.Type, defaultInstanceType), Reservation: account.NewHexID("r-"),
		Launched: c.Time, replayable: c.replayable(in.Token), KeyName: data.KeyName, UserData: data.UserData,
		Monitored: data.Monitoring != nil && is(data.Monitoring.Enabled), Optimized: is(data.EbsOptimized),
	}
	if l.image, err = c.launchedImage(data.ImageID); err != nil {
		return l, err
	}
	l.Image = l.image.ID
	if t, _ := typeNamed(l.Type); t.architecture != l.image.Architecture {
		return l, invalid("The architecture '" + t.architecture + "' of the specified instance type does not match the architecture '" + l.image.Architecture + "' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.")
	}
	if l.KeyName != "" && c.keyNamed(l.KeyName) == nil {
		return l, refuse("InvalidKeyPair.NotFound", "The key pair '"+l.KeyName+"' does not exist")
	}
	zone := ""
	if data.Placement != nil {
		zone = data.Placement.Zone
	}
	if l.subnet, err = c.launchedSubnet(in.Subnet, zone); err != nil {
		return l, err
	}
	l.Subnet, l.Zone = l.subnet.ID, l.subnet.Zone
	if l.Groups, err = c.launchedGroups(data, l.subnet); err != nil {
		return l, err
	}
	if l.PrivateIP, err = c.privateIP(in.PrivateIP, l.subnet); err != nil {
		return l, err
	}
	if l.PrivateIP.IsValid() && in.Max > 1 {
		return l, invalidCombination("A private IP address can be given to one instance only.")
	}
	if data.Profile != nil {
		if l.profile, err = data.Profile.find(c); err != nil {
			return l, err
		}
	}
	if l.profile != nil {
		l.InstanceProfile = l.profile.Name
	}
	if l.Metadata, err = cmp.Or(data.Metadata, &metadataInput{}).options(); err != nil {
		return l, err
	}
	for _, s := range data.Specifications {
		if s.Kind == "network-interface" || s.Kind == "spot-instances-request" {
			return l, unsupported("InvalidParameterValue", "localaws does not support tags of the resource type '"+s.Kind+"' here (supported: instance, volume).")
		}
	}
	tags, err := specified(data.Specifications, "instance", "volume")
	if err != nil {
		return l, err
	}
	l.Tags = tags["instance"]
	if l.volumes, err = c.disks(&l, data.Devices, tags["volume"]); err != nil {
		return l, err
	}
	l.grants = append(l.grants, c.launching(&l, tags)...)
	return l, nil
}

// is reports whether an optional parameter is true.
func is(flag *bool) bool { return flag != nil && *flag }

// launchable returns an error for parameters that templates keep as records, but that no
// instance has here.
func (d launchData) launchable() error {
	var with interfaceInput
	if len(d.Interfaces) == 1 {
		with = d.Interfaces[0]
	}
	for _, p := range []struct {
		parameter string
		asked     bool
	}{
		{"DisableApiTermination=true", is(d.NoTermination)},
		{"DisableApiStop=true", is(d.NoStop)},
		{"Placement.Tenancy=dedicated or host", d.Placement != nil && cmp.Or(d.Placement.Tenancy, "default") != "default"},
		{"NetworkInterface.1.AssociatePublicIpAddress=true", is(with.Public)},
		{"NetworkInterface.1.DeleteOnTermination=false", with.Delete != nil && !*with.Delete},
		{"NetworkInterface.1.Description", with.Description != ""},
		{"NetworkInterface.1.DeviceIndex other than 0", with.Index != nil && *with.Index != 0},
	} {
		if p.asked {
			return unsupported("InvalidParameterValue", "localaws does not support "+p.parameter+" for an instance.")
		}
	}
	return nil
}

// templateVersion returns a version of a launch template.
func (c *call) templateVersion(name templateName, version string) (*template, *templateVersion, error) {
	id, err := name.id(c)
	if err != nil {
		return nil, nil, err
	}
	t, err := templateKind().find(c, id)
	if err != nil {
		return nil, nil, err
	}
	v, err := t.numbered(version)
	return t, v, err
}

// launchedImage returns the image with an ID, or with the one in a parameter of Systems
// Manager.
func (c *call) launchedImage(id string) (image.Image, error) {
	if name, ok := strings.CutPrefix(id, "resolve:ssm:"); ok {
		parameters := c.Parameters()
		if parameters == nil {
			return image.Image{}, unsupported("InvalidParameterValue", "localaws has no Systems Manager here to resolve "+id+".")
		}
		id, ok = parameters.Parameter(c.Region, name)
		switch {
		case !ok && strings.HasPrefix(name, "/aws/"):
			return image.Image{}, unsupported("InvalidParameterValue", "Unable to resolve the parameter "+name+": localaws does not have this public parameter.")
		case !ok:
			return image.Image{}, invalid("Unable to resolve the parameter " + name + ": it does not exist.")
		}
	}
	if id == "" {
		return image.Image{}, missing("ImageId")
	}
	if err := checkImageID(id); err != nil {
		return image.Image{}, err
	}
	return c.imageWith(id)
}

// launchedSubnet returns the subnet with an ID, or the one of the default VPC in a zone.
func (c *call) launchedSubnet(id, zone string) (*subnet, error) {
	if zone != "" && !slices.Contains(zonesOf(c.Region), zone) {
		return nil, c.noSuchZone(zone, "Invalid availability zone: ["+zone+"]")
	}
	if id == "" {
		for _, s := range subnetKind().sorted(c) {
			if s.Default && s.Zone == cmp.Or(zone, zonesOf(c.Region)[0]) {
				return s, nil
			}
		}
		return nil, refuse("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
	}
	s, err := subnetKind().find(c, id)
	if err == nil && zone != "" && s.Zone != zone {
		return nil, invalid("Value (" + zone + ") for parameter availabilityZone is invalid. The subnet " + id + " is in " + s.Zone + ".")
	}
	return s, err
}

// launchedGroups returns the IDs of the security groups, or of the default one.
func (c *call) launchedGroups(data launchData, in *subnet) ([]string, error) {
	groups := slices.Clone(data.Groups)
	for _, name := range data.GroupNames {
		id, err := groupName{Name: name}.id(c)
		if err != nil {
			return nil, err
		}
		groups = append(groups, id)
	}
	if len(groups) > maxInstanceGroups {
		return nil, refuse("SecurityGroupsPerInstanceLimitExceeded", fmt.Sprintf("The maximum number of security groups per interface has been reached: %d.", maxInstanceGroups))
	}
	for _, id := range groups {
		g, err := groupKind().find(c, id)
		if err != nil {
			return nil, err
		}
		if g.VPC != in.VPC {
			return nil, refuse("InvalidParameter", "Security group "+id+" and subnet "+in.ID+" belong to different networks.")
		}
	}
	for id, g := range c.region.Groups {
		if len(groups) == 0 && g.VPC == in.VPC && g.Name == "default" {
			return []string{id}, nil
		}
	}
	return groups, nil
}

// disks returns the volumes of each instance: that of the image, and others.
func (c *call) disks(l *launch, devices []deviceInput, tags map[string]string) ([]volume, error) {
	least := l.image.Gibibytes
	root := deviceInput{Name: l.image.RootDevice, EBS: &ebsInput{}}
	all := []deviceInput{root}
	for n, d := range devices {
		switch {
		case d.Name == "":
			return nil, missing("BlockDeviceMapping.N.DeviceName")
		case d.EBS == nil:
			return nil, unsupported("InvalidBlockDeviceMapping", "localaws maps devices to volumes: the device "+d.Name+" has no Ebs.")
		case slices.ContainsFunc(devices[:n], func(other deviceInput) bool { return other.Name == d.Name }):
			return nil, refuse("InvalidBlockDeviceMapping", "The device '"+d.Name+"' is used in more than one block-device mapping")
		case d.Name == root.Name:
			all[0] = d
		default:
			all = append(all, d)
		}
	}
	if len(all) > 28 { // as on instances of the current generation
		return nil, refuse("AttachmentLimitExceeded", "An instance cannot have more than 28 volumes.")
	}
	var volumes []volume
	for n, d := range all {
		v := volume{base: base{Tags: tags}, Zone: l.Zone, Created: l.Launched, Device: d.Name, DeleteOnTermination: d.EBS.DeleteOnTermination == nil || *d.EBS.DeleteOnTermination}
		size := 0
		if n == 0 {
			size, v.Type = least, "gp3"
		}
		if err := v.shape(*d.EBS, size); err != nil {
			return nil, err
		}
		if n == 0 && v.Size < least {
			return nil, refuse("InvalidBlockDeviceMapping", fmt.Sprintf("Volume of size %dGB is smaller than the image, expect size >= %dGB", v.Size, least))
		}
		v.encrypt(c, d.EBS.encrypted(), d.EBS.KmsKeyID)
		volumes = append(volumes, v)
	}
	return volumes, nil
}

// privateIP returns the address that a call asks for; the zero value for none.
func (c *call) privateIP(text string, in *subnet) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	address, err := netip.ParseAddr(text)
	switch {
	case err != nil || !address.Is4():
		return netip.Addr{}, invalid("Value (" + text + ") for parameter privateIpAddress is invalid. Expecting an IPv4 address.")
	case !in.CIDR.Contains(address):
		return netip.Addr{}, invalid("Address " + text + " does not fall within the subnet's address range")
	case !in.usable(address):
		return netip.Addr{}, invalid("Address " + text + " is in subnet's reserved address range")
	}
	return address, nil
}

func addressInUse(address netip.Addr) error {
	return refuse("InvalidIPAddress.InUse", "Address "+address.String()+" is in use.")
}

// usable reports whether an address in the subnet is not one of the first four or the
// last, which AWS reserves.
func (s *subnet) usable(address netip.Addr) bool {
	return address.Compare(s.first()) >= 0 && s.CIDR.Contains(address.Next())
}

// first returns the first address that instances can have.
func (s *subnet) first() netip.Addr { return s.CIDR.Masked().Addr().Next().Next().Next().Next() }

// usedAddresses returns the addresses in use in a subnet.
func (c *call) usedAddresses(in *subnet) map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, i := range c.instances() {
		if i.Subnet == in.ID && i.PrivateIP.IsValid() {
			used[i.PrivateIP] = true
		}
	}
	for _, n := range c.region.NATGateways {
		if n.Subnet == in.ID {
			used[n.IP] = true
		}
	}
	return used
}

// privateDNSName returns the name that AWS gives to an address.
func privateDNSName(address netip.Addr, region string) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(address.String(), ".", "-") + "." + domain
}

// launching returns the permissions that a launch needs for all that it makes or uses.
func (c *call) launching(l *launch, tags map[string]map[string]string) []grant {
	ofInstance := c.instanceKeys(&l.instance)
	maps.DeleteFunc(ofInstance, func(key string, _ []string) bool {
		return strings.Contains(key, "resourcetag/") || key == "ec2:instanceid"
	})
	subnetKeys := c.keysOf(l.subnet)
	grants := []grant{
		{"RunInstances", c.arn("instance", "*"), api.Merged(ofInstance, api.RequestTags(tags["instance"]))},
		{"RunInstances", "arn:" + c.Account.Partition + ":ec2:" + c.Region + "::image/" + l.Image, imageKeys(l.image)},
		{"RunInstances", c.arn("subnet", l.Subnet), subnetKeys},
		{"RunInstances", c.arn("network-interface", "*"), map[string][]string{"ec2:vpc": subnetKeys["ec2:vpc"], "ec2:subnet": {c.arn("subnet", l.Subnet)}}},
		{"RunInstances", c.arn("volume", "*"), api.RequestTags(tags["volume"])},
	}
	for _, id := range l.Groups {
		grants = append(grants, grant{"RunInstances", c.arn("security-group", id), c.keysOf(c.region.Groups[id])})
	}
	if l.KeyName != "" {
		grants = append(grants, grant{"RunInstances", c.arn("key-pair", l.KeyName), c.keysOf(c.keyNamed(l.KeyName))})
	}
	for _, noun := range []string{"instance", "volume"} {
		if len(tags[noun]) > 0 {
			grants = append(grants, grant{"CreateTags", c.arn(noun, "*"), api.Merged(api.RequestTags(tags[noun]), map[string][]string{"ec2:createaction": {"RunInstances"}})})
		}
	}
	return grants
}

func runInstances(c *call, in launchInput) (any, error) {
	l, err := c.launch(in)
	if err != nil {
		return nil, err
	}
	if err := c.authorize(l.grants...); err != nil {
		return nil, err
	}
	if l.profile != nil {
		if err := c.passProfile(l.profile); err != nil {
			return nil, err
		}
	}
	if err := c.permit(); err != nil {
		return nil, err
	}
	if done, err := replayed(slices.Values(c.instances()), l.replayable); len(done) > 0 || err != nil {
		return c.reservation(done), err
	}
	n, err := c.room(in, &l)
	if err != nil {
		return nil, err
	}
	used, next := c.usedAddresses(l.subnet), l.subnet.first()
	if used[l.PrivateIP] {
		return nil, addressInUse(l.PrivateIP)
	}
	var launched []*instance
	for index := range n {
		i := l.instance
		i.ID, i.LaunchIndex, i.Tags, i.Groups = account.NewHexID("i-"), index, maps.Clone(l.Tags), slices.Clone(l.Groups)
		if !i.PrivateIP.IsValid() {
			for used[next] {
				next = next.Next()
			}
			i.PrivateIP, used[next] = next, true
		}
		i.PrivateDNSName = privateDNSName(i.PrivateIP, i.Region)
		i.associate(l.InstanceProfile, c.Time)
		for _, v := range l.volumes {
			v.ID, v.Instance, v.Tags = account.NewHexID("vol-"), i.ID, maps.Clone(v.Tags)
			c.region.Volumes[v.ID] = &v
		}
		c.state.Instances[i.ID] = &i
		launched = append(launched, &i)
	}
	response := c.reservation(launched)
	for _, i := range launched { // at once, though clients expect to see it pending first
		i.State = "running"
	}
	return response, nil
}

// room returns how many instances can be launched, or an error if they are too few.
func (c *call) room(in launchInput, l *launch) (int, error) {
	living := 0
	for _, i := range c.state.Instances {
		if i.State != "terminated" {
			living++
		}
	}
	switch {
	case living+in.Min > maxInstances:
		return 0, refuse("InstanceLimitExceeded", fmt.Sprintf("You have requested more instances (%d) than your current instance limit of %d allows.", living+in.Min, maxInstances))
	case in.Min > c.free(l.subnet):
		return 0, refuse("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '"+l.Subnet+"' to satisfy the requested number of instances.")
	case len(c.region.Volumes)+in.Min*len(l.volumes) > maxVolumes:
		return 0, boundedHere(maxVolumes, maxVolumes, "VolumeLimitExceeded", "volumes of a region")
	}
	return min(in.Max, maxInstances-living, c.free(l.subnet), (maxVolumes-len(c.region.Volumes))/len(l.volumes)), nil
}

// decodedUserData returns the user data of an instance, as its metadata has it.
func (i *instance) decodedUserData() string {
	text, _ := base64.StdEncoding.DecodeString(i.UserData) // checked at the launch
	return string(text)
}

func defaultMetadata() account.MetadataOptions {
	return account.MetadataOptions{Tokens: "required", Endpoint: "enabled", Tags: "disabled"}
}

// metadataInput configures the metadata service of an instance.
type metadataInput struct {
	HttpTokens           string `xml:"httpTokens,omitempty" json:",omitzero"`
	HttpEndpoint         string `xml:"httpEndpoint,omitempty" json:",omitzero"`
	InstanceMetadataTags string `xml:"instanceMetadataTags,omitempty" json:",omitzero"`
	HopLimit             *int   `ec2:"HttpPutResponseHopLimit" xml:"httpPutResponseHopLimit" json:",omitzero"`
}

func (in metadataInput) options() (account.MetadataOptions, error) {
	options := defaultMetadata()
	for _, option := range []struct {
		name, value string
		values      []string
		field       *string
	}{
		{"HttpTokens", in.HttpTokens, []string{"optional", "required"}, &options.Tokens},
		{"HttpEndpoint", in.HttpEndpoint, []string{"disabled", "enabled"}, &options.Endpoint},
		{"InstanceMetadataTags", in.InstanceMetadataTags, []string{"disabled", "enabled"}, &options.Tags},
	} {
		if option.value == "" {
			continue
		}
		if !slices.Contains(option.values, option.value) {
			return options, invalid("Value (" + option.value + ") for parameter " + option.name + " is invalid. Supported: " + strings.Join(option.values, ", ") + ".")
		}
		*option.field = option.value
	}
	if in.HopLimit != nil {
		if options.HopLimit = *in.HopLimit; options.HopLimit < 1 || options.HopLimit > 64 {
			return options, invalid(fmt.Sprintf("Value (%d) for parameter HttpPutResponseHopLimit is invalid. Expecting 1 to 64.", *in.HopLimit))
		}
	}
	return options, nil
}

type xmlMetadataOptions struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens"`
	HopLimit int    `xml:"httpPutResponseHopLimit"`
	Endpoint string `xml:"httpEndpoint"`
	IPv6     string `xml:"httpProtocolIpv6"`
	Tags     string `xml:"instanceMetadataTags"`
}

func xmlMetadata(m account.MetadataOptions) xmlMetadataOptions {
	return xmlMetadataOptions{"applied", m.Tokens, cmp.Or(m.HopLimit, 1), m.Endpoint, "disabled", m.Tags}
}
