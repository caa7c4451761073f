package crd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// FuzzObject checks that any object of an API server is read within the limits, and that
// it has a verdict.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"metadata":{"name":"a","generation":2},"spec":{"arn":"arn:aws:iam::231144931069:role/Admin","username":"admin:{{SessionName}}","groups":["system:masters"]}}`,
		`{"metadata":{"name":"a"},"spec":{"arn":1,"username":{},"groups":[[]]}}`,
		`{"metadata":7,"spec":[],"status":{"conditions":[{"type":"InForce","status":1}],"canonicalARN":[]}}`,
		`{"spec":{"arn":"arn:aws:iam::231144931069:user/x","username":"{{","groups":{}},"status":{"conditions":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	for i := range 4 { // messages that are cut, each at another byte
		var groups []string
		for j := range 200 {
			groups = append(groups, fmt.Sprintf("%q", fmt.Sprint(" ", strings.Repeat("\U0001F600", 20), j)))
		}
		f.Add(fmt.Appendf(nil, `{"metadata":{"name":"a"},"spec":{"arn":"arn:aws:iam::231144931069:role/%s","username":"a","groups":[%s]}}`,
			strings.Repeat("x", i+1), strings.Join(groups, ",")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var content map[string]any
		if json.Unmarshal(text, &content) != nil {
			return
		}
		s := newStore(defaultLimits(), awsauth.Options{Source: "CRD"})
		if err := s.Add(&unstructured.Unstructured{Object: content}); err != nil {
			t.Fatal(err)
		}
		judged := judge(s.contents().objects, mapper.RolePathsIgnore, []string{"system:"})
		for name, got := range judged.statuses {
			if got.inForce.reason == "" || got.inForce.message == "" || len(got.inForce.message) > keptText || !utf8.ValidString(got.inForce.message) || len(got.canonicalARN) > keptText {
				t.Errorf("%q: %+v", name, got)
			}
			if (got.inForce.status == "True") != (judged.table.Len() == 1) && got.inForce.reason != reasonReserved {
				t.Errorf("%q: %+v, but %d mappings are in force", name, got, judged.table.Len())
			}
		}
	})
}

// BenchmarkJudge judges 10,000 objects after a change of one.
func BenchmarkJudge(b *testing.B) {
	s := newStore(defaultLimits(), awsauth.Options{Source: "CRD"})
	for i := range 10_000 {
		name := fmt.Sprintf("role-%d", i)
		if err := s.Add(&unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": name},
			"spec":     map[string]any{"arn": "arn:aws:iam::231144931069:role/" + name, "username": name + ":{{SessionName}}", "groups": []any{"engineers"}},
		}}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		judge(s.contents().objects, mapper.RolePathsIgnore, nil)
	}
}
