package iam

import "github.com/kube-iam/authenticator/pkg/localaws/internal/account"

// A Key is a long-term access key.
type Key struct{ ID, Secret string }

// AdministratorName is the name of the user who has full access.
const AdministratorName = "administrator"

// addAdministrator ensures that the user administrator exists with its key.
func (s *state) addAdministrator(tx *account.Tx, key Key) {
	u, ok := s.Users[AdministratorName]
	if !ok {
		u = &user{entity: entity{
			Name: AdministratorName, Path: "/", ID: account.NewID("AIDA", 17), Created: tx.Time,
			ARN: tx.ARN("iam", "", "user/"+AdministratorName), Attached: []string{"arn:" + tx.Account.Partition + ":iam::aws:policy/AdministratorAccess"},
		}}
		s.Users[AdministratorName] = u
	}
	if key == (Key{}) && len(u.Keys) > 0 {
		key = Key{u.Keys[0].ID, u.Keys[0].Secret}
	}
	if key == (Key{}) {
		key = Key{account.NewID("AKIA", 16), account.NewSecret()}
	}
	if _, ok := s.keys[key.ID]; !ok {
		s.addKey(&accessKey{user: u, ID: key.ID, Secret: key.Secret, Active: true, Created: tx.Time})
	}
	s.administrator = key
}

// Administrator returns the access key of the user administrator.
func Administrator(tx *account.Tx) Key { return account.Get[*state](tx).administrator }

// Count returns how many users, groups and roles there are.
func Count(tx *account.Tx) (users, groups, roles int) {
	s := account.Get[*state](tx)
	return len(s.Users), len(s.Groups), len(s.Roles)
}
