package source_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

func TestInForce(t *testing.T) {
	table := func(accounts ...mapper.Account) source.Snapshot {
		return source.Snapshot{Table: mapper.NewTable(nil, accounts, mapper.RolePathsIgnore)}
	}
	var f source.InForce
	if f.Current().Table != nil {
		t.Error("a table is in force before anything was read")
	}
	f.Keep(false, "", "", "")
	if got := f.Current(); got.Table != nil || !got.KeptSince.IsZero() {
		t.Errorf("%+v is kept, although nothing was read", got)
	}
	f = source.InForce{}
	f.Init(table())
	if got := f.Current().Table; got == nil || got.Len() != 0 {
		t.Errorf("the table in force is %+v, want an empty one", got)
	}
	f.Swap(table(mapper.Account{ID: "012345678901"}))
	f.Init(table()) // has no effect after Swap
	if got := f.Current().Table.Len(); got != 1 {
		t.Errorf("%d mappings are in force, want 1", got)
	}
	f.Keep(true, "first", "", "")
	f.Keep(true, "second", "it stays", "fix it")
	want := []mapper.Problem{{Code: source.Unreadable, Severity: mapper.Error, Message: "second", Effect: "it stays", Fix: "fix it"}}
	if got := f.Current(); got.Table.Len() != 1 || !slices.Equal(got.Problems, want) {
		t.Errorf("%d mappings are kept with problems %v, want 1 with %v", got.Table.Len(), got.Problems, want)
	}
}

func TestMissing(t *testing.T) {
	m := source.NewMissing("A", errors.New("no such file"))
	for _, want := range []string{"no such file", "not a file"} {
		m.Fail(errors.New(want))
		if got := m.Current(); got.Table != nil || len(got.Problems) != 1 || got.Problems[0].Code != source.Unreadable || got.Problems[0].Message != want {
			t.Errorf("%+v is in force, want the problem %q alone", got, want)
		}
	}
	m.Reread()
	m.Reread() // does not wait
	<-m.Again()
	select {
	case <-m.Again():
		t.Error("it is tried again twice")
	default:
	}
}
