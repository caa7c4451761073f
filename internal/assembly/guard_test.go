package assembly

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// guardOfAWSAuth returns a guard of a cluster without an owner, and a source that reads
// aws-auth.
func guardOfAWSAuth(t *testing.T) (*Guard, source.Source) {
	t.Helper()
	options := awsauth.Options{Source: settings.BackendEKSConfigMap}
	awsAuth, err := configmap.New(configmap.Config{REST: &rest.Config{Host: "http://127.0.0.1:1"}, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	owner, err := mapper.Owner("aws")
	if err != nil {
		t.Fatal(err)
	}
	return newGuard(cluster.Config{ID: "c", Owner: owner}, options), awsAuth
}

// TestGuardFollowsTheSources switches the sources of a cluster, as the file of the backend
// mode does: aws-auth and the IAMIdentityMappings are guarded
// only while they are one of them.
func TestGuardFollowsTheSources(t *testing.T) {
	t.Parallel()
	guarding, awsAuth := guardOfAWSAuth(t)
	old := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{
		"mapRoles": "- rolearn: arn:aws:iam::231144931069:role/Admin\n  username: admin:{{SessionName}}\n  groups: [system:masters]\n",
	}}}
	mappings, err := crd.New(crd.Config{REST: &rest.Config{Host: "http://127.0.0.1:1"}, Options: awsauth.Options{Source: settings.BackendCRD}})
	if err != nil {
		t.Fatal(err)
	}
	mapping := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "x"}}}
	missing := func(name string) source.Source { return source.NewMissing(name, errors.New("no such file")) }
	for _, sources := range [][]source.Source{nil, {awsAuth}, {awsAuth, mappings}, {awsAuth, missing(settings.BackendCRD)}} {
		// It is not read yet, so that a guard of it cannot judge.
		if _, err := guarding.With(sources).Judge(admission.Edit{Name: "iamidentitymapping/x", Old: mapping}); (err != nil) != (len(sources) == 2) {
			t.Errorf("%d sources: an edit of an IAMIdentityMapping: %v", len(sources), err)
		}
	}
	for _, test := range []struct {
		sources []source.Source
		refused bool
	}{{nil, false}, {[]source.Source{awsAuth}, true}, {[]source.Source{missing(settings.BackendEKSConfigMap)}, true}, {nil, false}} {
		verdict, err := guarding.With(test.sources).Judge(admission.Edit{Name: kube.AWSAuth, Old: old})
		if err != nil || verdict.Refused() != test.refused {
			t.Errorf("%d sources: refused is %v, want %v (%v)", len(test.sources), verdict.Refused(), test.refused, err)
		}
	}
}

// TestGuardKnowsTheOrder checks that the caller's rights are those of the first source that
// maps it, and that a source that is not read yet counts for nothing.
func TestGuardKnowsTheOrder(t *testing.T) {
	t.Parallel()
	const role = "- rolearn: arn:aws:iam::231144931069:role/Admin\n  username: admin:{{SessionName}}\n  groups: "
	guarding, awsAuth := guardOfAWSAuth(t)
	admin := source.Snapshot{Table: awsauth.Parse(map[string]string{"mapRoles": role + "[system:masters]\n"}, nil, awsauth.Options{}).Table}
	view := source.Snapshot{Table: awsauth.Parse(map[string]string{"mapRoles": role + "[view]\n"}, nil, awsauth.Options{}).Table}
	configMap := func(roles string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"mapRoles": roles}}}
	}
	ann := map[string][]string{"canonicalArn": {"arn:aws:iam::231144931069:role/Admin"}, "sessionName": {"ann"}}
	const other = "- rolearn: arn:aws:iam::231144931069:role/Other\n  username: other:{{SessionName}}\n  groups: [system:masters]\n"
	for _, test := range []struct {
		name    string
		sources []source.Source
		to      string
		refused bool
	}{
		{"alone", []source.Source{awsAuth}, other, true},
		{"an earlier source gives less", []source.Source{fixed{view}, awsAuth}, other, false},
		{"an earlier source is not read yet", []source.Source{fixed{}, awsAuth}, other, true},
		{"a later source gives less", []source.Source{awsAuth, fixed{view}}, other, true},
		{"a later source gives as much", []source.Source{awsAuth, fixed{admin}}, other, false},
		{"what a later source gives does not count", []source.Source{awsAuth, fixed{admin}}, other + role + "[view]\n", true},
	} {
		guard := guarding.With(test.sources)
		edit := admission.Edit{Name: kube.AWSAuth, Old: configMap(other + role + "[system:masters]\n"), New: configMap(test.to), Extra: ann}
		if verdict, err := guard.Judge(edit); err != nil || verdict.Refused() != test.refused {
			t.Errorf("%s: refused is %v, want %v: %q (%v)", test.name, verdict.Refused(), test.refused, verdict.Losses, err)
		}
	}
}

// fixed is a source that does not change.
type fixed struct{ snapshot source.Snapshot }

func (fixed) Name() string               { return "fixed" }
func (fixed) Run(context.Context)        {}
func (f fixed) Current() source.Snapshot { return f.snapshot }
