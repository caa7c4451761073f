package localaws

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// OperationsOf are the names of a service's operations.
func OperationsOf(name string) (names []string) {
	a, err := New(Config{})
	if err != nil {
		return nil
	}
	for _, service := range a.services() {
		if service.Name == name {
			for _, operation := range service.Operations {
				names = append(names, operation.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// EditState replaces the state by an edited one.
func (a *AWS) EditState(edit func([]byte) []byte) error {
	text, err := a.accounts.Export()
	if err != nil {
		return err
	}
	return a.accounts.Import(edit(text))
}

// AddUsers adds users without permissions, faster than API calls would. It returns
// the key of the first.
func (a *AWS) AddUsers(n int) (AccessKey, error) {
	text, err := a.accounts.Export()
	if err != nil {
		return AccessKey{}, err
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		return AccessKey{}, err
	}
	key := AccessKey{ID: "AKIAAAAAAAAAAAAAAAAA", Secret: "secret"}
	for i := range n {
		name := fmt.Sprintf("added-%d", i)
		user := map[string]any{"name": name, "path": "/", "id": fmt.Sprintf("AIDA%017d", i), "arn": a.account.ARN("iam", "", "user/"+name)}
		if i == 0 {
			user["accessKeys"] = []any{map[string]any{"id": key.ID, "secret": key.Secret, "active": true}}
		}
		state["users"].(map[string]any)[name] = user
	}
	if text, err = json.Marshal(state); err != nil {
		return AccessKey{}, err
	}
	return key, a.accounts.Import(text)
}

// OpenSession opens a session of a role, as one of AWS's services does.
func (a *AWS) OpenSession(roleARN string) (key AccessKey, token string, err error) {
	owner, served := a.accounts.Account(account.OfARN(roleARN))
	if !served {
		return key, "", fmt.Errorf("no account of %s", roleARN)
	}
	err = owner.Update(func(tx *account.Tx) error {
		role, ok := tx.Identities().Role(roleARN)
		if !ok {
			return fmt.Errorf("no role %s", roleARN)
		}
		opened := &account.Session{RoleID: role.ID, Name: "service"}
		tx.Identities().OpenSession(tx, opened, time.Hour)
		key, token = AccessKey{ID: opened.AccessKeyID, Secret: opened.Secret}, opened.Token
		return nil
	})
	return key, token, err
}
