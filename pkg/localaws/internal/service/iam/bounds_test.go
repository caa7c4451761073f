package iam

import (
	"strconv"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
)

// callIn returns a call in a state, outside of any account.
func callIn(s *state, parameters ...string) *call {
	form := api.Form{}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		form[name] = []string{value}
	}
	return &call{&account.Tx{Account: &account.Account{ID: "111122223333", Partition: "aws"}}, form, s}
}

// TestBounds fills an account up to each bound.
func TestBounds(t *testing.T) {
	const document = `PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	for name, test := range map[string]struct {
		fill   func(s *state)
		create func(s *state, name string) error
		says   string
	}{
		"policies": {
			func(s *state) {
				for n := range maxPolicies - 1 {
					s.Policies[strconv.Itoa(n)] = &managedPolicy{}
				}
			},
			func(s *state, name string) error {
				_, err := createPolicy(callIn(s, "PolicyName="+name, document))
				return err
			},
			"Cannot exceed quota for PoliciesPerAccount: 1500",
		},
		"MFA devices": {
			func(s *state) {
				for n := range maxMFADevices - 1 {
					s.MFADevices[strconv.Itoa(n)] = &mfaDevice{}
				}
			},
			func(s *state, name string) error {
				_, err := createMFADevice(callIn(s, "VirtualMFADeviceName="+name))
				return err
			},
			"Cannot exceed quota for MFADevicesPerAccount: 5000",
		},
	} {
		s := newState(managedpolicy.New("aws"))
		test.fill(s)
		if err := test.create(s, "last"); err != nil {
			t.Errorf("the last of the %s: %v", name, err)
		}
		if err := test.create(s, "more"); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("one more of the %s: %v, want %q", name, err, test.says)
		}
	}
}

// TestDeletionsAreBounded checks that the oldest deletion makes room for another.
func TestDeletionsAreBounded(t *testing.T) {
	s := newState(managedpolicy.New("aws"))
	for n := range 2 * maxDeletions {
		s.Roles["r"] = &role{entity: entity{Name: "r", Path: serviceLinkedPath + "a/", ID: strconv.Itoa(n)}}
		if _, err := deleteServiceLinkedRole(callIn(s, "RoleName=r")); err != nil {
			t.Fatal(err)
		}
		last := s.Deletions[len(s.Deletions)-1]
		if _, err := getDeletionStatus(callIn(s, "DeletionTaskId="+last)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Deletions) != maxDeletions {
		t.Errorf("%d deletions", len(s.Deletions))
	}
}

// TestInvalidPasswordPolicy checks that no state has a policy that a call cannot set.
func TestInvalidPasswordPolicy(t *testing.T) {
	for _, p := range []passwordPolicy{{MinimumLength: -1}, {MaxAge: -1}, {Reuse: -1}} {
		s := newState(managedpolicy.New("aws"))
		s.PasswordPolicy = &p
		if err := s.Check(); err == nil {
			t.Errorf("%+v: no error", p)
		}
	}
}

// TestDefaultPasswordPolicy checks that a password has three of four types of characters.
func TestDefaultPasswordPolicy(t *testing.T) {
	p := newState(managedpolicy.New("aws")).passwordPolicy()
	for text, good := range map[string]bool{
		"abcdefgh": false, "abcdefG1": true, "abcdefg1": false, "abcdef-1": true, "ABCDEF-1": true, "abcdeF-g": true, "12345-78": false, "aB-1": false,
	} {
		if why := p.breach(text, "bob"); (why == "") != good {
			t.Errorf("%s: %q", text, why)
		}
	}
}
