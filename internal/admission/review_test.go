package admission_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/admission"
)

// reviewOf returns the AdmissionReview of an edit of aws-auth, as a kube-apiserver sends
// it.
func reviewOf(t testing.TB, operation string, old, new *unstructured.Unstructured) string {
	t.Helper()
	object := func(c *unstructured.Unstructured) string {
		if c == nil {
			return "null"
		}
		text, err := json.Marshal(c.Object)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1",
"kind":{"group":"","version":"v1","kind":"ConfigMap"},"resource":{"group":"","version":"v1","resource":"configmaps"},
"name":"aws-auth","namespace":"kube-system","operation":"%s","userInfo":{"username":"admin:ann","extra":{"canonicalArn":["arn:aws:iam::111122223333:role/Admin"],"sessionName":["ann"]}},
"object":%s,"oldObject":%s,"dryRun":true,"options":{"kind":"UpdateOptions","apiVersion":"meta.k8s.io/v1"}}}`, operation, object(new), object(old))
}

func review(t testing.TB, body string) (admission.Answer, admissionv1.AdmissionReview) {
	t.Helper()
	answer, err := newGuard(nil).Review([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := answer.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "AdmissionReview" || got.APIVersion != "admission.k8s.io/v1" || got.Request != nil || got.Response == nil || got.Response.UID != "u-1" {
		t.Fatalf("not an answer: %s", text)
	}
	return answer, got
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	answer, got := review(t, reviewOf(t, "UPDATE", configMap(admin+node), configMap("- rolearn: \"x\n  username: y\n")))
	if answer.Result != admission.Refused || got.Response.Allowed || got.Response.Result.Code != 403 || got.Response.Result.Reason != "Forbidden" {
		t.Fatalf("answer %+v", got.Response)
	}
	const want = `this edit by admin:ann makes aws-auth worse:
- mapRoles would no longer parse: mapRoles line 1: `
	for _, part := range []string{want, "1 | - rolearn: \"x", "set this annotation in the same edit to make it anyway:\n  " + admission.Annotation + `: "` + answer.Hash + "\"\n"} {
		if !strings.Contains(got.Response.Result.Message, part) {
			t.Errorf("the refusal is\n%s\nwant %q in it", got.Response.Result.Message, part)
		}
	}
	if !answer.DryRun || answer.User != "admin:ann" || answer.Operation != "UPDATE" {
		t.Errorf("answer %+v", answer)
	}
	_, got = review(t, reviewOf(t, "DELETE", configMap(admin+node), nil))
	for _, part := range []string{"you (", "nobody would be left", "role Node", "To delete it anyway, set this annotation first:"} {
		if !strings.Contains(got.Response.Result.Message, part) {
			t.Errorf("the refusal is\n%s\nwant %q in it", got.Response.Result.Message, part)
		}
	}
}

// TestRefusalIsBounded makes many mistakes, with characters that a terminal obeys.
// TestDeleteCollection deletes aws-auth as one object of a whole collection: the API server
// gives the request no name.
func TestDeleteCollection(t *testing.T) {
	t.Parallel()
	nameless := func(old *unstructured.Unstructured) string {
		return strings.Replace(reviewOf(t, "DELETE", old, nil), `"name":"aws-auth","namespace"`, `"namespace"`, 1)
	}
	answer, got := review(t, nameless(configMap(admin+node)))
	if answer.Result != admission.Refused || answer.Name != "aws-auth" || got.Response.Allowed {
		t.Errorf("answer %+v", answer)
	}
	other := configMap(admin + node)
	other.SetName("coredns")
	if answer, _ := review(t, nameless(other)); answer.Result != admission.Allowed || answer.Hash != "" {
		t.Errorf("another ConfigMap: %+v", answer)
	}
}

func TestRefusalIsBounded(t *testing.T) {
	t.Parallel()
	var roles strings.Builder
	for i := range 150 {
		fmt.Fprintf(&roles, "- rolearn: \"arn:aws:iam::%d:role/\\e[31m%s\"\n  username: x\n", i, strings.Repeat("é", 2000))
	}
	_, got := review(t, reviewOf(t, "UPDATE", configMap(admin), configMap(admin+roles.String())))
	message := got.Response.Result.Message
	if len(message) > 13<<10 || !strings.Contains(message, "- and 140 more\n") || strings.Contains(message, "\x1b") {
		t.Errorf("the refusal has %d bytes: %.2000q", len(message), message)
	}
	long := strings.Replace(node, "role/Node", "role/"+strings.Repeat("x", 1500), 1)
	body := strings.Replace(reviewOf(t, "UPDATE", configMap(admin+long), configMap(admin)), "admin:ann", `ann\u001b[31m`, 1)
	_, got = review(t, body)
	if message := got.Response.Result.Message; len(message) > 1400 || !strings.Contains(message, "xxx...\n") || strings.Contains(message, "\x1b") {
		t.Errorf("the refusal has %d bytes: %.2000q", len(message), message)
	}
	_, got = review(t, reviewOf(t, "CREATE", nil, configMap(roles.String())))
	if n := len(got.Response.Warnings); n != 10 {
		t.Errorf("%d warnings", n)
	}
	for _, warning := range got.Response.Warnings {
		if len(warning) > 256 || strings.ContainsAny(warning, "\x1b\n") {
			t.Errorf("warning of %d bytes: %q", len(warning), warning)
		}
	}
}

func TestOverrideWarns(t *testing.T) {
	t.Parallel()
	after := configMap(admin)
	after.SetAnnotations(map[string]string{admission.Annotation: admission.Hash("aws-auth", configMap(admin+node), configMap(admin))})
	answer, got := review(t, reviewOf(t, "UPDATE", configMap(admin+node), after))
	if answer.Result != admission.Overridden || !got.Response.Allowed || len(got.Response.Warnings) != 1 || !strings.Contains(got.Response.Warnings[0], "role Node") {
		t.Errorf("answer %+v", got.Response)
	}
}

// TestUntouched checks that a webhook that is configured for other requests blocks none of
// them.
func TestUntouched(t *testing.T) {
	t.Parallel()
	lost := reviewOf(t, "UPDATE", configMap(admin), configMap("[]"))
	for _, change := range [][2]string{
		{`"name":"aws-auth","namespace":"kube-system"`, `"name":"aws-auth","namespace":"default"`},
		{`"name":"aws-auth","namespace":"kube-system"`, `"name":"coredns","namespace":"kube-system"`},
		{`"resource":"configmaps"`, `"resource":"secrets"`},
		{`"resource":{"group":""`, `"resource":{"group":"example.com"`},
		{`"name":"aws-auth","namespace"`, `"subResource":"status","name":"aws-auth","namespace"`},
		{`"operation":"UPDATE"`, `"operation":"CONNECT"`},
	} {
		body := strings.Replace(lost, change[0], change[1], 1)
		if body == lost {
			t.Fatalf("%q is not in the review", change[0])
		}
		if answer, got := review(t, body); answer.Result != admission.Allowed || !got.Response.Allowed || len(got.Response.Warnings) > 0 {
			t.Errorf("%s: %+v", change[1], got.Response)
		}
	}
}

// TestFailureAllows checks that what cannot be judged is allowed, with a warning.
func TestFailureAllows(t *testing.T) {
	t.Parallel()
	for _, object := range []string{`null`, `7`, `{"kind":"Secret"}`, `{"kind":"ConfigMap","data":{"mapRoles":7}}`, `{"kind":"ConfigMap","data":[]}`} {
		body := reviewOf(t, "UPDATE", configMap(admin), nil)
		body = strings.Replace(body, `"object":null`, `"object":`+object, 1)
		answer, got := review(t, body)
		if answer.Result != admission.Failed || answer.Err == nil || !got.Response.Allowed || len(got.Response.Warnings) != 1 || !strings.HasPrefix(got.Response.Warnings[0], "the edit was not checked: reading the new object: ") {
			t.Errorf("%s: %+v", object, got.Response)
		}
	}
}

// TestReviewIsBounded checks that what a client chooses takes little more memory than its
// text, and that an object with too many values or a user that is too long is allowed
// unchecked.
func TestReviewIsBounded(t *testing.T) {
	t.Parallel()
	values := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":"",`, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	good := reviewOf(t, "UPDATE", configMap(admin), nil)
	for name, test := range map[string]struct {
		body string
		want admission.Result
	}{
		"the longest text":  {strings.Replace(good, `"object":null`, `"object":{"kind":"ConfigMap","data":{"a\"":null,"b":"`+strings.Repeat(`\u003c`, 1536<<10-3)+`"}}`, 1), admission.Refused},
		"too long a text":   {strings.Replace(good, `"object":null`, `"object":{"kind":"ConfigMap","data":{"a\"":null,"b":"`+strings.Repeat(`\u003c`, 1536<<10-2)+`"}}`, 1), admission.Failed},
		"too long texts":    {strings.Replace(good, `"object":null`, `"object":{"kind":"ConfigMap","data":{"a":"`+strings.Repeat(`<`, 1<<20)+`","b":"`+strings.Repeat(`<`, 1<<20)+`"}}`, 1), admission.Failed},
		"the most values":   {strings.Replace(good, `"object":null`, `"object":{"kind":"ConfigMap","data":{`+values(100_000)+`}}`, 1), admission.Refused},
		"too many values":   {strings.Replace(good, `"object":null`, `"object":{"kind":"ConfigMap","data":{`+values(100_001)+`}}`, 1), admission.Failed},
		"a long user":       {strings.Replace(good, `"username":"admin:ann"`, `"username":"`+strings.Repeat("x", 1<<20-200)+`"`, 1), admission.Refused},
		"too long a user":   {strings.Replace(good, `"username":"admin:ann"`, `"groups":["`+strings.Repeat(`","`, 1<<20)+`"]`, 1), admission.Failed},
		"what nobody reads": {strings.Replace(good, `"options":{`, `"options":{"x":[`+strings.Repeat("[],", 1<<20)+`[]],`, 1), admission.Refused},
	} {
		if test.want == admission.Refused {
			test.body = strings.Replace(test.body, `"object":null`, `"object":{"kind":"ConfigMap"}`, 1)
		}
		answer, err := newGuard(nil).Review([]byte(test.body))
		if err != nil || answer.Result != test.want {
			t.Errorf("%s: %s (%v), %v", name, answer.Result, answer.Err, err)
		}
	}
}

func TestNoReview(t *testing.T) {
	t.Parallel()
	good := reviewOf(t, "UPDATE", configMap(admin), configMap(admin))
	for _, body := range []string{
		"", "7", "{}", "[]", good + "{}", good[:len(good)-1],
		strings.Replace(good, "AdmissionReview", "TokenReview", 1),
		strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1),
		strings.Replace(good, `"kind"`, `"Kind"`, 1),
		strings.Replace(good, `"uid":"u-1"`, `"uid":"u-1","uid":"u-2"`, 1),
		strings.Replace(good, `"uid":"u-1"`, `"uid":""`, 1),
		`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`,
	} {
		if body == good {
			t.Fatal("a change is not in the review")
		}
		if _, err := newGuard(nil).Review([]byte(body)); err == nil {
			t.Errorf("accepted: %.200s", body)
		}
	}
}

func FuzzReview(f *testing.F) {
	f.Add([]byte(reviewOf(f, "UPDATE", configMap(admin+node), configMap("- rolearn: \"x\n"))))
	f.Add([]byte(reviewOf(f, "DELETE", configMap(admin), nil)))
	f.Add([]byte(reviewOf(f, "CREATE", nil, configMap(wrong+dev+dev))))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := newGuard(nil).Review(body)
		if err != nil {
			return
		}
		if _, err := answer.JSON(); err != nil {
			t.Error(err)
		}
		if (answer.Result == admission.Refused) != (len(answer.Losses) > 0 && answer.Result != admission.Overridden) {
			t.Errorf("%s with losses %q", answer.Result, answer.Losses)
		}
	})
}
