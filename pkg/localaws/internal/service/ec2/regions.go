package ec2

import (
	"slices"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func regionOperations() []api.Operation {
	return []api.Operation{
		describe("DescribeRegions", describeRegions), describe("DescribeAvailabilityZones", describeZones),
		describe("DescribeAccountAttributes", describeAttributes), describe("DescribeImages", describeImages),
	}
}

// regions returns the partition's regions that need no opt-in, and the default
// region.
func regions(of *account.Account) []string {
	names := []string{of.Region}
	switch of.Partition {
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

type regionsInput struct {
	listing
	Names []string `ec2:"RegionName"`
}

func describeRegions(c *call, in regionsInput) (any, error) {
	var all []xmlRegion
	for _, name := range regions(c.Account) {
		all = append(all, xmlRegion{name, "ec2." + name + "." + c.Account.Domain(), "opt-in-not-required"})
	}
	if len(in.Names) > 0 {
		for _, name := range in.Names {
			if !slices.ContainsFunc(all, func(r xmlRegion) bool { return r.Name == name }) {
				return nil, invalid("Invalid region provided: [" + name + "]")
			}
		}
		all = slices.DeleteFunc(all, func(r xmlRegion) bool { return !slices.Contains(in.Names, r.Name) })
	}
	all, err := filtered(in.Filter, all, map[string]field[xmlRegion]{
		"endpoint":      one(func(r xmlRegion) string { return r.Endpoint }),
		"opt-in-status": one(func(r xmlRegion) string { return r.OptIn }),
		"region-name":   one(func(r xmlRegion) string { return r.Name }),
	}, nil)
	if err != nil {
		return nil, err
	}
	return fields{element("regionInfo", itemsOf(all))}, nil
}
