package admission_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

const (
	admin  = "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: admin:{{SessionName}}\n  groups: [system:masters]\n"
	other  = "- rolearn: arn:aws:iam::111122223333:role/Other\n  username: other\n  groups: [system:masters]\n"
	dev    = "- rolearn: arn:aws:iam::111122223333:role/Dev\n  username: dev\n  groups: [devs]\n"
	node   = "- rolearn: arn:aws:iam::111122223333:role/Node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:nodes]\n"
	wrong  = "- rolearn: arn:aws:iam::1111:role/Wrong\n  username: wrong\n"
	wrong2 = "- rolearn: arn:aws:iam::11111:role/Wrong\n  username: wrong\n"
)

// ann signs in with role Admin.
func ann() map[string][]string {
	return map[string][]string{"canonicalArn": {"arn:aws:iam::111122223333:role/Admin"}, "sessionName": {"ann"}}
}

func options() awsauth.Options { return awsauth.Options{Source: "EKSConfigMap", Partition: "aws"} }

// newGuard returns a guard that does not know which nodes there are.
func newGuard(last *awsauth.Result) *admission.Guard {
	return admission.New(admission.Config{
		Options: options(), Reading: func() *awsauth.Result { return last },
		Nodes: lockout.UnknownNodes{Reason: errors.New("the server has just started")},
	})
}

// configMap returns a ConfigMap with the content of mapRoles.
func configMap(roles string) *unstructured.Unstructured {
	return withData(map[string]string{"mapRoles": roles})
}

func withData(data map[string]string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "aws-auth", "namespace": "kube-system"},
	}}
	_ = unstructured.SetNestedStringMap(object.Object, data, "data")
	return object
}

func judge(t *testing.T, g *admission.Guard, e admission.Edit) admission.Verdict {
	t.Helper()
	if e.Name == "" {
		e.Name = "aws-auth"
	}
	verdict, err := g.Judge(e)
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

// TestLosses holds what an edit is refused for, and that it is refused only for what it
// makes worse.
func TestLosses(t *testing.T) {
	t.Parallel()
	const unparsable = "- rolearn: \"arn\n"
	const nested = "- rolearn: arn:aws:iam::111122223333:role/Outer\n  username: outer\n  groups:\n  - a\n  - rolearn: arn:aws:iam::111122223333:role/Nested\n    username: nested\n"
	var many string
	for i := range 250 {
		many += fmt.Sprintf("- rolearn: arn:aws:iam::%d:role/Wrong\n  username: wrong\n", i)
	}
	for _, test := range []struct {
		name      string
		old, new  *unstructured.Unstructured
		extra     map[string][]string
		want      []string // parts of the losses
		overtaken string   // the content of mapRoles in force before old, if that did not parse
	}{
		{name: "nothing", old: configMap(admin), new: configMap(admin), extra: ann()},
		{name: "a new entry", old: configMap(admin), new: configMap(admin + dev), extra: ann()},
		{name: "an entry of no importance goes", old: configMap(admin + dev), new: configMap(admin), extra: ann()},
		{name: "created", new: configMap(admin + wrong), extra: ann()},
		{name: "created without sense", new: configMap(unparsable)},
		{name: "deleted without administrators or nodes", old: configMap(dev)},

		{name: "YAML", old: configMap(admin), new: configMap(admin + unparsable), want: []string{"mapRoles would no longer parse: mapRoles line 4"}},
		{name: "YAML that did not parse before", old: configMap(unparsable), new: configMap(unparsable + unparsable), overtaken: admin},
		{name: "no list", old: configMap(admin), new: configMap("rolearn: x\n"), want: []string{"mapRoles would no longer parse"}},
		{name: "a wrong entry", old: configMap(admin), new: configMap(admin + wrong), want: []string{"account"}},
		{name: "a second wrong entry", old: configMap(admin + wrong), new: configMap(admin + wrong + wrong), want: []string{"account"}},
		{name: "the same wrong entry elsewhere", old: configMap(wrong + admin), new: configMap(dev + admin + wrong)},
		{name: "one of two wrong entries mended", old: configMap(admin + wrong + wrong), new: configMap(admin + dev + wrong)},
		{name: "a wrong entry in another way", old: configMap(admin + wrong), new: configMap(admin + wrong2)},
		{name: "one mended and another broken", old: configMap(admin + dev + wrong), new: configMap(admin + strings.Replace(dev, "111122223333", "1111", 1) + strings.Replace(wrong, "1111", "111122223333", 1)), want: []string{"Dev"}},
		{name: "a mistake that names another line", old: configMap(dev + nested), new: configMap(nested)},
		{name: "one of more mistakes than are listed", old: configMap(dev + admin + wrong + many), new: configMap(admin + many)},
		{name: "the last administrator", old: configMap(admin), new: configMap(dev), want: []string{"nobody would be left in system:masters"}},
		{name: "the last of two administrators", old: configMap(admin + other), new: configMap(dev), want: []string{"nobody would be left in system:masters"}},
		{name: "the caller", old: configMap(admin + other), new: configMap(other), extra: ann(), want: []string{"you (arn:aws:iam::111122223333:role/Admin) would lose your own access"}},
		{name: "a caller of another kind", old: configMap(admin + other), new: configMap(other)},
		{name: "a node role", old: configMap(admin + node), new: configMap(admin), want: []string{"role Node of account 111122223333 would leave system:nodes"}},
		{name: "deleted", old: configMap(admin + node), extra: ann(), want: []string{"you (", "nobody would be left", "role Node"}},
		{
			name: "mended without what is in force", old: configMap(unparsable), new: configMap(dev), overtaken: admin + dev,
			want: []string{"nobody would be left in system:masters"},
		},
		{name: "mended", old: configMap(unparsable), new: configMap(dev + admin), overtaken: admin + dev},
		{name: "deleted while it does not parse", old: configMap(unparsable), overtaken: admin, want: []string{"nobody would be left"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			last := awsauth.Parse(map[string]string{"mapRoles": test.overtaken}, nil, options())
			got := judge(t, newGuard(last), admission.Edit{Old: test.old, New: test.new, Extra: test.extra}).Losses
			if len(got) != len(test.want) {
				t.Fatalf("losses %q, want %q", got, test.want)
			}
			for i, part := range test.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("loss %q, want %q", got[i], part)
				}
			}
		})
	}
}

// TestServerWithoutAWSAuth allows everything: aws-auth has no effect there.
func TestServerWithoutAWSAuth(t *testing.T) {
	t.Parallel()
	if got := judge(t, admission.New(admission.Config{}), admission.Edit{Old: configMap(admin)}); got.Refused() {
		t.Errorf("refused: %q", got.Losses)
	}
}

// TestLesson makes the mistakes of the lesson with a working aws-auth: each that takes
// something away is refused, and to mend it never is.
func TestLesson(t *testing.T) {
	t.Parallel()
	const dir = "../../cmd/authenticator/testdata/lesson/"
	good := lesson(t, dir+"lesson.yaml")
	paths, err := filepath.Glob(dir + "[0-9]*.yaml")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d mistakes in %s, want at least 30 (%v)", len(paths), dir, err)
	}
	guard := newGuard(awsauth.Parse(good, nil, options()))
	kubedemy := map[string][]string{"canonicalArn": {"arn:aws:iam::231144931069:user/kubedemy"}, "sessionName": {""}}
	// These are no mistakes, or nobody loses anything and a warning is enough.
	harmless := []string{"03-case-of-user-name", "08-user-in-mapRoles", "09-role-in-mapUsers", "13-account-with-leading-zero", "22-sso-role-by-name"}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := lesson(t, path)
			before := withData(good)
			if got := judge(t, guard, admission.Edit{Old: before, New: withData(bad), Extra: kubedemy}); got.Refused() == (maps.Equal(bad, good) || slices.Contains(harmless, name)) {
				t.Errorf("refused: %v, for %q, with warnings %q", got.Refused(), got.Losses, got.Warnings)
			}
			if got := judge(t, guard, admission.Edit{Old: withData(bad), New: before}); got.Refused() {
				t.Errorf("to mend it is refused for %q", got.Losses)
			}
			if got := judge(t, guard, admission.Edit{Old: withData(bad), New: withData(bad)}); got.Refused() {
				t.Errorf("to leave it is refused for %q", got.Losses)
			}
		})
	}
}

// lesson returns the data of a manifest, as kubectl would apply it to aws-auth.
func lesson(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := edit.File(content).Data()
	if err != nil {
		t.Skipf("kubectl rejects it: %v", err)
	}
	return data
}

// TestOverride lets an edit through once, and no other edit.
func TestOverride(t *testing.T) {
	t.Parallel()
	guard := newGuard(nil)
	annotated := func(c *unstructured.Unstructured, hash string) *unstructured.Unstructured {
		c.SetAnnotations(map[string]string{admission.Annotation: hash})
		return c
	}
	before := admin + other + node
	hash := admission.Hash("aws-auth", configMap(before), configMap(admin+other))
	for _, test := range []struct {
		name     string
		old, new *unstructured.Unstructured
		want     bool
	}{
		{"without it", configMap(before), configMap(admin + other), false},
		{"with it", configMap(before), annotated(configMap(admin+other), hash), true},
		{"a second time", annotated(configMap(before), hash), annotated(configMap(admin+other), hash), false},
		{"another edit with the same loss", configMap(before), annotated(configMap(admin), hash), false},
		{"another edit, later", annotated(configMap(admin+other), hash), annotated(configMap("[]"), hash), false},
		{"a deletion", annotated(configMap(before), hash), nil, false},
		{"an edit that is named by nothing", configMap(before), annotated(configMap(admin+other), ""), false},
		{"a deletion with its own", annotated(configMap(before), admission.Hash("aws-auth", configMap(before), nil)), nil, true},
	} {
		if got := judge(t, guard, admission.Edit{Old: test.old, New: test.new}); got.Overridden != test.want || len(got.Losses) == 0 {
			t.Errorf("%s: overridden: %v, want %v (losses %q)", test.name, got.Overridden, test.want, got.Losses)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	of := func(old, new *unstructured.Unstructured) string { return admission.Hash("aws-auth", old, new) }
	empty := withData(nil)
	hash := of(configMap(admin), configMap(other))
	for name, test := range map[string]struct {
		hash string
		same bool
	}{
		"again":             {of(configMap(admin), configMap(other)), true},
		"the other way":     {of(configMap(other), configMap(admin)), false},
		"another key":       {of(configMap(admin), withData(map[string]string{"mapUsers": other})), false},
		"another ConfigMap": {admission.Hash("aws-auth-history", configMap(admin), configMap(other)), false},
	} {
		if (test.hash == hash) != test.same {
			t.Errorf("%s: %s and %s", name, test.hash, hash)
		}
	}
	binary := withData(nil)
	binary.Object["binaryData"] = map[string]any{"mapRoles": "anVuaw=="}
	if of(binary, empty) == of(empty, binary) {
		t.Error("binaryData has no effect on the hash")
	}
	if of(configMap(admin), nil) == of(configMap(admin), empty) {
		t.Error("a deletion has the hash of an edit")
	}
}

// TestWarnings checks that mistakes that an edit leaves are warnings.
func TestWarnings(t *testing.T) {
	t.Parallel()
	guard := newGuard(nil)
	got := judge(t, guard, admission.Edit{Old: configMap(wrong + admin), New: configMap(wrong + admin + dev + dev)}).Warnings
	if len(got) < 2 || !strings.HasPrefix(got[0], "mapRoles line 1: ") || !strings.HasPrefix(got[1], "mapRoles line 6: ") {
		t.Errorf("warnings %q, want the error of line 1 and the duplicate of line 6", got)
	}
	many := strings.Repeat(dev, 30)
	got = judge(t, guard, admission.Edit{Old: configMap(many), New: configMap(many)}).Warnings
	if len(got) != 10 || !strings.HasSuffix(got[9], ` more: "authenticator lint --cluster" lists them all`) {
		t.Errorf("%d warnings, the last %q", len(got), got[len(got)-1])
	}
}

// TestContent checks that what servers write may be replaced, but not by what cannot be
// read.
func TestContent(t *testing.T) {
	t.Parallel()
	// {}, compressed with gzip.
	const packed, junk = "H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==", "anVuaw=="
	binary := func(key, value string) *unstructured.Unstructured {
		object := withData(nil)
		object.Object["binaryData"] = map[string]any{key: value}
		return object
	}
	guard := admission.New(admission.Config{})
	for name, key := range map[string]string{"aws-auth-last-good": "sections", "aws-auth-history": "00000001.uid.1"} {
		good, bad := binary(key, packed), binary(key, junk)
		for _, test := range []struct {
			name     string
			old, new *unstructured.Unstructured
			refused  bool
			warnings int
		}{
			{"created", nil, bad, false, 0},
			{"the same", good, good, false, 0},
			{"junk", good, bad, true, 0},
			{"junk instead of junk", bad, bad, false, 0},
			{"mended", bad, good, false, 0},
			{"deleted", good, nil, false, 1},
		} {
			got := judge(t, guard, admission.Edit{Name: name, Old: test.old, New: test.new})
			if got.Refused() != test.refused || len(got.Warnings) != test.warnings {
				t.Errorf("%s, %s: refused %v for %q, warnings %q", name, test.name, got.Refused(), got.Losses, got.Warnings)
			}
		}
	}
}

// TestMastersElsewhere checks that the last administrator of a source is not the last of
// the cluster if another source has one.
func TestMastersElsewhere(t *testing.T) {
	t.Parallel()
	guard := admission.New(admission.Config{Options: options(), Reading: func() *awsauth.Result { return nil }, AWSAuth: admission.Besides{Masters: true}})
	if got := judge(t, guard, admission.Edit{Old: configMap(admin), New: configMap(dev)}); got.Refused() {
		t.Errorf("refused: %q", got.Losses)
	}
}

// TestOwner checks that whom a server maps without aws-auth does not need it.
func TestOwner(t *testing.T) {
	t.Parallel()
	owner, err := mapper.Owner("aws", "arn:aws:iam::111122223333:role/Admin")
	if err != nil {
		t.Fatal(err)
	}
	guard := admission.New(admission.Config{Options: options(), Reading: func() *awsauth.Result { return nil }, AWSAuth: admission.Besides{Mapper: func(*mapper.Table) mapper.Mapper { return owner }}})
	got := judge(t, guard, admission.Edit{Old: configMap(admin + other), New: configMap(other), Extra: ann()})
	if diff := cmp.Diff([]string(nil), got.Losses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestReserved checks that a reserved username is no access.
func TestReserved(t *testing.T) {
	t.Parallel()
	guard := admission.New(admission.Config{Options: options(), Reading: func() *awsauth.Result { return nil }, AWSAuth: admission.Besides{Reserved: []string{"root"}}})
	renamed := strings.Replace(admin, "admin:", "root:", 1)
	got := judge(t, guard, admission.Edit{Old: configMap(admin), New: configMap(renamed), Extra: ann()})
	if diff := cmp.Diff([]string{"you (arn:aws:iam::111122223333:role/Admin) would lose your own access"}, got.Losses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
