package admission_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const role = "arn:aws:iam::111122223333:role/"

// mapping returns an IAMIdentityMapping.
func mapping(arn, username string, groups ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping",
		"metadata": map[string]any{"name": "one", "uid": "u", "creationTimestamp": "2026-11-29T00:00:00Z"},
		"spec":     map[string]any{"arn": arn, "username": username, "groups": groups},
	}}
}

// amongMappings returns a guard of an IAMIdentityMapping beside others.
func amongMappings(besides admission.Besides, others ...*unstructured.Unstructured) *admission.Guard {
	judged := func(object *unstructured.Unstructured) (*mapper.Table, []mapper.Problem) {
		objects := others
		if object != nil {
			objects = append(slices.Clip(others), object)
		}
		var entries []mapper.Entry
		var problems []mapper.Problem
		for _, o := range objects {
			spec, _, _ := unstructured.NestedMap(o.Object, "spec")
			groups, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "groups")
			read := awsauth.Object{ARN: spec["arn"].(string), Username: spec["username"].(string), Groups: groups}
			rule := mapper.Rule{Source: "CRD", Section: "iamidentitymapping/" + o.GetName()}
			entry, kept, found := awsauth.ParseObject(read, rule, awsauth.Options{Source: "CRD"})
			if kept {
				entries = append(entries, entry)
			}
			if o == object {
				problems = found
			}
		}
		return mapper.NewTable(entries, nil, 0), problems
	}
	return admission.New(admission.Config{
		Mappings: besides, Nodes: lockout.ReadyNodes{"n"},
		MappingEdit: func(old, updated *unstructured.Unstructured) (e admission.MappingEdit, read bool) {
			e.Before, e.Was = judged(old)
			e.After, e.Is = judged(updated)
			return e, true
		},
	})
}

func mappingReview(t testing.TB, operation string, old, updated *unstructured.Unstructured) string {
	t.Helper()
	body := reviewOf(t, operation, old, updated)
	body = strings.Replace(body, `"resource":{"group":"","version":"v1","resource":"configmaps"}`, `"resource":{"group":"iamauthenticator.k8s.aws","version":"v1alpha1","resource":"iamidentitymappings"}`, 1)
	return strings.Replace(body, `"name":"aws-auth","namespace":"kube-system"`, `"name":"one"`, 1)
}

// TestMappings judges edits of an IAMIdentityMapping by ann, who signs in with role Admin.
func TestMappings(t *testing.T) {
	t.Parallel()
	const unreadable = `"groups":7`
	admin, other := mapping(role+"Admin", "admin:{{SessionName}}", "system:masters"), mapping(role+"Other", "other:{{SessionName}}", "system:masters")
	other.SetName("other")
	dev, wrong := mapping(role+"Dev", "dev:{{SessionName}}", "devs"), mapping("nonsense", "x")
	node := mapping(role+"Node", "system:node:n", "system:nodes")
	owner, err := mapper.Owner("aws", role+"Admin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		old, new *unstructured.Unstructured
		others   []*unstructured.Unstructured
		besides  admission.Besides
		want     []string // parts of the losses
		warnings int
	}{
		{name: "created", new: dev},
		{name: "created without sense", new: wrong, warnings: 1},
		{name: "no change", old: admin, new: admin},
		{name: "one of no importance goes", old: dev},
		{name: "one becomes wrong", old: dev, new: wrong, want: []string{"nonsense"}, warnings: 1},
		{name: "a wrong one becomes wrong in another way", old: wrong, new: mapping("more nonsense", "x"), warnings: 1},
		{name: "a wrong one is mended", old: wrong, new: dev},
		{name: "a wrong one goes", old: wrong},
		{name: "the last administrator", old: mapping(role+"Other", "x", "system:masters"), want: []string{"nobody would be left in system:masters"}},
		{name: "the last administrator of the source", old: mapping(role+"Other", "x", "system:masters"), besides: admission.Besides{Masters: true}},
		{name: "the caller", old: admin, others: []*unstructured.Unstructured{other}, want: []string{"you (" + role + "Admin) would lose your own access"}},
		{name: "the caller's rights", old: admin, new: mapping(role+"Admin", "admin"), others: []*unstructured.Unstructured{other}, want: []string{"you (" + role + "Admin) would leave system:masters"}},
		{name: "the caller, whom the owner maps", old: admin, others: []*unstructured.Unstructured{other}, besides: admission.Besides{Mapper: func(*mapper.Table) mapper.Mapper { return owner }}},
		{name: "created, and hides the caller's rights", new: mapping(role+"Admin", "admin"), others: []*unstructured.Unstructured{other}, besides: admission.Besides{Mapper: func(table *mapper.Table) mapper.Mapper {
			return mapper.First(mapper.Entries(func() *mapper.Table { return table }, nil), owner)
		}}, want: []string{"you (" + role + "Admin) would leave system:masters"}},
		{name: "a node role", old: node, want: []string{"role Node of account 111122223333 would leave system:nodes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			operation := "UPDATE"
			if test.old == nil {
				operation = "CREATE"
			} else if test.new == nil {
				operation = "DELETE"
			}
			guard := amongMappings(test.besides, test.others...)
			answer, err := guard.Review([]byte(mappingReview(t, operation, test.old, test.new)))
			if err != nil || answer.Err != nil || len(answer.Losses) != len(test.want) || (answer.Result == admission.Refused) != (len(test.want) > 0) {
				t.Fatalf("%s for %q, want %q (%v, %v)", answer.Result, answer.Losses, test.want, answer.Err, err)
			}
			for i, part := range test.want {
				if !strings.Contains(answer.Losses[i], part) {
					t.Errorf("loss %q, want %q", answer.Losses[i], part)
				}
			}
			text, err := answer.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Response struct{ Warnings []string }
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if answer.Result == admission.Allowed && len(got.Response.Warnings) != test.warnings {
				t.Errorf("warnings %q, want %d", got.Response.Warnings, test.warnings)
			}
			if answer.Result == admission.Refused && !strings.Contains(string(text), "makes iamidentitymapping/one worse") {
				t.Errorf("the refusal is %s", text)
			}
			if answer.Result == admission.Refused {
				annotated := test.new
				if annotated == nil {
					annotated = test.old
				}
				annotated = annotated.DeepCopy()
				annotated.SetAnnotations(map[string]string{admission.Annotation: answer.Hash})
				old, updated := test.old, annotated
				if test.new == nil {
					old, updated = annotated, nil
				}
				if answer, err := guard.Review([]byte(mappingReview(t, operation, old, updated))); err != nil || answer.Result != admission.Overridden {
					t.Errorf("with the annotation: %s, %v", answer.Result, err)
				}
			}
		})
	}
	// What cannot be judged is allowed.
	for name, body := range map[string]string{
		"a wrong type":     strings.Replace(mappingReview(t, "UPDATE", admin, dev), `"groups":["devs"]`, unreadable, 1),
		"another kind":     strings.ReplaceAll(mappingReview(t, "UPDATE", admin, dev), `"kind":"IAMIdentityMapping"`, `"kind":"Secret"`),
		"no object":        mappingReview(t, "UPDATE", admin, nil),
		"too large":        mappingReview(t, "DELETE", mapping(role+"Admin", strings.Repeat("x", 2<<20), "system:masters"), nil),
		"an unread source": mappingReview(t, "DELETE", admin, nil),
	} {
		guard := amongMappings(admission.Besides{})
		if name == "an unread source" {
			guard = admission.New(admission.Config{MappingEdit: func(_, _ *unstructured.Unstructured) (e admission.MappingEdit, read bool) { return e, false }})
		}
		if answer, err := guard.Review([]byte(body)); err != nil || answer.Result != admission.Failed || answer.Err == nil {
			t.Errorf("%s: %s, %v", name, answer.Result, err)
		}
	}
	for name, body := range map[string]string{
		"a status":       strings.Replace(mappingReview(t, "UPDATE", admin, dev), `"operation"`, `"subResource":"status","operation"`, 1),
		"without source": mappingReview(t, "DELETE", admin, nil),
	} {
		guard := amongMappings(admission.Besides{})
		if name == "without source" {
			guard = admission.New(admission.Config{})
		}
		if answer, err := guard.Review([]byte(body)); err != nil || answer.Result != admission.Allowed {
			t.Errorf("%s: %s, %v", name, answer.Result, err)
		}
	}
	largest := fmt.Sprint(strings.Repeat("x", 2<<20-600))
	if answer, err := amongMappings(admission.Besides{}).Review([]byte(mappingReview(t, "DELETE", mapping(role+"Admin", largest, "system:masters"), nil))); err != nil || answer.Result == admission.Failed {
		t.Errorf("the largest: %s (%v), %v", answer.Result, answer.Err, err)
	}
}
