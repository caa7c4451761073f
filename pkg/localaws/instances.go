package localaws

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/ec2"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/imds"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// Instance is an EC2 instance.
type Instance = ec2.Instance

// IMDS returns the metadata service of an instance, as at 169.254.169.254. It hands
// out credentials of the role in the instance's profile to every client, so its
// listener must be reachable by the instance only.
func (a *AWS) IMDS(instanceID string) (http.Handler, error) { return a.metadata.Handler(instanceID) }

// ServeIMDS serves the metadata of an instance (see [AWS.IMDS]) on a listener until
// ctx ends. Clients must be on this machine or in one of the allowed networks.
func (a *AWS) ServeIMDS(ctx context.Context, instanceID string, listener net.Listener, allow []netip.Prefix) error {
	if err := CheckAllow(listener, allow); err != nil {
		return err
	}
	handler, err := a.IMDS(instanceID)
	if err != nil {
		return err
	}
	return a.serve(ctx, proxy.Only(listener, allow, a.log), imds.ByAddress(handler))
}

// An instanceJSON is an instance in the response of the control endpoint.
type instanceJSON struct {
	Instance
	// MetadataEndpoint is the AWS_EC2_METADATA_SERVICE_ENDPOINT for clients that act
	// as if on the instance.
	MetadataEndpoint string `json:"metadataEndpoint,omitempty"`
}

// listInstances returns all instances, account by account in launch order, and their
// metadata addresses.
func (a *AWS) listInstances() ([]instanceJSON, error) {
	var all []instanceJSON
	var ids []string
	for _, one := range a.accounts.All() {
		one.View(func(tx *account.Tx) {
			for _, i := range ec2.Instances(tx) {
				all, ids = append(all, instanceJSON{Instance: i}), append(ids, i.ID)
			}
		})
	}
	addresses, err := a.metadata.Addresses(ids)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if address, ok := addresses[all[i].ID]; ok {
			all[i].MetadataEndpoint = "http://" + address + "/" // AWS CLI 2.9 breaks without the slash
		}
	}
	return all, nil
}
