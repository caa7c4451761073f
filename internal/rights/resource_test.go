package rights_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/rights"
)

func resources() []rights.Resource {
	return []rights.Resource{
		{Name: "pods", Singular: "pod", ShortNames: []string{"po"}, Subresources: []string{"log", "exec"}, Namespaced: true},
		{Name: "nodes", Singular: "node", ShortNames: []string{"no"}},
		{Name: "events", Singular: "event", Namespaced: true},
		{Group: "apps", Name: "deployments", Singular: "deployment", ShortNames: []string{"deploy"}, Subresources: []string{"scale"}, Namespaced: true},
		{Group: "events.k8s.io", Name: "events", Singular: "event", Namespaced: true},
	}
}

func TestParseAction(t *testing.T) {
	for target, want := range map[string]string{
		"pods":                        "get pods in namespace dev",
		"pod":                         "get pods in namespace dev",
		"PO":                          "get pods in namespace dev",
		"pods.":                       "get pods in namespace dev", // the core group
		"pods/log":                    "get pods/log in namespace dev; subresource log",
		"pods/web":                    "get pods/web in namespace dev; name web",
		"pods/web/log":                "get pods/web/log in namespace dev; name web; subresource log",
		"pods/*":                      "get pods/* in namespace dev; subresource *",
		"nodes":                       "get nodes",
		"deployments":                 "get deployments.apps in namespace dev",
		"deploy/web":                  "get deployments.apps/web in namespace dev; name web",
		"deployments.apps":            "get deployments.apps in namespace dev",
		"deployments.v1.apps":         "get deployments.apps in namespace dev",
		"events":                      "get events in namespace dev",
		"events.events.k8s.io":        "get events.events.k8s.io in namespace dev",
		"users":                       "get users",
		"users/alice":                 "get users/alice; name alice",
		"signers.certificates.k8s.io": "get signers.certificates.k8s.io",
		"*":                           "get *.* in namespace dev",
		"*.apps":                      "get *.apps in namespace dev",
		"/healthz":                    "get /healthz",
		"/":                           "get /",
	} {
		got, err := rights.ParseAction("get", target, "dev", resources())
		text := got.String()
		if got.Name != "" {
			text += "; name " + got.Name
		}
		if got.Subresource != "" {
			text += "; subresource " + got.Subresource
		}
		if err != nil || text != want {
			t.Errorf("%s: %s, %v; want %s", target, text, err, want)
		}
	}
}

func TestParseActionRejects(t *testing.T) {
	for target, want := range map[string]string{
		"":                 "expected RESOURCE",
		"pods/":            "expected RESOURCE",
		"pods//log":        "expected RESOURCE",
		"pods/a/b/c":       "expected RESOURCE",
		"deployments.core": `no resource "deployments.core"`,
		"pdos":             `no resource "pdos"`,
	} {
		if got, err := rights.ParseAction("get", target, "", resources()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %s", target, got, err, want)
		}
	}
	if got, err := rights.ParseAction("get", "pods", "", resources()); err != nil || got.String() != "get pods in all namespaces" {
		t.Error(got, err)
	}
	if _, err := rights.ParseAction("", "pods", "", resources()); err == nil {
		t.Error("a verb that is empty is accepted")
	}
	_, err := rights.ParseAction("get", "deploymnets.apps", "", resources())
	if unknown, ok := errors.AsType[*rights.UnknownResourceError](err); !ok || unknown.Nearest != "deployments.apps" {
		t.Errorf("%v", err)
	}
}
