package eks

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// An APIServer is a Kubernetes API server bound to a cluster name, whether or not
// that cluster exists. It lasts for this run and is not part of the state.
type APIServer struct {
	Endpoint string
	CA       []byte // PEM
}

// Servers are the API servers that are bound to clusters. Only transactions may call
// its methods.
type Servers struct {
	byARN  map[string]APIServer // the ARN of their cluster
	domain string               // of the endpoints of clusters without one
	ca     []byte
}

// NewServers returns no servers. The endpoints of clusters without one are in the
// domain, and their CA is this one, in PEM: clients expect a certificate.
func NewServers(domain string, ca []byte) *Servers {
	return &Servers{map[string]APIServer{}, domain, ca}
}

func (s *Servers) bound(c *cluster) bool {
	_, ok := s.byARN[c.ARN]
	return ok
}

// of returns the API server of a cluster, or what stands in for it.
func (s *Servers) of(c *cluster) APIServer {
	if server, ok := s.byARN[c.ARN]; ok {
		return server
	}
	return APIServer{"https://" + c.id() + ".gr7." + c.Region + ".eks" + s.domain, s.ca}
}

// Cluster describes a cluster of EKS.
type Cluster struct {
	Name, Region, ARN, Version string
	// Endpoint is the URL of the API server; empty without one.
	Endpoint string
	// CreatorARN is the user, or the role without its path, that created the
	// cluster. An authenticator for the cluster maps this ARN as the cluster owner.
	CreatorARN string
	// AuthenticationMode is CONFIG_MAP, API_AND_CONFIG_MAP or API.
	AuthenticationMode string
	// AccessEntries are sorted by their principals.
	AccessEntries []AccessEntry
	Created       time.Time
	Tags          map[string]string
}

// AccessEntry maps a user or a role to a user of a cluster.
type AccessEntry struct {
	// PrincipalARN is the ARN of the user or the role, with its path. PrincipalID is its
	// unique ID, empty for one of an account that does not exist here.
	PrincipalARN, PrincipalID string
	// Username may have placeholders, such as {{SessionName}}.
	Username string
	Groups   []string
	// Policies are the associated access policies, sorted by their ARNs.
	Policies []AccessPolicy
}

// AccessPolicy is an access policy of EKS that is associated with an access entry.
type AccessPolicy struct {
	ARN string
	// Namespaces are patterns of the namespaces for which it applies: * matches any
	// characters. Empty means the whole cluster.
	Namespaces []string
}

// CheckServer validates the name of a cluster and the endpoint of its API server.
func CheckServer(name, endpoint string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("registering cluster %q: expected a name of 1 to 100 letters, digits, - and _", name)
	}
	if _, err := addressOf(endpoint); err != nil {
		return fmt.Errorf("registering cluster %s: %w", name, err)
	}
	return nil
}

// Register binds an API server to a cluster name. If the cluster does not exist, the
// creator creates it.
func (s *Servers) Register(tx *account.Tx, region, name string, server APIServer, creator string) {
	arn := clusterARN(tx, region, name)
	s.byARN[arn] = server
	clusters := account.Get[*state](tx).Clusters
	if _, ok := clusters[arn]; !ok {
		clusters[arn] = &cluster{
			Name: name, Region: region, ARN: arn, Version: defaultVersion, Created: tx.Time, Tags: map[string]string{},
			RoleARN: tx.ARN("iam", "", "role/eks-cluster-role"), VPC: registeredVPC(tx, region), Creator: creator,
		}
	}
}

// Cluster returns the cluster with the name in the region, and whether it exists.
func (s *Servers) Cluster(tx *account.Tx, region, name string) (Cluster, bool) {
	c, ok := account.Get[*state](tx).Clusters[clusterARN(tx, region, name)]
	if !ok {
		return Cluster{}, false
	}
	return Cluster{
		Name: c.Name, Region: c.Region, ARN: c.ARN, Version: c.Version,
		Endpoint: s.byARN[c.ARN].Endpoint, CreatorARN: c.Creator, Created: c.Created, Tags: maps.Clone(c.Tags),
		AuthenticationMode: c.mode(), AccessEntries: c.accessEntries(),
	}, true
}

func (c *cluster) accessEntries() []AccessEntry {
	var all []AccessEntry
	for _, e := range accessEntries().all(c) {
		entry := AccessEntry{PrincipalARN: e.Principal, PrincipalID: e.PrincipalID, Username: e.Username, Groups: slices.Clone(e.Groups)}
		for _, arn := range slices.Sorted(maps.Keys(e.Policies)) {
			entry.Policies = append(entry.Policies, AccessPolicy{arn, slices.Clone(e.Policies[arn].Scope.Namespaces)})
		}
		all = append(all, entry)
	}
	return all
}

// Count returns the number of clusters in all regions.
func (s *Servers) Count(tx *account.Tx) int { return len(account.Get[*state](tx).Clusters) }

// Dial returns the address of a cluster's API server, and whether the host and port
// are those of one.
func (s *Servers) Dial(tx *account.Tx, hostPort string) (address string, ok bool) {
	for arn := range account.Get[*state](tx).Clusters {
		if server, bound := s.byARN[arn]; bound {
			if found, err := addressOf(server.Endpoint); err == nil && strings.EqualFold(found, hostPort) {
				return found, true
			}
		}
	}
	return "", false
}

// addressOf returns the host and port of an https URL.
func addressOf(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("expected an https URL, not %q", endpoint)
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), nil
}
