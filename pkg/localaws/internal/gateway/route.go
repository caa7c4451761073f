package gateway

import (
	"net"
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
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for label := range strings.SplitSeq(strings.ToLower(host), ".") {
		if service := g.find(strings.TrimSuffix(label, "-fips")); service != nil {
			return service.Name
		}
	}
	return ""
}

// regionOf returns the region of an AWS host name, or "" for other hosts.
func regionOf(host string) string {
	for label := range strings.SplitSeq(strings.ToLower(host), ".") {
		if _, ok := account.PartitionOf(label); ok {
			return label
		}
	}
	return ""
}
