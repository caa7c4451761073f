package token

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/partition"
)

// Hosts are the STS endpoints that tokens may name: those of one partition, or of
// some of its regions, and optionally one endpoint that is not AWS's. The zero
// value accepts none.
type Hosts struct {
	partition partition.Partition
	regions   []string
	// endpoint is the one that is not AWS's, as scheme://host:port; empty for none.
	endpoint string
}

// NewHosts returns the STS endpoints of a partition. If regions are given, exactly
// those are accepted: they may be fewer than the partition has, or newer than this
// program.
func NewHosts(name string, regions ...string) (Hosts, error) {
	p, err := partition.Named(name)
	if err != nil {
		return Hosts{}, err
	}
	for _, region := range regions {
		if !partition.IsRegion(region) {
			return Hosts{}, fmt.Errorf("region %q is not a region name (expected one like eu-west-2)", region)
		}
	}
	return Hosts{partition: p, regions: slices.Clone(regions)}, nil
}

// WithEndpoint returns the hosts and one more endpoint, for clients that set
// AWS_ENDPOINT_URL. That endpoint decides who a token belongs to, so a token must
// name exactly its scheme, host and port. The token may be signed for any region
// that the hosts accept.
//
// The endpoint is scheme://host:port, spelled as in tokens: in lower case, and
// without the scheme's default port, which clients do not sign. It may be http on
// loopback only.
func (h Hosts) WithEndpoint(endpoint string) (Hosts, error) {
	origin := strings.TrimSuffix(endpoint, "/")
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return Hosts{}, errors.New("the endpoint is not scheme://host:port (expected one like http://127.0.0.1:4566)")
	}
	switch {
	case !consistsOf(u.Host, isOriginByte):
		return Hosts{}, fmt.Errorf("the endpoint's host %q has other characters than lower-case letters, digits, dots and dashes", u.Host)
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && !isPort(u.Port()):
		return Hosts{}, fmt.Errorf("the endpoint's port %q is not a number from 1 to 65535", u.Port())
	case u.Scheme != "http" && u.Scheme != "https":
		return Hosts{}, fmt.Errorf("the endpoint's scheme %q is not supported (supported: https, http)", u.Scheme)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return Hosts{}, fmt.Errorf("the endpoint's host %q is not loopback: use https, since http is allowed on loopback only", u.Host)
	case u.Port() == defaultPort(u.Scheme):
		return Hosts{}, fmt.Errorf("the endpoint names port %s, the default of %s: omit it, as clients do when they sign", u.Port(), u.Scheme)
	}
	if _, ok := h.Region(u.Host); ok {
		return Hosts{}, fmt.Errorf("the endpoint %s is AWS's and is always accepted", origin)
	}
	h.endpoint = origin
	return h, nil
}

// Endpoint returns the endpoint that is not AWS's; empty if there is none.
func (h Hosts) Endpoint() string { return h.endpoint }

// Origin returns the scheme and host of an accepted endpoint, such as
// https://sts.eu-west-2.amazonaws.com.
func (h Hosts) Origin(host string) string {
	if _, endpoint, _ := strings.Cut(h.endpoint, "://"); host != "" && host == endpoint {
		return h.endpoint
	}
	return "https://" + host
}

// cutEndpoint returns the query and the host of a URL of the endpoint that is not
// AWS's, and reports whether it is one.
func (h Hosts) cutEndpoint(url string) (query, host string, ok bool) {
	if h.endpoint == "" {
		return "", "", false
	}
	query, ok = strings.CutPrefix(url, h.endpoint+"/?")
	_, host, _ = strings.Cut(h.endpoint, "://")
	return query, host, ok
}

// Partition returns the name of the partition; empty for the zero value.
func (h Hosts) Partition() string { return h.partition.Name }

// Region returns the region of an STS endpoint and reports whether the endpoint is
// accepted. The global endpoint's region is us-east-1.
func (h Hosts) Region(host string) (region string, ok bool) {
	region, ok = h.partition.STSRegion(host)
	return region, ok && h.accepts(region)
}

func (h Hosts) accepts(region string) bool {
	if len(h.regions) == 0 {
		return h.partition.Has(region)
	}
	return slices.Contains(h.regions, region)
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

// consistsOf reports whether s is not empty and all of its bytes pass.
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
