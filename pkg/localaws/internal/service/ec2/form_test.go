package ec2

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

type sample struct {
	dryRun
	Name string `ec2:"SampleName,required"`
	Size *int
	IDs  []string `ec2:"Id"`
	Tags []tag    `ec2:"Tag"`
	In   struct{ Deep []struct{ On *bool } }
	kept string
}

func TestDecode(t *testing.T) {
	want := []string{"DryRun", "SampleName", "Size", "Id.N", "Tag.N.Key", "Tag.N.Value", "In.Deep.N.On"}
	if got := accepts(reflect.TypeFor[sample](), ""); !slices.Equal(got, want) {
		t.Errorf("accepts %q, want %q", got, want)
	}
	full := sample{dryRun: dryRun{true}, Name: "n", Size: new(-3), IDs: []string{"a", "b"}, Tags: []tag{{"k", nil}, {"", new("")}}}
	full.In.Deep = []struct{ On *bool }{{new(false)}}
	for text, test := range map[string]struct {
		want    sample
		problem string
	}{
		"SampleName=n": {want: sample{Name: "n"}},
		"SampleName=":  {want: sample{}},
		"SampleName=n&DryRun=true&Size=-3&Id.1=a&Id.2=b&Tag.1.Key=k&Tag.2.Value=&In.Deep.1.On=false": {want: full},
		"Size=3":                               {problem: "MissingParameter: The request must contain the parameter SampleName"},
		"SampleName=n&Size=":                   {problem: "InvalidParameterValue: Invalid value '' for Size"},
		"SampleName=n&Size=2147483648":         {problem: "InvalidParameterValue: Invalid value '2147483648' for Size"},
		"SampleName=n&DryRun=1":                {problem: "InvalidParameterValue: Value (1) for parameter DryRun"},
		"SampleName=n&In.Deep.1.On=TRUE":       {problem: "for parameter In.Deep.1.On"},
		"SampleName=n&kept=x&Other=y&Id.2=gap": {want: sample{Name: "n", kept: ""}},
	} {
		form, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode[sample](api.Form(form))
		if test.problem == "" && (err != nil || !reflect.DeepEqual(got, test.want)) || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
			t.Errorf("%s: %+v, %v; want %+v, %q", text, got, err, test.want, test.problem)
		}
	}
}

// FuzzOperations decodes any form for every operation.
func FuzzOperations(f *testing.F) {
	operations := New(nil).Operations
	for i, operation := range operations {
		form := url.Values{}
		for _, name := range operation.Accepts {
			form.Set(strings.ReplaceAll(name, ".N", ".1"), "1")
		}
		f.Add(i, form.Encode())
	}
	f.Fuzz(func(t *testing.T, i int, text string) {
		form, err := url.ParseQuery(text)
		if err != nil || i < 0 || i >= len(operations) {
			return
		}
		if _, err := operations[i].Decode(api.Input{Form: api.Form(form)}); err != nil && api.ErrorOf(err).Status != http.StatusBadRequest {
			t.Errorf("%s: %v", operations[i].Name, err)
		}
	})
}

// TestConfiguredInstancesAreChecked checks what localaws.New reports.
func TestConfiguredInstancesAreChecked(t *testing.T) {
	for _, instances := range [][]Instance{{{ID: "x"}}, {{ID: "i-0123456789abcdef0", State: "odd"}}, {{ID: "i-01234567"}, {ID: "i-01234567"}}} {
		if err := Check(instances); err == nil {
			t.Errorf("%+v: no error", instances)
		}
	}
}
