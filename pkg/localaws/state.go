package localaws

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A state is what EC2 keeps in an account.
type state struct {
	Instances map[string]*instance `json:"instances"` // by ID

	aws *AWS
}

func newState(a *AWS) *state { return &state{Instances: map[string]*instance{}, aws: a} }

// Check validates a state: everything is present and under the right key.
func (s *state) Check() error {
	return account.CheckAll("instance", s.Instances, func(i *instance) (string, error) { return i.ID, i.check() })
}

// check validates the instance and fills in defaults.
func (i *instance) check() error {
	given := []Instance{i.Instance}
	err := checkInstances(given)
	i.Instance = given[0]
	if i.Tags == nil {
		i.Tags = map[string]string{}
	}
	return err
}

// lower returns the key of a case-insensitive name.
func lower(name string) string { return strings.ToLower(name) }
