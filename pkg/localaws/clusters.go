package localaws

import (
	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/eks"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/iam"
)

type (
	// Cluster describes a cluster of EKS.
	Cluster = eks.Cluster
	// AccessEntry maps a user or a role to a user of a cluster.
	AccessEntry = eks.AccessEntry
	// AccessPolicy is an access policy of EKS that is associated with an access entry.
	AccessPolicy = eks.AccessPolicy
)

// RegisterCluster binds an API server to a cluster name: DescribeCluster returns its
// URL and CA (in PEM), and the proxy dials it. If the cluster does not exist, the
// administrator creates it. The binding survives deleting and creating the cluster
// again. It lasts for this run: no state file keeps it. The cluster is in the first
// account.
func (a *AWS) RegisterCluster(region, name, endpoint string, ca []byte) error {
	if err := eks.CheckServer(name, endpoint); err != nil {
		return err
	}
	return a.account.Update(func(tx *account.Tx) error {
		a.apiServers.Register(tx, region, name, eks.APIServer{Endpoint: endpoint, CA: ca}, tx.ARN("iam", "", "user/"+iam.AdministratorName))
		return nil
	})
}

// Cluster returns the cluster with the name in the region of the first account, and
// whether it exists.
func (a *AWS) Cluster(region, name string) (found Cluster, ok bool) {
	a.account.View(func(tx *account.Tx) { found, ok = a.apiServers.Cluster(tx, region, name) })
	return found, ok
}

// DefaultSubnets returns the IDs of the default VPC's subnets in a region of the first
// account, one for each availability zone. A cluster can be created in them.
func (a *AWS) DefaultSubnets(region string) (ids []string) {
	a.account.View(func(tx *account.Tx) {
		for _, subnet := range tx.Networks().DefaultSubnets(tx, region) {
			ids = append(ids, subnet.ID)
		}
	})
	return ids
}

// Changed returns a channel that is closed at the next change of an account. Whoever reads
// the accounts after this call, and again when the channel is closed, misses no change.
func (a *AWS) Changed() <-chan struct{} { return a.accounts.Changed() }

// endpoint reports whether the proxy may dial a host besides AWS's, and its address.
func (a *AWS) endpoint(hostPort string) (address string, ok bool) {
	for _, one := range a.accounts.All() {
		if one.View(func(tx *account.Tx) { address, ok = a.apiServers.Dial(tx, hostPort) }); ok {
			break
		}
	}
	return address, ok
}
