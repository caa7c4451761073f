package httpclient

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// simple is an answer of STS without its body.
const simple = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1\r\nContent-Type: application/json\r\nContent-Length: 2\r\nDate: Mon, 23 Nov 2026 08:24:57 GMT\r\n\r\n"

// TestSimpleAnswers checks which answers need no [http.ReadResponse].
func TestSimpleAnswers(t *testing.T) {
	with := func(old, changed string) string { return strings.Replace(simple, old, changed, 1) }
	for name, test := range map[string]struct {
		answer string
		simple bool
	}{
		"of STS":                 {simple + "{}", true},
		"a refusal":              {with("200 OK", "403 Forbidden") + "{}", true},
		"no reason":              {with("200 OK", "200") + "{}", true},
		"its body is on the way": {simple, true},
		"an empty body":          {with(": 2", ": 0"), true},
		"a header twice":         {with("Date:", "X-Amzn-Requestid: 2\r\nDate:") + "{}", true},
		"no space":               {with(": 2", ":2") + "{}", true},

		"incomplete":             {strings.TrimSuffix(simple, "\r\n"), false},
		"HTTP/1.0":               {with("1.1", "1.0") + "{}", false},
		"interim":                {with("200 OK", "103 Early Hints") + "{}", false},
		"without a body":         {with("200 OK", "204 No Content"), false},
		"not modified":           {with("200 OK", "304 Not Modified"), false},
		"no code":                {with("200 OK", "OK") + "{}", false},
		"a long code":            {with("200 OK", "2000 OK") + "{}", false},
		"a signed code":          {with("200", "+200") + "{}", false},
		"a zero first":           {with("200", "0200") + "{}", false},
		"no length":              {with("Content-Length: 2\r\n", "") + "{}", false},
		"two lengths":            {with("Date:", "Content-Length: 3\r\nDate:") + "{}}", false},
		"a signed length":        {with(": 2", ": +2") + "{}", false},
		"a huge length":          {with(": 2", ": 9999999999") + "{}", false},
		"chunks":                 {with("Date:", "Transfer-Encoding: chunked\r\nDate:") + "2\r\n{}\r\n0\r\n\r\n", false},
		"the last":               {with("Date:", "connection: close\r\nDate:") + "{}", false},
		"a continued line":       {with("Date:", " 1\r\nDate:") + "{}", false},
		"a space before colon":   {with("Date:", "Date :") + "{}", false},
		"a bare line feed":       {with("1\r\n", "1\nContent-Length: 3\r\n") + "{}", false},
		"a bare carriage return": {with("1\r\n", "1\rContent-Length: 3\r\n") + "{}", false},
		"no name":                {with("Date:", ":") + "{}", false},
		"no colon":               {with("Date: Mon", "Date Mon") + "{}", false},
		"no headers":             {"HTTP/1.1 200 OK\r\n\r\n", false},
		"nothing":                {"", false},
	} {
		in := bufio.NewReader(strings.NewReader(test.answer))
		_, _ = in.Peek(1)
		before := in.Buffered()
		got := readSimple(in)
		if (got != nil) != test.simple {
			t.Errorf("%s: simple is %v", name, got != nil)
		}
		if got == nil && in.Buffered() != before {
			t.Errorf("%s: %d of %d bytes are left", name, in.Buffered(), before)
		}
	}
}

// FuzzSimpleAnswer checks that what readSimple reads is what [http.ReadResponse] reads.
func FuzzSimpleAnswer(f *testing.F) {
	f.Add(simple + "{}")
	f.Add(strings.Replace(simple, "200", "+200", 1) + "{}")
	f.Add(strings.Replace(simple, "200", "0200", 1) + "{}")
	f.Add(simple + "{}HTTP/1.1 200 OK\r\n\r\n")
	f.Add("HTTP/1.1 403 \r\nA:b \r\na: c\r\ncontent-length:  007 \r\n\r\n1234567")
	f.Fuzz(func(t *testing.T, text string) {
		request := &http.Request{Method: http.MethodGet}
		ours, theirs := bufio.NewReader(strings.NewReader(text)), bufio.NewReader(strings.NewReader(text))
		_, _ = ours.Peek(1)
		got := readSimple(ours)
		if got == nil {
			return
		}
		want, err := http.ReadResponse(theirs, request)
		if err != nil {
			t.Fatalf("net/http does not read it: %v", err)
		}
		gotBody, gotErr := readBody(got, 100)
		wantBody, wantErr := readBody(want, 100)
		if string(gotBody) != string(wantBody) || !errors.Is(gotErr, wantErr) {
			t.Errorf("the body is %q, %v; want %q, %v", gotBody, gotErr, wantBody, wantErr)
		}
		got.Body, want.Body = nil, nil
		if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Request" }, cmp.Ignore())); diff != "" {
			t.Errorf("(-net/http +ours)\n%s", diff)
		}
		rest, _ := io.ReadAll(ours)
		if wantRest, _ := io.ReadAll(theirs); string(rest) != string(wantRest) {
			t.Errorf("%q follow, want %q", rest, wantRest)
		}
	})
}
