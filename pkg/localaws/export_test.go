package localaws

import (
	"encoding/json"
	"fmt"
	"slices"
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
