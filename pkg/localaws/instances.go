package localaws

import (
	"maps"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// The methods of [account.Instances]: what the metadata service asks of EC2.

var _ account.Instances = (*state)(nil)

// Instance returns the instance with an ID.
func (s *state) Instance(id string) (account.Instance, bool) {
	i, ok := s.Instances[id]
	if !ok {
		return account.Instance{}, false
	}
	return account.Instance{
		ID: i.ID, State: i.State, Region: i.Region, Zone: i.zone(), Image: i.Image, Type: i.Type,
		Reservation: i.Reservation, LaunchIndex: i.LaunchIndex, Launched: i.Launched, PrivateDNSName: i.PrivateDNSName, PrivateIP: i.PrivateIP,
		Tags: maps.Clone(i.Tags), Profile: i.InstanceProfile, Metadata: i.Metadata, Session: i.Session,
	}, true
}

// SetSession keeps the access key ID of an instance's credentials.
func (s *state) SetSession(id, accessKeyID string) {
	if i, ok := s.Instances[id]; ok {
		i.Session = accessKeyID
	}
}
