package ec2

import (
	"slices"
	"strings"
)

// zonesOf returns the availability zones of a region: three of them.
func zonesOf(region string) []string { return []string{region + "a", region + "b", region + "c"} }

// noSuchZone returns the error for a zone that localaws lacks. A region of AWS can have
// more than three.
func (c *call) noSuchZone(name, message string) error {
	if letter, ok := strings.CutPrefix(name, c.Region); ok && len(letter) == 1 && "d" <= letter && letter <= "z" {
		return unsupported("InvalidParameterValue", message+" (localaws has "+strings.Join(zonesOf(c.Region), ", ")+")")
	}
	return invalid(message)
}

// zoneID returns the ID of a zone, which is the same in all accounts: euw2-az1.
func zoneID(zone string) string {
	region, letter := zone[:len(zone)-1], zone[len(zone)-1]
	parts := strings.Split(region, "-")
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i == 0 || i == len(parts)-1:
			b.WriteString(part)
		case strings.HasPrefix(part, "north") && part != "north", strings.HasPrefix(part, "south") && part != "south":
			b.WriteString(part[:1] + part[5:6])
		default:
			b.WriteString(part[:1])
		}
	}
	return b.String() + "-az" + string('1'+letter-'a')
}

type zone struct{ name, region string }

type xmlZone struct {
	Name      string        `xml:"zoneName"`
	State     string        `xml:"zoneState"`
	Region    string        `xml:"regionName"`
	Messages  items[string] `xml:"messageSet"`
	ID        string        `xml:"zoneId"`
	Group     string        `xml:"groupName"`
	GroupLong string        `xml:"groupLongName"`
	Border    string        `xml:"networkBorderGroup"`
	OptIn     string        `xml:"optInStatus"`
	Type      string        `xml:"zoneType"`
}

type zonesInput struct {
	listing
	AllAvailabilityZones *bool
	Names                []string `ec2:"ZoneName"`
	IDs                  []string `ec2:"ZoneId"`
}

func describeZones(c *call, in zonesInput) (any, error) {
	var all []zone
	names := zonesOf(c.Region)
	for _, name := range names {
		all = append(all, zone{name, c.Region})
	}
	for _, name := range in.Names {
		if !slices.Contains(names, name) {
			return nil, c.noSuchZone(name, "Invalid availability zone: ["+name+"]")
		}
	}
	for _, id := range in.IDs {
		if !slices.ContainsFunc(names, func(name string) bool { return zoneID(name) == id }) {
			return nil, invalid("Invalid availability zone-id: [" + id + "]")
		}
	}
	all = slices.DeleteFunc(all, func(z zone) bool {
		return len(in.Names) > 0 && !slices.Contains(in.Names, z.name) || len(in.IDs) > 0 && !slices.Contains(in.IDs, zoneID(z.name))
	})
	all, err := filtered(in.Filter, all, map[string]field[zone]{
		"group-name": one(func(z zone) string { return z.region + "-zg-1" }), "message": func(zone) []string { return nil },
		"opt-in-status": always[zone]("opt-in-not-required"), "region-name": one(func(z zone) string { return z.region }),
		"state": always[zone]("available"), "zone-id": one(func(z zone) string { return zoneID(z.name) }),
		"zone-name": one(func(z zone) string { return z.name }), "zone-type": always[zone]("availability-zone"),
	}, nil)
	if err != nil {
		return nil, err
	}
	var zones items[xmlZone]
	for _, z := range all {
		zones.Item = append(zones.Item, xmlZone{
			Name: z.name, State: "available", Region: z.region, ID: zoneID(z.name), Group: z.region + "-zg-1", GroupLong: z.region,
			Border: z.region, OptIn: "opt-in-not-required", Type: "availability-zone",
		})
	}
	return fields{element("availabilityZoneInfo", zones)}, nil
}

type attributesInput struct {
	dryRun
	Names []string `ec2:"AttributeName"`
}

type xmlAttribute struct {
	Name   string                   `xml:"attributeName"`
	Values items[xmlAttributeValue] `xml:"attributeValueSet"`
}

type xmlAttributeValue struct {
	Value string `xml:"attributeValue"`
}

// describeAttributes describes attributes of the account.
func describeAttributes(c *call, in attributesInput) (any, error) {
	standard := "none"
	if v := c.region.defaultVPC(); v != nil {
		standard = v.ID
	}
	var all []xmlAttribute
	for _, a := range [][2]string{
		{"supported-platforms", "VPC"}, {"vpc-max-security-groups-per-interface", "5"}, {"max-elastic-ips", "5"}, {"max-instances", "200"},
		{"vpc-max-elastic-ips", "5"}, {"default-vpc", standard},
	} {
		if len(in.Names) == 0 || slices.Contains(in.Names, a[0]) {
			all = append(all, xmlAttribute{a[0], itemsOf([]xmlAttributeValue{{a[1]}})})
		}
	}
	for _, name := range in.Names {
		if !slices.ContainsFunc(all, func(a xmlAttribute) bool { return a.Name == name }) {
			return nil, unsupported("InvalidParameterValue", "localaws does not have the attribute '"+name+"' of an account.")
		}
	}
	return fields{element("accountAttributeSet", itemsOf(all))}, nil
}
