package iam

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzBounds checks the reported positions of statements.
func FuzzBounds(f *testing.F) {
	for _, text := range []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`,
		"{\n \"Statement\" : {\"Effect\": \"Deny\", \"Action\": [\"s3:*\"], \"Resource\": \"*\"} , \"Version\": \"2012-10-17\"\n}",
		`{"Id":"a,b:[{","Statement":[ {"Effect":"Allow","Action":"s3:*","Resource":"*"} , {"Effect":"Deny","Action":"ec2:*","Resource":["arn:aws:s3:::}],{"]}],"Version":"2012-10-17"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDocument(text)
		if err != nil {
			return
		}
		var raw struct{ Statement json.RawMessage }
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			t.Fatal(err)
		}
		var statements []json.RawMessage
		if json.Unmarshal(raw.Statement, &statements) != nil {
			statements = []json.RawMessage{raw.Statement}
		}
		for i, statement := range statements {
			begin, end := bounds(d, i)
			if got := strings.TrimSpace(text[begin:end]); got != string(statement) {
				t.Errorf("statement %d of %q: the text at its bounds is %q", i, text, got)
			}
		}
	})
}
