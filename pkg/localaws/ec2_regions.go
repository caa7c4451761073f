package localaws

import (
	"net/http"
	"slices"
)

// regions returns the partition's regions that need no opt-in, and the default
// region.
func (a *AWS) regions() []string {
	names := []string{a.region}
	switch a.partition {
	case "aws":
		names = append(names,
			"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
			"eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2")
	case "aws-cn":
		names = append(names, "cn-north-1", "cn-northwest-1")
	case "aws-us-gov":
		names = append(names, "us-gov-east-1", "us-gov-west-1")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

type xmlRegion struct {
	Name     string `xml:"regionName"`
	Endpoint string `xml:"regionEndpoint"`
	OptIn    string `xml:"optInStatus"`
}

func describeRegions(c *call, p *parameters) (any, *Error) {
	domain := "amazonaws.com"
	if c.partition == "aws-cn" {
		domain = "amazonaws.com.cn"
	}
	var all []xmlRegion
	for _, name := range c.regions() {
		all = append(all, xmlRegion{name, "ec2." + name + "." + domain, "opt-in-not-required"})
	}
	if names := p.list("RegionName", ""); len(names) > 0 {
		for _, name := range names {
			if !slices.ContainsFunc(all, func(r xmlRegion) bool { return r.Name == name }) {
				return nil, newError(http.StatusBadRequest, "InvalidParameterValue", "Invalid region provided: ["+name+"]")
			}
		}
		all = slices.DeleteFunc(all, func(r xmlRegion) bool { return !slices.Contains(names, r.Name) })
	}
	all, err := filtered(p, all, regionFilter)
	if err != nil {
		return nil, err
	}
	return fields{element("regionInfo", itemsOf(all))}, nil
}

// regionFilter returns the function that reads the values that a filter compares.
func regionFilter(name string) func(xmlRegion) []string {
	switch name {
	case "endpoint":
		return func(r xmlRegion) []string { return []string{r.Endpoint} }
	case "opt-in-status":
		return func(r xmlRegion) []string { return []string{r.OptIn} }
	case "region-name":
		return func(r xmlRegion) []string { return []string{r.Name} }
	}
	return nil
}
