package localaws

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// TestStateThatIsRefused reads states that no server wrote.
func TestStateThatIsRefused(t *testing.T) {
	const rest = `"version":1,"account":"231144931069"`
	for text, want := range map[string]string{
		``:                                       "unexpected end of JSON input",
		`{`:                                      "unexpected end of JSON input at byte 1",
		`null`:                                   "unsupported version 0",
		`[]`:                                     "cannot unmarshal array",
		`{"version":3,"account":"x","news":1}`:   "unsupported version 3 (supported: 1, and 2 for several accounts)",
		`{"version":1,"account":"000000000000"}`: `it belongs to account "000000000000", not 231144931069`,
		`{` + rest + `,"news":1}`:                `unknown field "news"`,
		`{` + rest + `} {}`:                      "invalid character '{' after top-level value",
		`{` + rest + `,"users":null}`:            "every user: expected an object, not null",
		`{` + rest + `,"users":{"bob":null}}`:    `user "bob" is null`,
		`{` + rest + `,"users":{"bob":{"name":"alice"}}}`:                                                                    `user "alice" is stored under the key "bob"`,
		`{` + rest + `,"users":{"bob":{"name":"Bob","accessKeys":[null]}}}`:                                                  "an access key is null",
		`{` + rest + `,"users":{"bob":{"name":"Bob","accessKeys":[{"id":"A"},{"id":"A"}]}}}`:                                 "access key A is in it twice",
		`{` + rest + `,"users":{"bob":{"name":"Bob","inlinePolicies":[{"name":"p"}]}}}`:                                      "a policy has no document",
		`{` + rest + `,"users":{"bob":{"name":"Bob","inlinePolicies":[{"name":"p","document":"x"}]}}}`:                       `reading the state: `,
		`{` + rest + `,"groups":{"g":{"name":"g","inlinePolicies":[{"name":"p","document":null}]}}}`:                         "a policy has no document",
		`{` + rest + `,"roles":{"r":{"name":"r"}}}`:                                                                          "a policy has no document",
		`{` + rest + `,"policies":{"arn":{"arn":"arn","versions":[{"id":"v1"}]}}}`:                                           "a policy has no document",
		`{` + rest + `,"sessions":{"ASIA":{"accessKeyID":"ASIB"}}}`:                                                          `session "ASIB" is stored under`,
		`{` + rest + `,"clusters":{"x":{"arn":"x","nodegroups":{"g":null}}}}`:                                                `nodegroup "g" is null`,
		`{` + rest + `,"clusters":{"x":{"arn":"x","addons":{"a":{"addonName":"b"}}}}}`:                                       `addon "b" is stored under the key "a"`,
		`{` + rest + `,"clusters":{"x":{"arn":"x","accessEntries":{"p":{"principalArn":"p","accessPolicies":{"q":null}}}}}}`: `access policy "q" of p is null`,
		`{` + rest + `,"clusters":{"x":null}}`:                                                                               `cluster "x" is null`,
		`{` + rest + `,"instances":{"i-0123456789abcdef0":{"ID":"i-0123456789abcdef0","State":"exploded"}}}`:                 `unknown state "exploded"`,
	} {
		if _, err := readState(t, "231144931069", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzState checks that a state that was read survives writing and reading.
func FuzzState(f *testing.F) {
	a, err := New(Config{Instances: []Instance{{ID: "i-0123456789abcdef0", PrivateDNSName: "x"}}})
	if err != nil {
		f.Fatal(err)
	}
	if err := a.RegisterCluster("eu-west-2", "c", "https://127.0.0.1:1", []byte("CA")); err != nil {
		f.Fatal(err)
	}
	text, err := a.accounts.Export()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1,"account":"000000000000","users":{"bob":{"name":"Bob","inlinePolicies":[{"name":"p","document":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"}}"}]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		written, err := readState(t, "000000000000", string(text))
		if err != nil {
			return
		}
		rewritten, err := readState(t, "000000000000", string(written))
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if !reflect.DeepEqual(written, rewritten) {
			t.Errorf("%s\n%s", written, rewritten)
		}
	})
}

// readState imports a state into an account that adds nothing to it, and returns the
// state as it is then kept.
func readState(t *testing.T, id, text string) ([]byte, error) {
	t.Helper()
	made, err := New(Config{AccountID: id})
	if err != nil {
		t.Fatal(err)
	}
	var parts []account.Part
	for _, service := range made.services() {
		parts = append(parts, account.Part{New: service.State.New})
	}
	a, err := account.Open(account.Config{IDs: []string{id}, Clock: account.NewClock(time.Now), Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Import([]byte(text)); err != nil {
		return nil, err
	}
	written, err := a.Export()
	if err != nil {
		t.Skip(err) // a time that JSON cannot represent
	}
	return written, nil
}
