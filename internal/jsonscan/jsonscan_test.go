package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/jsonscan"
)

// read reads two fields, one inside an object.
func read(document string) (outer, inner string, err error) {
	a, b := jsonscan.Text("a"), jsonscan.Text("b")
	err = jsonscan.Read([]byte(document), a, jsonscan.Object("o", b))
	return a.Text, b.Text, err
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ document, outer, inner string }{
		"both":             {`{"a":"1","o":{"b":"2"}}`, "1", "2"},
		"another order":    {`{"o":{"x":[{"b":"no"}],"b":"2"},"a":"1"}`, "1", "2"},
		"neither":          {`{}`, "", ""},
		"null":             {` { "a" : null , "o" : null } `, "", ""},
		"another level":    {`{"b":"no","o":{"a":"no"},"x":{"a":"no","o":{"b":"no"}}}`, "", ""},
		"other names":      {`{"A":"no","O":{"b":"no"},"aa":"no","":"no"}`, "", ""},
		"escapes":          {`{"\u0061":"\u00e9\n","o":{"b":"é"}}`, "é\n", "é"},
		"others repeated":  {`{"x":1,"x":2,"a":"1"}`, "1", ""},
		"a field of both":  {`{"a":"1","o":{"a":"no","b":"2"}}`, "1", "2"},
		"every other kind": {`{"x":[0,-1.5e3,true,false,null,"",{}],"a":"1"}`, "1", ""},
	} {
		outer, inner, err := read(test.document)
		if outer != test.outer || inner != test.inner || err != nil {
			t.Errorf("%s: %q, %q, %v; want %q, %q", name, outer, inner, err, test.outer, test.inner)
		}
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		``:                                    "malformed",
		`[]`:                                  "malformed",
		`null`:                                "malformed",
		`{"a":"1"`:                            "malformed",
		`{"a":1}`:                             "malformed",
		`{"a":{}}`:                            "malformed",
		`{"o":"2"}`:                           "malformed",
		`{"o":[]}`:                            "malformed",
		`{"x":01}`:                            "malformed",
		`{"a":"1","a":"1"}`:                   "occurs twice",
		`{"a":null,"a":"1"}`:                  "occurs twice",
		`{"a":"1","\u0061":"2"}`:              "occurs twice",
		`{"o":{"b":"2"},"o":{}}`:              "occurs twice",
		`{"o":{"b":"2","b":"2"}}`:             "occurs twice",
		`{"x":` + strings.Repeat("[", 40):     "nested too deep",
		`{"x":` + strings.Repeat("{", 40):     "malformed",
		`{"a":"1"}{}`:                         "trailing data",
		`{"a":"1"}` + "\x00":                  "trailing data",
		`{"x":` + strings.Repeat(`{"x":`, 40): "nested too deep",
	} {
		_, _, err := read(document)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error that contains %q", document, err, want)
		}
		if trailing := errors.Is(err, jsonscan.ErrTrailing); trailing != (want == "trailing data") {
			t.Errorf("%q: %v is ErrTrailing: %t", document, err, trailing)
		}
	}
}

// FuzzRead checks that reading has the same result as encoding/json.
func FuzzRead(f *testing.F) {
	f.Add(`{"a":"1","o":{"b":"2"}}`)
	f.Add(` {"o":{"x":[1,{"y":null}],"b":"\u00e9\ud800"},"a":null} `)
	f.Add(`{"a":"1","a":"2","o":null}{}`)
	f.Fuzz(func(t *testing.T, document string) {
		outer, inner, err := read(document)
		wantOuter, wantInner, ok := readByEncodingJSON(document)
		switch {
		case err == nil && (!ok || outer != wantOuter || inner != wantInner):
			t.Errorf("%q: %q, %q; encoding/json reads %q, %q, %t", document, outer, inner, wantOuter, wantInner, ok)
		case err != nil && ok && !strings.Contains(err.Error(), "occurs twice") && !strings.Contains(err.Error(), "nested too deep"):
			t.Errorf("%q: %v; encoding/json accepts it", document, err)
		}
	})
}

// readByEncodingJSON reads into maps, whose keys are matched exactly.
func readByEncodingJSON(document string) (outer, inner string, ok bool) {
	var fields map[string]any
	if json.Unmarshal([]byte(document), &fields) != nil || fields == nil {
		return "", "", false
	}
	text := func(value any) (string, bool) { s, ok := value.(string); return s, ok || value == nil }
	object, isObject := fields["o"].(map[string]any)
	outer, isOuter := text(fields["a"])
	inner, isInner := text(object["b"])
	return outer, inner, isOuter && isInner && (isObject || fields["o"] == nil)
}

func BenchmarkRead(b *testing.B) {
	document := []byte(`{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:iam::111122223333:user/u42",` +
		`"UserId":"AIDABENCHUSER0000042"},"ResponseMetadata":{"RequestId":"01234567-89ab-cdef-0123-456789abcdef"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		account, arn, userID := jsonscan.Text("Account"), jsonscan.Text("Arn"), jsonscan.Text("UserId")
		result := jsonscan.Object("GetCallerIdentityResult", account, arn, userID)
		if err := jsonscan.Read(document, jsonscan.Object("GetCallerIdentityResponse", result)); err != nil || userID.Text == "" {
			b.Fatal(err)
		}
	}
}
