package token

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A partition is one of AWS's separate clouds, with the names of its STS
// endpoints: sts.<region>.<suffix>.
type partition struct {
	name string
	// regions begin with one of these; then come a word and a number:
	// eu-west-2, us-gov-east-1.
	regions []string
	// suffix of the plain and of the dual-stack endpoints.
	suffix, dualStack string
	// plainIsFIPS: sts-fips.<region>.<suffix> does not exist, since the plain
	// endpoint is the FIPS one.
	plainIsFIPS bool
	// global is the endpoint of no region, if there is one; us-east-1 signs for it.
	global string
}

const globalRegion = "us-east-1"

// partitions is AWS's table: what the endpoint rules of its SDKs generate.
func partitions() []partition {
	return []partition{
		{name: "aws", regions: []string{"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"}, suffix: "amazonaws.com", dualStack: "api.aws", global: "sts.amazonaws.com"},
		{name: "aws-cn", regions: []string{"cn"}, suffix: "amazonaws.com.cn", dualStack: "api.amazonwebservices.com.cn"},
		{name: "aws-us-gov", regions: []string{"us-gov"}, suffix: "amazonaws.com", dualStack: "api.aws", plainIsFIPS: true},
		{name: "aws-iso", regions: []string{"us-iso"}, suffix: "c2s.ic.gov", dualStack: "api.aws.ic.gov"},
		{name: "aws-iso-b", regions: []string{"us-isob"}, suffix: "sc2s.sgov.gov", dualStack: "api.aws.scloud"},
		{name: "aws-iso-e", regions: []string{"eu-isoe"}, suffix: "cloud.adc-e.uk", dualStack: "api.cloud-aws.adc-e.uk"},
		{name: "aws-iso-f", regions: []string{"us-isof"}, suffix: "csp.hci.ic.gov", dualStack: "api.aws.hci.ic.gov"},
		{name: "aws-eusc", regions: []string{"eusc-de"}, suffix: "amazonaws.eu", dualStack: "api.amazonwebservices.eu"},
	}
}

// Partitions are the names of AWS's partitions.
func Partitions() []string {
	var names []string
	for _, p := range partitions() {
		names = append(names, p.name)
	}
	return names
}

// Hosts are the STS endpoints that tokens may name: those of one partition, and
// of certain regions if so restricted, and perhaps one that is not AWS's. The
// zero value accepts none.
type Hosts struct {
	partition partition
	regions   []string
	// endpoint is the one that is not AWS's, as scheme://host:port; empty for none.
	endpoint string
}

// NewHosts are the STS endpoints of a partition. Regions, if any are given, are
// exactly those accepted: fewer than the partition has, or one that is newer
// than this program.
func NewHosts(name string, regions ...string) (Hosts, error) {
	all := partitions()
	i := slices.IndexFunc(all, func(p partition) bool { return p.name == name })
	if i < 0 {
		return Hosts{}, fmt.Errorf("partition %q is none of %s", name, strings.Join(Partitions(), ", "))
	}
	for _, region := range regions {
		if !isRegion(region) {
			return Hosts{}, fmt.Errorf("region %q is not the name of a region, like eu-west-2", region)
		}
	}
	return Hosts{partition: all[i], regions: slices.Clone(regions)}, nil
}

// WithEndpoint are the hosts and one endpoint besides, for clients that are told
// of it by AWS_ENDPOINT_URL. Whoever answers there says who a token is, so a
// token must name it by this very scheme, host and port; it may be signed for
// any region that the hosts accept.
//
// The endpoint is scheme://host:port, spelled as in tokens: in small letters, and
// without the port that the scheme has anyway, which no client signs. It is http
// on loopback only.
func (h Hosts) WithEndpoint(endpoint string) (Hosts, error) {
	origin := strings.TrimSuffix(endpoint, "/")
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return Hosts{}, errors.New("the endpoint is not scheme://host:port and nothing else, such as http://127.0.0.1:4566")
	}
	switch {
	case !consistsOf(u.Host, isOriginByte):
		return Hosts{}, fmt.Errorf("the endpoint's host %q has more than small letters, digits, dots and dashes", u.Host)
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && !isPort(u.Port()):
		return Hosts{}, fmt.Errorf("the endpoint's port %q is not 1 to 65535", u.Port())
	case u.Scheme != "http" && u.Scheme != "https":
		return Hosts{}, fmt.Errorf("the endpoint's scheme %q is neither https nor http", u.Scheme)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return Hosts{}, fmt.Errorf("the endpoint's host %q is not loopback, and only there is http enough: use https", u.Host)
	case u.Port() == defaultPort(u.Scheme):
		return Hosts{}, fmt.Errorf("the endpoint names port %s, which is %s's anyway: leave it out, as clients do when they sign", u.Port(), u.Scheme)
	}
	if _, ok := h.Region(u.Host); ok {
		return Hosts{}, fmt.Errorf("the endpoint %s is AWS's, and is accepted anyway", origin)
	}
	h.endpoint = origin
	return h, nil
}

// Endpoint is the one that is not AWS's; empty if there is none.
func (h Hosts) Endpoint() string { return h.endpoint }

// cutEndpoint answers the query of a URL of the endpoint that is not AWS's, and
// the endpoint's host, and reports whether it is one.
func (h Hosts) cutEndpoint(url string) (query, host string, ok bool) {
	if h.endpoint == "" {
		return "", "", false
	}
	query, ok = strings.CutPrefix(url, h.endpoint+"/?")
	_, host, _ = strings.Cut(h.endpoint, "://")
	return query, host, ok
}

// Partition is the name of the partition; empty for the zero value.
func (h Hosts) Partition() string { return h.partition.name }

// Region answers the region of an STS endpoint and reports whether the endpoint
// is accepted. The global endpoint's region is us-east-1.
func (h Hosts) Region(host string) (region string, ok bool) {
	if host == "" {
		return "", false
	}
	if host == h.partition.global {
		return globalRegion, h.accepts(globalRegion)
	}
	region, ok = h.partition.region(host)
	return region, ok && h.accepts(region)
}

func (h Hosts) accepts(region string) bool {
	if h.regions == nil {
		return h.partition.has(region)
	}
	return slices.Contains(h.regions, region)
}

// region is the part of an endpoint's name between service and suffix.
func (p partition) region(host string) (string, bool) {
	service, rest, _ := strings.Cut(host, ".")
	region, suffix, _ := strings.Cut(rest, ".")
	switch {
	case p.name == "" || suffix != p.suffix && suffix != p.dualStack:
		return "", false
	case service == "sts":
		return region, true
	case service == "sts-fips":
		return region, !p.plainIsFIPS || suffix == p.dualStack
	default:
		return "", false
	}
}

// has reports whether a region's name is of the partition: one of its prefixes,
// a word, a number.
func (p partition) has(region string) bool {
	prefix, number, ok := cutLast(region)
	if !ok || !consistsOf(number, isDigit) {
		return false
	}
	prefix, word, ok := cutLast(prefix)
	return ok && consistsOf(word, isLowerOrDigit) && slices.Contains(p.regions, prefix)
}

// RegionalHost is the STS endpoint of a region, of whichever partition the
// region's name shows it to be in.
func RegionalHost(region string) (string, error) {
	for _, p := range partitions() {
		if p.has(region) {
			return "sts." + region + "." + p.suffix, nil
		}
	}
	return "", fmt.Errorf("region %q is not the name of an AWS region, like eu-west-2", region)
}

// isRegion reports whether a name could be a region's: words and dashes.
func isRegion(name string) bool {
	words := strings.Split(name, "-")
	return len(words) >= 3 && !slices.ContainsFunc(words, func(word string) bool { return !consistsOf(word, isLowerOrDigit) })
}

func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
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
func isUpperOrDigit(c byte) bool { return 'A' <= c && c <= 'Z' || isDigit(c) }
func isOriginByte(c byte) bool   { return isLowerOrDigit(c) || strings.IndexByte("-._:[]", c) >= 0 }
func isLowerHex(c byte) bool     { return 'a' <= c && c <= 'f' || isDigit(c) }
