package mapper_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func answer(username string, ok bool, err error) mapper.Mapper {
	return mapper.Func(func(context.Context, identity.Principal, *mapper.Trace) (mapper.Match, bool, error) {
		return mapper.Match{Username: username}, ok, err
	})
}

func TestFirst(t *testing.T) {
	broken := errors.New("broken")
	never := mapper.Func(func(context.Context, identity.Principal, *mapper.Trace) (mapper.Match, bool, error) {
		t.Error("a mapper is called after the result is known")
		return mapper.Match{}, false, nil
	})
	no := answer("", false, nil)
	for name, test := range map[string]struct {
		chain    mapper.Mapper
		username string
		err      error
	}{
		"no mappers":              {mapper.First(), "", nil},
		"none matches":            {mapper.First(no, no), "", nil},
		"the first that matches":  {mapper.First(no, answer("a", true, nil), never), "a", nil},
		"an error ends the chain": {mapper.First(no, answer("", false, broken), never), "", broken},
	} {
		match, ok, err := test.chain.Map(t.Context(), mappertest.User(t, mappertest.Account, "bob"), nil)
		if match.Username != test.username || ok != (test.username != "") || !errors.Is(err, test.err) {
			t.Errorf("%s: %+v, %v, %v", name, match, ok, err)
		}
	}
}

func TestOwner(t *testing.T) {
	owner, err := mapper.Owner("aws", "arn:aws:iam::231144931069:role/Owner", "arn:aws:sts::231144931069:assumed-role/Other/session", "arn:aws:iam::231144931069:user/div/root")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []identity.Principal{
		mappertest.Role(t, "Owner", "x"), mappertest.Role(t, "Other", "x"), mappertest.User(t, mappertest.Account, "div/root"),
	} {
		match, ok, err := owner.Map(t.Context(), id, nil)
		if !ok || err != nil || match.Username != "kubernetes-admin" || strings.Join(match.Groups, " ") != "system:masters" || match.Rule.Source != "cluster owner" {
			t.Errorf("%s is %+v, %v, %v", id.ARN, match, ok, err)
		}
	}
	if match, ok, _ := owner.Map(t.Context(), mappertest.Role(t, "Stranger", "x"), nil); ok {
		t.Errorf("a stranger is %+v", match)
	}
	for _, arn := range []string{"", "Owner", "arn:aws:iam::231144931069:role/team/Owner", "arn:aws:iam::231144931069:group/x", "arn:aws-cn:iam::231144931069:role/Owner", "arn:aws:iam::231144931069:role/Owner*"} {
		if _, err := mapper.Owner("aws", arn); err == nil || !strings.Contains(err.Error(), arn) {
			t.Errorf("%q: %v", arn, err)
		}
	}
}

func TestReserve(t *testing.T) {
	id := mappertest.User(t, mappertest.Account, "bob")
	for username, denied := range map[string]bool{"system:node:x": true, "aws:bob": true, "bob": false, "xsystem:": false} {
		reserved := mapper.Reserve(answer(username, true, nil), []string{"system:", "aws:"})
		match, ok, err := reserved.Map(t.Context(), id, nil)
		_, isDenied := errors.AsType[*mapper.DeniedError](err)
		if isDenied != denied || ok == denied || denied && match.Username != "" {
			t.Errorf("%q: %+v, %v, %v", username, match, ok, err)
		}
	}
}

func TestNotSynced(t *testing.T) {
	none := func() *mapper.Table { return nil }
	for _, m := range []mapper.Mapper{mapper.Entries(none, nil), mapper.Accounts(none)} {
		if _, ok, err := m.Map(t.Context(), mappertest.User(t, mappertest.Account, "bob"), nil); ok || !errors.Is(err, mapper.ErrNotSynced) {
			t.Errorf("%v, %v", ok, err)
		}
	}
}

func TestRolePaths(t *testing.T) {
	username := func(text string) mapper.Template {
		template, err := mapper.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	const prefix = "arn:aws:iam::231144931069:role/"
	table := mapper.NewTable([]mapper.Entry{
		{ARN: prefix + "team/Alone", Username: username("alone")},
		{ARN: prefix + "team/Both", Username: username("with path")},
		{ARN: prefix + "Both", Username: username("without path")},
		{ARN: prefix + "a/Ambiguous", Username: username("a")},
		{ARN: prefix + "b/Ambiguous", Username: username("b")},
		{ARN: "arn:aws:iam::231144931069:user/x:role/a/bob", Username: username("with a role in the path")},
	}, nil, mapper.RolePathsStrip)
	entries := mapper.Entries(func() *mapper.Table { return table }, nil)
	for name, want := range map[string]string{"Alone": "alone", "alone": "alone", "Both": "without path", "Ambiguous": "", "team": ""} {
		match, ok, err := entries.Map(t.Context(), mappertest.Role(t, name, "x"), nil)
		if err != nil || match.Username != want || ok != (want != "") {
			t.Errorf("%s is %+v, %v, %v; want %q", name, match, ok, err, want)
		}
	}
	// Paths of users may contain a colon, and thus something like a role's ARN.
	for path, want := range map[string]string{"x:role/a/bob": "with a role in the path", "x:role/bob": ""} {
		match, ok, err := entries.Map(t.Context(), mappertest.User(t, mappertest.Account, path), nil)
		if err != nil || match.Username != want || ok != (want != "") {
			t.Errorf("user %s is %+v, %v, %v; want %q", path, match, ok, err, want)
		}
	}
	if table.Len() != 3 { // Alone, Both and the user
		t.Errorf("%d entries apply, want 3", table.Len())
	}
	overridden := map[string]string{}
	for entry, winner := range table.Overridden() {
		overridden[entry.Username.String()] = ""
		if winner != nil {
			overridden[entry.Username.String()] = winner.Username.String()
		}
	}
	if want := map[string]string{"a": "", "b": "", "with path": "without path"}; !maps.Equal(overridden, want) {
		t.Errorf("overridden: %v, want %v", overridden, want)
	}
}

func TestParseTemplate(t *testing.T) {
	for text, valid := range map[string]bool{
		"": true, "bob": true, "{{AccountID}}": true, "a{{SessionName}}b{{SessionNameRaw}}c": true, "}}": true, "{": true, "{SessionName}": true,
		"{{": false, "{{SessionName": false, "{{ SessionName }}": false, "{{sessionname}}": false, "{{}}": false, "{{{{AccountID}}}}": false,
	} {
		template, err := mapper.ParseTemplate(text)
		if (err == nil) != valid {
			t.Errorf("%q: %v", text, err)
		}
		if valid && template.String() != text {
			t.Errorf("template %q has the string %q", text, template.String())
		}
	}
}

func FuzzParseTemplate(f *testing.F) {
	f.Add("admin:{{SessionName}}")
	f.Add("{{{{AccountID}}")
	f.Fuzz(func(t *testing.T, text string) {
		template, err := mapper.ParseTemplate(text)
		if err != nil {
			return
		}
		if template.String() != text {
			t.Errorf("template %q has the string %q", text, template.String())
		}
		if !strings.Contains(text, "{{") && template.Uses("SessionName") {
			t.Errorf("%q uses a placeholder", text)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	var entries []mapper.Entry
	for _, name := range names(5000) {
		username, err := mapper.ParseTemplate("user")
		if err != nil {
			b.Fatal(err)
		}
		entries = append(entries, mapper.Entry{ARN: "arn:aws:iam::231144931069:role/" + name, Username: username})
	}
	table := mapper.NewTable(entries, nil, mapper.RolePathsIgnore)
	lookup := mapper.Entries(func() *mapper.Table { return table }, nil)
	known, unknown := mappertest.Role(b, "role-2500", "alice"), mappertest.Role(b, "stranger", "alice")
	for name, test := range map[string]struct {
		who   identity.Principal
		trace bool
	}{"known": {known, false}, "unknown": {unknown, false}, "unknown, traced": {unknown, true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var trace *mapper.Trace
				if test.trace {
					trace = &mapper.Trace{}
				}
				if _, _, err := lookup.Map(b.Context(), test.who, trace); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "role-" + strconv.Itoa(i)
	}
	return names
}
