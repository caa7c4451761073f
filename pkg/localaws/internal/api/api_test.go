package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func TestErrorOf(t *testing.T) {
	known := api.NewError(http.StatusNotFound, "NoSuchEntity", "no such thing")
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"an error of AWS":     {known, http.StatusNotFound, "NoSuchEntity"},
		"one that is wrapped": {fmt.Errorf("finding it: %w", known), http.StatusNotFound, "NoSuchEntity"},
		"any other":           {errors.New("broken"), http.StatusInternalServerError, "ServiceFailure"},
	} {
		if e := api.ErrorOf(test.err); e.Status != test.status || e.Code != test.code || e.Encoded() != "" || e.Refused {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestTranslate checks the codes that services have for common errors.
func TestTranslate(t *testing.T) {
	for code, want := range map[string]struct{ query, json string }{
		api.CodeAccessDenied:        {"AccessDenied", "AccessDeniedException"},
		api.CodeExpiredToken:        {"ExpiredToken", "ExpiredTokenException"},
		api.CodeIncompleteSignature: {"IncompleteSignature", "IncompleteSignatureException"},
		api.CodeInvalidToken:        {"InvalidClientTokenId", "UnrecognizedClientException"},
		api.CodeMissingToken:        {"MissingAuthenticationToken", "MissingAuthenticationTokenException"},
		api.CodeSignatureMismatch:   {"SignatureDoesNotMatch", "InvalidSignatureException"},
		api.CodeSignatureSkewed:     {"SignatureDoesNotMatch", "InvalidSignatureException"},
		api.CodeServiceFailure:      {"ServiceFailure", "ServerException"},
		api.CodeThrottled:           {"Throttling", "TooManyRequestsException"},
		api.CodeUnavailable:         {"ServiceUnavailable", "ServiceUnavailableException"},
		"ResourceInUseException":    {"ResourceInUseException", "ResourceInUseException"},
	} {
		e := api.NewError(http.StatusBadRequest, code, "why")
		if query, json := api.TranslateQuery(e), api.TranslateJSON(e); query.Code != want.query || json.Code != want.json || json.Message != "why" {
			t.Errorf("%s: %s and %s, want %s and %s", code, query.Code, json.Code, want.query, want.json)
		}
	}
}

// TestPageAfter checks that pages go on after what they end with, also if that is gone.
func TestPageAfter(t *testing.T) {
	itself := func(s string) string { return s }
	all := []string{"a", "b", "c", "d", "e"}
	page, next, ok := api.PageAfter(all, itself, "", 2)
	if !ok || !reflect.DeepEqual(page, []string{"a", "b"}) {
		t.Fatalf("%v, %v", page, ok)
	}
	for _, now := range [][]string{all, {"a", "c", "d", "e"}, {"a", "aa", "b", "c", "d"}} {
		if page, _, ok := api.PageAfter(now, itself, next, 2); !ok || !reflect.DeepEqual(page, []string{"c", "d"}) {
			t.Errorf("the page after b of %v: %v, %v", now, page, ok)
		}
	}
	if page, next, ok := api.PageAfter(all, itself, "", 5); !ok || len(page) != 5 || next != "" {
		t.Errorf("all: %v, %q, %v", page, next, ok)
	}
	if _, _, ok := api.PageAfter(all, itself, "not base64!", 5); ok {
		t.Error("an invalid token is accepted")
	}
}

// TestDefine checks that a defined operation keeps its input, and asks for permission
// only if it has a resource.
func TestDefine(t *testing.T) {
	decode := func(input api.Input) (string, error) {
		if input.Operation == "" {
			return "", errors.New("no operation")
		}
		return input.Operation, nil
	}
	run := func(_ *account.Tx, in string) (any, error) { return "ran " + in, nil }
	full := api.Define(api.Definition[string]{
		Facts: api.Facts{Name: "Get"}, Decode: decode, Run: run,
		Resource:      func(_ *account.Tx, in string) string { return "thing/" + in },
		ConditionKeys: func(_ *account.Tx, in string) map[string][]string { return map[string][]string{"name": {in}} },
	})
	decoded, err := full.Decode(api.Input{Operation: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if result, err := decoded.Run(nil); err != nil || result != "ran x" || decoded.Resource(nil) != "thing/x" || decoded.ConditionKeys(nil)["name"][0] != "x" {
		t.Errorf("%v, %v", result, err)
	}
	if _, err := full.Decode(api.Input{}); err == nil {
		t.Error("the error of Decode is lost")
	}
	bare, err := api.Define(api.Definition[string]{Decode: decode, Run: run}).Decode(api.Input{Operation: "x"})
	if err != nil || bare.Resource != nil || bare.ConditionKeys != nil {
		t.Errorf("%+v, %v", bare, err)
	}
}

func TestForm(t *testing.T) {
	form := api.Form{"Tag.1.Key": {"a"}, "Tag.2.Key": {"b"}, "Tag.4.Key": {"d"}, "Id.1": {"x"}}
	if got := form.List("Tag", ".Key"); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("%v", got)
	}
	if got := form.List("Id", ""); !reflect.DeepEqual(got, []string{"x"}) || form.Has("Id") || form.Get("Id.1") != "x" {
		t.Errorf("%v", got)
	}
}

func TestTagKeys(t *testing.T) {
	got := api.Merged(api.RequestTags(map[string]string{"Team": "a", "Env": "b"}), api.ResourceTags(map[string]string{"Team": "c"}))
	want := map[string][]string{
		"aws:requesttag/team": {"a"}, "aws:requesttag/env": {"b"}, "aws:tagkeys": {"Env", "Team"}, "aws:resourcetag/team": {"c"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
