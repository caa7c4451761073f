package iam

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
)

// TestLink checks that references to roles and users survive writing and reading a
// state.
func TestLink(t *testing.T) {
	s := newState(managedpolicy.New("aws"))
	u, r := &user{entity: entity{Name: "bob", ID: "AIDA1"}}, &role{entity: entity{Name: "r", ID: "AROA1"}, Trusted: map[string]string{"arn": "AIDA1"}}
	if err := r.Trust.UnmarshalText([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)); err != nil {
		t.Fatal(err)
	}
	s.Users["bob"], s.Roles["r"] = u, r
	s.Profiles["full"], s.Profiles["empty"] = &instanceProfile{Name: "full", Role: r.ID, role: r}, &instanceProfile{Name: "empty"}
	s.MFADevices["used"], s.MFADevices["free"] = &mfaDevice{Serial: "used", UserID: u.ID, user: u, Drift: -3}, &mfaDevice{Serial: "free"}
	s.Deletions = []string{"task/x"}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	read := newState(managedpolicy.New("aws"))
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	if err := read.Check(); err != nil {
		t.Fatal(err)
	}
	if read.Profiles["full"].role != read.Roles["r"] || read.Profiles["empty"].role != nil {
		t.Error("the roles of instance profiles differ")
	}
	if read.MFADevices["used"].user != read.Users["bob"] || read.MFADevices["free"].user != nil || read.MFADevices["used"].Drift != -3 {
		t.Error("the users of MFA devices differ")
	}
	if read.Roles["r"].Trusted["arn"] != "AIDA1" || read.Roles["r"].Trust.Document == nil || len(read.Deletions) != 1 {
		t.Errorf("role %+v, deletions %q", read.Roles["r"], read.Deletions)
	}
}

// TestServicesHaveNames checks that reports of accesses name every service that an
// AWS-managed policy grants.
func TestServicesHaveNames(t *testing.T) {
	names := serviceNames()
	for p := range managedpolicy.New("aws").All() {
		for _, service := range p.Document.Services() {
			if names[service] == "" {
				t.Errorf("%s, which %s grants, has no name", service, p.Name)
			}
		}
	}
}

// TestStoredTrustPolicies checks that a trust policy that was accepted before loads,
// even if a new one like it is refused.
func TestStoredTrustPolicies(t *testing.T) {
	const text = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:*"}]}`
	encoded, err := json.Marshal(map[string]any{"roles": map[string]any{"r": map[string]string{"name": "r", "trust": text}}})
	if err != nil {
		t.Fatal(err)
	}
	read := newState(managedpolicy.New("aws"))
	if err := errors.Join(json.Unmarshal(encoded, read), read.Check()); err != nil {
		t.Fatal(err)
	}
	if got := read.Roles["r"].Trust.text; got != text {
		t.Errorf("the policy is now %s", got)
	}
}
