package admission_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// largeEdit returns the AdmissionReview of an edit that replaces about as many entries
// as a ConfigMap can have.
func largeEdit(tb testing.TB) []byte {
	roles := func(name string) string {
		var b strings.Builder
		for i := range 9000 {
			fmt.Fprintf(&b, "- rolearn: arn:aws:iam::111122223333:role/%s-%d\n  username: u:{{SessionName}}\n  groups: [g, h]\n", name, i)
		}
		return b.String()
	}
	object := func(text string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "aws-auth", "namespace": "kube-system"},
			"data": map[string]any{"mapRoles": text},
		}
	}
	review, err := json.Marshal(map[string]any{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
		"request": map[string]any{
			"uid": "1", "name": "aws-auth", "namespace": "kube-system", "operation": "UPDATE", "resource": map[string]any{"version": "v1", "resource": "configmaps"},
			"userInfo": map[string]any{"username": "kubernetes-admin"}, "oldObject": object(roles("old")), "object": object(roles("new")),
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return review
}

// BenchmarkLargeEdit judges an edit that replaces all entries of a full ConfigMap.
func BenchmarkLargeEdit(b *testing.B) {
	review := largeEdit(b)
	reading := awsauth.Parse(nil, nil, awsauth.Options{})
	guard := admission.New(admission.Config{Reading: func() *awsauth.Result { return reading }})
	b.SetBytes(int64(len(review)))
	for b.Loop() {
		answer, err := guard.Review(review)
		if err != nil || answer.Err != nil {
			b.Fatal(err, answer.Err)
		}
	}
}
