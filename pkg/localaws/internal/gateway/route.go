package gateway

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// find returns the service with a name; nil if there is none.
func (g *Gateway) find(name string) *api.Service {
	for i := range g.services {
		if g.services[i].Name == name {
			return &g.services[i]
		}
	}
	return nil
}

// unknownService returns the refusal of a request to a service, or to an unnamed one
// at a host.
func (g *Gateway) unknownService(name, host string) *api.Error {
	called := "the service at host " + strconv.Quote(cut(host, 256))
	if name != "" {
		called = "the service " + strconv.Quote(cut(name, 64))
	}
	return api.Refuse(http.StatusBadRequest, "UnknownService", "localaws does not serve "+called+" (supported: "+g.titles()+")")
}

// titles lists the services in a sentence.
func (g *Gateway) titles() string {
	var b strings.Builder
	for i, service := range g.services {
		switch {
		case i == len(g.services)-1 && i > 0:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(service.Title)
	}
	return b.String()
}

// serviceOf returns the service behind an AWS host name, or "" for other hosts.
func (g *Gateway) serviceOf(host string) string {
	for label := range labels(host) {
		if service := g.find(strings.TrimSuffix(label, "-fips")); service != nil {
			return service.Name
		}
	}
	return ""
}

// askedOf returns the service whose requests alone look like this one, or "". At an
// endpoint for all services, nothing else tells the service of an unsigned request.
func (g *Gateway) askedOf(r *api.Request) string {
	for _, service := range g.services {
		if service.Protocol.Addresses(r) {
			return service.Name
		}
	}
	return ""
}

// regionOf returns the region of an AWS host name, or "" for other hosts.
func regionOf(host string) string {
	for label := range labels(host) {
		if _, ok := account.PartitionOf(label); ok {
			return label
		}
	}
	return ""
}

// globalRegion returns the region that signatures for a global endpoint name, such as
// sts.amazonaws.com, or "" for other hosts.
func globalRegion(host string) string {
	name := hostname(host)
	switch {
	case regionOf(host) != "":
		return ""
	case strings.HasSuffix(name, ".us-gov.amazonaws.com"):
		return "us-gov-west-1"
	case strings.HasSuffix(name, ".amazonaws.com.cn"):
		return "cn-north-1"
	case strings.HasSuffix(name, ".amazonaws.com"), strings.HasSuffix(name, ".global.api.aws"):
		return "us-east-1"
	}
	return ""
}

// labels returns the labels of a host name.
func labels(host string) func(yield func(string) bool) { return strings.SplitSeq(hostname(host), ".") }

// hostname returns a host in lower case, without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}
