package account_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// notes is a section, and an IAM whose keys are the notes.
type notes struct {
	account.Identities `json:"-"`
	Notes              map[string]string `json:"notes"`
}

func (n *notes) Check() error {
	if n.Notes["broken"] != "" {
		return errors.New("a note is broken")
	}
	return nil
}

func (n *notes) KeyExists(id string) bool { return n.Notes[id] != "" }

func (n *notes) AccessKeyIDs() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range n.Notes {
			if strings.HasPrefix(name, "KEY") && !yield(name) {
				return
			}
		}
	}
}

func open(file string, ids ...string) (*account.Accounts, error) {
	return account.Open(account.Config{
		IDs: ids, Region: "eu-west-2", Partition: "aws", Clock: account.NewClock(time.Now), StateFile: file,
		Parts: []account.Part{{
			New: func() account.Section { return &notes{Notes: map[string]string{}} },
			Begin: func(tx *account.Tx) {
				account.Get[*notes](tx).Notes["owner"] = tx.Account.ID
			},
		}},
	})
}

// read returns the notes of an account.
func read(a *account.Account) (all map[string]string) {
	a.View(func(tx *account.Tx) { all = account.Get[*notes](tx).Notes })
	return all
}

const (
	first, second = "111122223333", "444455556666"
	one           = `{"version":1,"account":"` + first + `","notes":{"a":"1"}}`
)

// TestAccountsAreApart checks that a transaction sees one account, and another only
// through it.
func TestAccountsAreApart(t *testing.T) {
	all, err := open("", first, second)
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Default().Update(func(tx *account.Tx) error {
		account.Get[*notes](tx).Notes["KEY1"] = "first"
		other, ok := tx.In(second)
		if !ok || other.Account.ID != second || other.ARN("iam", "", "user/a") != "arn:aws:iam::"+second+":user/a" {
			t.Fatalf("%v, %v", other, ok)
		}
		account.Get[*notes](other).Notes["KEY2"] = "second"
		if _, ok := tx.In("999999999999"); ok {
			t.Error("an account that is not served")
		}
		for key, want := range map[string]string{"KEY1": first, "KEY2": second, "KEY3": ""} {
			if id, ok := tx.AccountOfKey(key); id != want || ok != (want != "") {
				t.Errorf("%s is of account %q", key, id)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(read(all.All()[0]), read(all.All()[1])); got != "map[KEY1:first owner:"+first+"] map[KEY2:second owner:"+second+"]" {
		t.Error(got)
	}
}

// TestAChangeOfAnotherAccountIsSaved checks that a change through In is one of the
// transaction.
func TestAChangeOfAnotherAccountIsSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	all, err := open(file, first, second)
	if err != nil {
		t.Fatal(err)
	}
	change, err := all.Default().Do(account.Call{}, func(tx *account.Tx) error {
		other, _ := tx.In(second)
		account.Get[*notes](other).Notes["b"] = "2"
		other.Change()
		return nil
	})
	if err != nil || change == 0 {
		t.Fatal(change, err)
	}
	if err := all.Default().Save(change); err != nil {
		t.Fatal(err)
	}
	want := `{"version":2,"accounts":[{"version":1,"account":"` + first + `","notes":{"owner":"` + first + `"}},{"version":1,"account":"` + second + `","notes":{"b":"2","owner":"` + second + `"}}]}` + "\n"
	if text, err := os.ReadFile(file); err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	if err := all.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStates checks which states are read, for which accounts.
func TestStates(t *testing.T) {
	both := `{"version":2,"accounts":[{"version":1,"account":"` + second + `","notes":{"b":"2"}},` + one + `]}`
	for name, test := range map[string]struct {
		text string
		ids  []string
		want string // of the notes a and b, or of the error
	}{
		"one":                    {one, []string{first}, "1 "},
		"one of several":         {one, []string{second, first}, " 1"},
		"several":                {both, []string{first, second}, "1 2"},
		"several of one":         {`{"version":2,"accounts":[` + one + `]}`, []string{first}, "1 "},
		"none of several":        {`{"version":2,"accounts":[]}`, []string{first, second}, " "},
		"one that is not served": {one, []string{second}, `it belongs to account "` + first + `", not ` + second + `: serve it too with --account`},
		"two, one not served":    {both, []string{first}, `it belongs to account "` + second + `", not ` + first},
		"one, twice":             {`{"version":2,"accounts":[` + one + `,` + one + `]}`, []string{first, second}, "account " + first + " is in it twice"},
		"a key in two": {`{"version":2,"accounts":[{"version":1,"account":"` + first + `","notes":{"KEY1":"x"}},{"version":1,"account":"` + second + `","notes":{"KEY1":"y"}}]}`, []string{first, second},
			"access key KEY1 is in account " + first + " and in " + second},
		"a broken one":            {`{"version":2,"accounts":[{"version":1,"account":"` + first + `","notes":{"broken":"x"}}]}`, []string{first}, "a note is broken"},
		"an unknown version":      {`{"version":3}`, []string{first}, "unsupported version 3 (supported: 1, and 2 for several accounts)"},
		"several within several":  {`{"version":2,"accounts":[` + both + `]}`, []string{first}, `unsupported version 2 of account ""`},
		"an unknown field":        {`{"version":2,"accounts":[],"notes":{}}`, []string{first}, `unknown field "notes"`},
		"an unknown field of one": {`{"version":2,"accounts":[{"version":1,"account":"` + first + `","nodes":{}}]}`, []string{first}, `unknown field "nodes"`},
		"null":                    {`{"version":2,"accounts":[null]}`, []string{first}, `unsupported version 0`},
	} {
		file := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := open(file, test.ids...)
		if err != nil {
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "is unchanged") {
				t.Errorf("%s: %v, want %s", name, err, test.want)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != test.text {
				t.Errorf("%s: the file has changed: %s, %v", name, text, err)
			}
			continue
		}
		var got []string
		for i, a := range all.All() {
			found := read(a)
			got = append(got, found["a"]+found["b"])
			if found["owner"] != test.ids[i] {
				t.Errorf("%s: account %s was not completed", name, a.ID)
			}
		}
		if len(got) == 1 {
			got = append(got, "")
		}
		if joined := strings.Join(got, " "); joined != test.want {
			t.Errorf("%s: %q, want %q", name, joined, test.want)
		}
		if err := all.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOneAccountKeepsItsForm checks that the state of one account has no trace of
// others.
func TestOneAccountKeepsItsForm(t *testing.T) {
	all, err := open("", first)
	if err != nil {
		t.Fatal(err)
	}
	text, err := all.Export()
	if want := `{"version":1,"account":"` + first + `","notes":{"owner":"` + first + `"}}` + "\n"; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	var many []string
	for i := range account.MaxAccounts + 1 {
		many = append(many, fmt.Sprintf("%012d", i))
	}
	if _, err := open("", many[1:]...); err != nil {
		t.Error(err)
	}
	for want, ids := range map[string][]string{
		"expected 1 to 32 accounts, not 33": many, "expected 1 to 32 accounts, not 0": nil,
		`account ID "1": expected 12 digits`: {first, "1"}, "account " + first + " is listed twice": {first, second, first},
	} {
		if _, err := open("", ids...); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", ids, err, want)
		}
	}
}

// TestImport checks that an import replaces all accounts or none.
func TestImport(t *testing.T) {
	all, err := open("", first, second)
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Import([]byte(`{"version":2,"accounts":[` + one + `,{"version":1,"account":"999999999999"}]}`)); err == nil {
		t.Error("an account that is not served is imported")
	} else if _, ok := errors.AsType[*account.MalformedError](err); !ok || read(all.Default())["a"] != "" {
		t.Errorf("%v, %v", err, read(all.Default()))
	}
	if err := all.Import([]byte(one)); err != nil || read(all.Default())["a"] != "1" {
		t.Errorf("%v, %v", err, read(all.Default()))
	}
	if err := all.Reset(); err != nil || read(all.Default())["a"] != "" || read(all.Default())["owner"] != first {
		t.Errorf("%v, %v", err, read(all.Default()))
	}
}

func TestOfARN(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::111122223333:role/a": first, "arn:aws:eks:eu-west-2:111122223333:cluster/a:b": first,
		"arn:aws:iam::aws:policy/a": "", "arn:aws:ec2:eu-west-2::image/ami-1": "", "*": "", "": "", "arn:aws:iam::1*:role/a": "",
	} {
		if got := account.OfARN(arn); got != want {
			t.Errorf("%s: %q", arn, got)
		}
	}
}

// TestAuthorizeAcrossAccounts checks that nobody may use the resources of another
// account by its own policies alone.
func TestAuthorizeAcrossAccounts(t *testing.T) {
	all, err := open("", first, second)
	if err != nil {
		t.Fatal(err)
	}
	everything, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	all.Default().View(func(tx *account.Tx) {
		arn := tx.ARN("iam", "", "user/a")
		tx.Caller = &account.Caller{
			ARN: arn, Owner: account.Owner{ARN: arn}, Principal: policy.Principal{AccountID: first, ARNs: []string{arn}},
			Policies: policy.Policies{Identity: []*policy.Document{everything}},
		}
		for resource, want := range map[string]string{
			"*": "", "arn:aws:iam::" + first + ":policy/p": "", "arn:aws:iam::aws:policy/p": "", "arn:aws:ec2:eu-west-2::image/ami-1": "",
			"arn:aws:iam::" + second + ":policy/p": "User: " + arn + " is not authorized to perform: iam:GetPolicy on resource: arn:aws:iam::" + second + ":policy/p because no resource-based policy allows the iam:GetPolicy action",
		} {
			err := tx.Authorize("iam:GetPolicy", resource, nil)
			if err == nil && want != "" || err != nil && err.Error() != want {
				t.Errorf("%s: %v", resource, err)
			}
		}
		trust := policy.Verdict{Decision: policy.ImplicitDeny, By: policy.TrustPolicy}
		for owner, want := range map[string]string{
			first:  " because no role trust policy allows the sts:AssumeRole action",
			second: "",
		} {
			role := "arn:aws:iam::" + owner + ":role/r"
			if got := tx.Denied("sts:AssumeRole", role, trust).Error(); got != "User: "+arn+" is not authorized to perform: sts:AssumeRole on resource: "+role+want {
				t.Error(got)
			}
		}
	})
}
