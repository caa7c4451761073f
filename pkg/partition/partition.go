// Package partition is the one table of AWS's partitions: their names, their
// regions and the hosts of their STS endpoints.
//
// It has the partitions and hosts of the endpoint rules in AWS's SDKs.
package partition

import (
	"fmt"
	"slices"
	"strings"
)

// MaxRegionLength is the longest name that [IsRegion] accepts. AWS's longest
// today has 15 characters.
const MaxRegionLength = 32

// Partition is one of AWS's separate clouds. Its STS endpoints are
// sts.<region>.<suffix>. The zero value has no regions and no hosts.
type Partition struct {
	// Name is the second part of its ARNs: aws, aws-cn, …
	Name string
	// regions begin with one of these; then come a word and a number:
	// eu-west-2, us-gov-east-1.
	regions []string
	// suffix of the plain and of the dual-stack endpoints.
	suffix, dualStack string
	// plainIsFIPS: sts-fips.<region>.<suffix> does not exist, since the plain
	// endpoint is the FIPS one.
	plainIsFIPS bool
	// global is the STS endpoint of no region, if there is one.
	global string
}

// All returns AWS's partitions.
func All() []Partition {
	return []Partition{
		{Name: "aws", regions: []string{"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"}, suffix: "amazonaws.com", dualStack: "api.aws", global: "sts.amazonaws.com"},
		{Name: "aws-cn", regions: []string{"cn"}, suffix: "amazonaws.com.cn", dualStack: "api.amazonwebservices.com.cn"},
		{Name: "aws-us-gov", regions: []string{"us-gov"}, suffix: "amazonaws.com", dualStack: "api.aws", plainIsFIPS: true},
		{Name: "aws-iso", regions: []string{"us-iso"}, suffix: "c2s.ic.gov", dualStack: "api.aws.ic.gov"},
		{Name: "aws-iso-b", regions: []string{"us-isob"}, suffix: "sc2s.sgov.gov", dualStack: "api.aws.scloud"},
		{Name: "aws-iso-e", regions: []string{"eu-isoe"}, suffix: "cloud.adc-e.uk", dualStack: "api.cloud-aws.adc-e.uk"},
		{Name: "aws-iso-f", regions: []string{"us-isof"}, suffix: "csp.hci.ic.gov", dualStack: "api.aws.hci.ic.gov"},
		{Name: "aws-eusc", regions: []string{"eusc-de"}, suffix: "amazonaws.eu", dualStack: "api.amazonwebservices.eu"},
	}
}

// Names returns the names of AWS's partitions.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Named returns the partition with a name.
func Named(name string) (Partition, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Partition{}, fmt.Errorf("unknown partition %q (supported: %s)", name, strings.Join(Names(), ", "))
}

// OfRegion returns the partition that a region's name belongs to.
func OfRegion(region string) (Partition, error) {
	for _, p := range All() {
		if p.Has(region) {
			return p, nil
		}
	}
	return Partition{}, fmt.Errorf("region %q is not the name of an AWS region (expected one such as eu-west-2)", region)
}

// Has reports whether a region's name belongs to the partition: one of its
// prefixes, a word, a number.
func (p Partition) Has(region string) bool {
	if len(region) > MaxRegionLength {
		return false
	}
	prefix, number, ok := cutLast(region)
	if !ok || !consistsOf(number, isDigit) {
		return false
	}
	prefix, word, ok := cutLast(prefix)
	return ok && consistsOf(word, isLowerOrDigit) && slices.Contains(p.regions, prefix)
}

// IsRegion reports whether a name could be a region's: three words or more with
// dashes between them, at most MaxRegionLength characters.
func IsRegion(name string) bool {
	words := strings.Split(name, "-")
	return len(name) <= MaxRegionLength && len(words) >= 3 &&
		!slices.ContainsFunc(words, func(word string) bool { return !consistsOf(word, isLowerOrDigit) })
}

// IsUsual reports whether a region's name ends as those of AWS's regions today: in a
// direction and a digit from 1 to 9. A future region may not.
func IsUsual(region string) bool {
	prefix, number, _ := cutLast(region)
	_, direction, _ := cutLast(prefix)
	directions := []string{"north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "central"}
	return len(number) == 1 && number != "0" && isDigit(number[0]) && slices.Contains(directions, direction)
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// consistsOf reports whether s is not empty and each of its bytes passes.
func consistsOf(s string, passes func(byte) bool) bool {
	for i := range len(s) {
		if !passes(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isLowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || isDigit(c) }
