package ec2

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// An instanceType is a type of instances.
type instanceType struct {
	name         string
	architecture string // x86_64 or arm64
	vcpus        int
	mebibytes    int
	interfaces   int // at most, with this many addresses each
	addresses    int
	burstable    bool
	previous     bool // of a previous generation
	bare         bool
}

// A family is instance types that differ in size.
type family struct {
	names, architecture string
	// gibibytes is the memory for each vCPU.
	gibibytes int
	sizes     string
}

const (
	smallSizes = "large xlarge 2xlarge 4xlarge"
	allSizes   = smallSizes + " 8xlarge 12xlarge 16xlarge 24xlarge"
	armSizes   = "medium " + smallSizes + " 8xlarge 12xlarge 16xlarge"
)

func families() []family {
	return []family{
		{"m5 m5a m5d m6i m6a m7i m7a", "x86_64", 4, allSizes}, {"m6g m7g m8g", "arm64", 4, armSizes},
		{"c5 c5a c6i c6a c7i c7a", "x86_64", 2, allSizes}, {"c6g c7g c8g", "arm64", 2, armSizes},
		{"r5 r5a r6i r6a r7i r7a", "x86_64", 8, allSizes}, {"r6g r7g r8g", "arm64", 8, armSizes},
		{"g4dn g5", "x86_64", 4, "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"}, {"inf2", "x86_64", 4, "xlarge 8xlarge"},
		{"i3 i4i", "x86_64", 8, smallSizes + " 8xlarge 16xlarge"},
	}
}

// burstable are the types that AWS sizes by themselves: vCPUs and MiB.
func burstable() []instanceType {
	var all []instanceType
	for _, f := range [][2]string{{"t2", "x86_64"}, {"t3", "x86_64"}, {"t3a", "x86_64"}, {"t4g", "arm64"}} {
		for _, s := range []struct {
			size                         string
			vcpus, mebibytes, interfaces int
			addresses                    int
		}{
			{"nano", 2, 512, 2, 2}, {"micro", 2, 1024, 2, 2}, {"small", 2, 2048, 3, 4}, {"medium", 2, 4096, 3, 6},
			{"large", 2, 8192, 3, 12}, {"xlarge", 4, 16384, 4, 15}, {"2xlarge", 8, 32768, 4, 15},
		} {
			t := instanceType{f[0] + "." + s.size, f[1], s.vcpus, s.mebibytes, s.interfaces, s.addresses, true, false, false}
			if f[0] == "t2" && s.mebibytes < 4096 {
				t.vcpus = 1
			}
			all = append(all, t)
		}
	}
	return all
}

// instanceTypes returns the types, by name.
func instanceTypes() []instanceType {
	all := append(burstable(), instanceType{"m1.small", "x86_64", 1, 1740, 2, 4, false, true, false})
	for _, f := range families() {
		for name := range strings.FieldsSeq(f.names) {
			for size := range strings.FieldsSeq(f.sizes) {
				all = append(all, sized(name, size, f))
			}
		}
	}
	slices.SortFunc(all, func(a, b instanceType) int { return strings.Compare(a.name, b.name) })
	return all
}

func sized(name, size string, f family) instanceType {
	vcpus := map[string]int{"medium": 1, "large": 2, "xlarge": 4}[size]
	if times, ok := strings.CutSuffix(size, "xlarge"); ok && times != "" {
		n, _ := strconv.Atoi(times) // a number, as above
		vcpus = 4 * n
	}
	t := instanceType{name: name + "." + size, architecture: f.architecture, vcpus: vcpus, mebibytes: vcpus * f.gibibytes * 1024}
	switch {
	case vcpus <= 1:
		t.interfaces, t.addresses = 2, 4
	case vcpus <= 2:
		t.interfaces, t.addresses = 3, 10
	case vcpus <= 8:
		t.interfaces, t.addresses = 4, 15
	case vcpus <= 48:
		t.interfaces, t.addresses = 8, 30
	default:
		t.interfaces, t.addresses = 15, 50
	}
	return t
}

func typeNamed(name string) (instanceType, bool) {
	all := instanceTypes()
	at := slices.IndexFunc(all, func(t instanceType) bool { return t.name == name })
	if at < 0 {
		return instanceType{}, false
	}
	return all[at], true
}

func typeOperations() []api.Operation {
	return []api.Operation{describe("DescribeInstanceTypes", describeTypes), describe("DescribeInstanceTypeOfferings", describeOfferings)}
}

type xmlType struct {
	Name       string        `xml:"instanceType"`
	Current    bool          `xml:"currentGeneration"`
	Free       bool          `xml:"freeTierEligible"`
	Usage      items[string] `xml:"supportedUsageClasses"`
	Roots      items[string] `xml:"supportedRootDeviceTypes"`
	Virtual    items[string] `xml:"supportedVirtualizationTypes"`
	Bare       bool          `xml:"bareMetal"`
	Hypervisor string        `xml:"hypervisor,omitempty"`
	Processor  struct {
		Architectures items[string] `xml:"supportedArchitectures"`
	} `xml:"processorInfo"`
	CPU struct {
		VCPUs   int `xml:"defaultVCpus"`
		Cores   int `xml:"defaultCores"`
		Threads int `xml:"defaultThreadsPerCore"`
	} `xml:"vCpuInfo"`
	Memory struct {
		MiB int `xml:"sizeInMiB"`
	} `xml:"memoryInfo"`
	Storage bool `xml:"instanceStorageSupported"`
	Network struct {
		Interfaces int  `xml:"maximumNetworkInterfaces"`
		Cards      int  `xml:"maximumNetworkCards"`
		Default    int  `xml:"defaultNetworkCardIndex"`
		IPv4       int  `xml:"ipv4AddressesPerInterface"`
		IPv6       int  `xml:"ipv6AddressesPerInterface"`
		HasIPv6    bool `xml:"ipv6Supported"`
	} `xml:"networkInfo"`
	Burstable   bool `xml:"burstablePerformanceSupported"`
	Dedicated   bool `xml:"dedicatedHostsSupported"`
	Hibernation bool `xml:"hibernationSupported"`
	Recovery    bool `xml:"autoRecoverySupported"`
}

func xmlTypeOf(t instanceType) xmlType {
	x := xmlType{
		Name: t.name, Current: !t.previous, Free: t.name == "t2.micro" || t.name == "t3.micro", Usage: itemsOf([]string{"on-demand", "spot"}),
		Roots: itemsOf([]string{"ebs"}), Virtual: itemsOf([]string{"hvm"}), Hypervisor: "nitro", Burstable: t.burstable, Recovery: true,
	}
	x.Processor.Architectures = itemsOf([]string{t.architecture})
	x.CPU.VCPUs, x.CPU.Cores, x.CPU.Threads = t.vcpus, max(t.vcpus/2, 1), min(t.vcpus, 2)
	if t.architecture == "arm64" {
		x.CPU.Cores, x.CPU.Threads = t.vcpus, 1
	}
	x.Memory.MiB = t.mebibytes
	x.Network.Interfaces, x.Network.Cards, x.Network.IPv4, x.Network.IPv6, x.Network.HasIPv6 = t.interfaces, 1, t.addresses, t.addresses, true
	return x
}

type typesInput struct {
	listing
	paging
	Names []string `ec2:"InstanceType"`
}

func describeTypes(c *call, in typesInput) (any, error) {
	all := instanceTypes()
	if len(in.Names) > 0 {
		var absent []string
		for _, name := range in.Names {
			if _, ok := typeNamed(name); !ok {
				absent = append(absent, name)
			}
		}
		if len(absent) > 0 {
			return nil, unsupported("InvalidInstanceType", "The following supplied instance types do not exist: ["+strings.Join(absent, ", ")+"] (in localaws)")
		}
		all = slices.DeleteFunc(all, func(t instanceType) bool { return !slices.Contains(in.Names, t.name) })
	}
	all, err := filtered(in.Filter, all, map[string]field[instanceType]{
		"bare-metal":                                always[instanceType]("false"),
		"burstable-performance-supported":           yes(func(t instanceType) bool { return t.burstable }),
		"current-generation":                        yes(func(t instanceType) bool { return !t.previous }),
		"free-tier-eligible":                        yes(func(t instanceType) bool { return xmlTypeOf(t).Free }),
		"hypervisor":                                always[instanceType]("nitro"),
		"instance-storage-supported":                always[instanceType]("false"),
		"instance-type":                             one(func(t instanceType) string { return t.name }),
		"memory-info.size-in-mib":                   one(func(t instanceType) string { return strconv.Itoa(t.mebibytes) }),
		"network-info.ipv4-addresses-per-interface": one(func(t instanceType) string { return strconv.Itoa(t.addresses) }),
		"network-info.maximum-network-interfaces":   one(func(t instanceType) string { return strconv.Itoa(t.interfaces) }),
		"processor-info.supported-architecture":     one(func(t instanceType) string { return t.architecture }),
		"supported-root-device-type":                always[instanceType]("ebs"),
		"supported-usage-class":                     func(instanceType) []string { return []string{"on-demand", "spot"} },
		"supported-virtualization-type":             always[instanceType]("hvm"),
		"vcpu-info.default-vcpus":                   one(func(t instanceType) string { return strconv.Itoa(t.vcpus) }),
	}, nil)
	if err != nil {
		return nil, err
	}
	if in.MaxResults == nil {
		in.MaxResults = new(100)
	}
	return page(in.within(5, 100), "instanceTypeSet", all, func(t instanceType) string { return t.name }, xmlTypeOf)
}

type offeringsInput struct {
	listing
	paging
	LocationType string
}

type xmlOffering struct {
	Type         string `xml:"instanceType"`
	LocationType string `xml:"locationType"`
	Location     string `xml:"location"`
}

func describeOfferings(c *call, in offeringsInput) (any, error) {
	var places []string
	switch in.LocationType {
	case "", "region":
		in.LocationType, places = "region", []string{c.Region}
	case "availability-zone":
		places = zonesOf(c.Region)
	case "availability-zone-id":
		for _, zone := range zonesOf(c.Region) {
			places = append(places, zoneID(zone))
		}
	default:
		return nil, invalid("Value (" + in.LocationType + ") for parameter locationType is invalid. Expecting region, availability-zone or availability-zone-id.")
	}
	var all []xmlOffering
	for _, t := range instanceTypes() {
		for _, place := range places {
			all = append(all, xmlOffering{t.name, in.LocationType, place})
		}
	}
	all, err := filtered(in.Filter, all, map[string]field[xmlOffering]{
		"instance-type": one(func(o xmlOffering) string { return o.Type }),
		"location":      one(func(o xmlOffering) string { return o.Location }),
	}, nil)
	if err != nil {
		return nil, err
	}
	key := func(o xmlOffering) string { return o.Type + " " + o.Location }
	slices.SortFunc(all, func(a, b xmlOffering) int { return strings.Compare(key(a), key(b)) })
	return page(in.paging, "instanceTypeOfferingSet", all, key, func(o xmlOffering) xmlOffering { return o })
}
