package encode_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/encode"
)

type pair struct {
	Name string            `json:"name"`
	Data map[string]string `json:"data,omitempty"`
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value      pair
		json, yaml string
	}{
		{pair{"bob", map[string]string{"a": "- b\n\tc\n"}}, `{"name":"bob","data":{"a":"- b\n\tc\n"}}`, "data:\n  a: \"- b\\n\\tc\\n\"\nname: bob\n"},
		{pair{Name: "é日本👩"}, `{"name":"é日本👩"}`, `name: "é日本\U0001F469"` + "\n"},
		{pair{Name: "\u202eb\u0085\x1b[2J\u009b\x7f"}, `{"name":"\u202eb\u0085\u001b[2J\u009b\u007f"}`, `name: "\U0000202eb\N\e[2J\x9B\x7F"` + "\n"},
		{pair{Name: "'\"\u2066\U000E0041"}, `{"name":"'\"\u2066\udb40\udc41"}`, `name: "'\"\U00002066\U000E0041"` + "\n"},
		{pair{"x", map[string]string{"\u202ea": "- 1\n- \u200f2\n", "b": "- 1\n- 2\n"}}, `{"name":"x","data":{"b":"- 1\n- 2\n","\u202ea":"- 1\n- \u200f2\n"}}`, "data:\n  \"\\U0000202ea\": \"- 1\\n- \\U0000200f2\\n\"\n  b: |\n    - 1\n    - 2\nname: x\n"},
	} {
		line, err := encode.JSONLine(test.value)
		if got := string(line); err != nil || got != test.json+"\n" {
			t.Errorf("JSON %s, %v, want %s", got, err, test.json)
		}
		text, err := encode.YAML(test.value)
		if got := string(text); err != nil || got != test.yaml {
			t.Errorf("YAML %q, %v, want %q", got, err, test.yaml)
		}
	}
	indented, err := encode.JSON(pair{Name: "\u202e"})
	if want := "{\n  \"name\": \"\\u202e\"\n}\n"; err != nil || string(indented) != want {
		t.Errorf("indented: %s, %v, want %s", indented, err, want)
	}
	for name, of := range map[string]func(any) ([]byte, error){"JSON": encode.JSON, "YAML": encode.YAML} {
		if text, err := of(func() {}); err == nil {
			t.Errorf("%s of a function: %s", name, text)
		}
	}
}

// maxKey is less than YAML's limit for the length of a key, with escapes.
const maxKey = 128

// FuzzEncode checks that any text survives, and that a terminal shows all of it.
func FuzzEncode(f *testing.F) {
	for _, text := range []string{"bob", "\u202e\x1b[2J", "yes", "1\n 2\n\n", "\ufeffa\u00a0", "\U000E0041 : #", "\u2028'\u2066\t", "|\r\n \x85"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // JSON replaces the rest
		}
		value := pair{text, map[string]string{"key": text}}
		if key := text; len(key) <= maxKey {
			value.Data = map[string]string{key: text}
		}
		for name, codec := range map[string]struct {
			encode func(any) ([]byte, error)
			decode func([]byte, any) error
		}{
			"JSON": {encode.JSON, json.Unmarshal},
			"line": {encode.JSONLine, json.Unmarshal},
			"YAML": {encode.YAML, func(text []byte, value any) error { return yaml.UnmarshalStrict(text, value) }},
		} {
			encoded, err := codec.encode(value)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if strings.ContainsFunc(string(encoded), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
				t.Errorf("%s %q has a hidden character", name, encoded)
			}
			var got pair
			if err := codec.decode(encoded, &got); err != nil || !cmp.Equal(got, value) {
				t.Errorf("%s %q is %q, %v", name, encoded, got, err)
			}
		}
	})
}
