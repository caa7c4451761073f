package sigv4_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// The recorded requests were signed with this secret of the AWS documentation.
const recordedKey, recordedSecret = "AKIATLABCDEFGHIJKLM2", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// A recorded request is one that a real client sent.
type recorded struct {
	Seq     int
	Command string
	Method  string
	Path    string
	Headers [][2]string
	Body    string
}

func vectors(t testing.TB) []recorded {
	t.Helper()
	file, err := os.Open("testdata/requests-aws-cli-2.9.19.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []recorded
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// request returns the request as a server receives it.
func (r recorded) request() *http.Request {
	request := httptest.NewRequest(r.Method, r.Path, strings.NewReader(r.Body))
	request.Header = http.Header{}
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], "Host") {
			request.Host = cmp.Or(request.URL.Host, h[1]) // a proxy request's URL takes precedence over the header
		} else {
			request.Header.Add(h[0], h[1])
		}
	}
	return request
}

func (r recorded) parse() (*sigv4.Signature, error) {
	return sigv4.Parse(r.request(), []byte(r.Body))
}

func TestVectors(t *testing.T) {
	t.Parallel()
	signed, other := 0, 0
	for _, r := range vectors(t) {
		s, err := r.parse()
		if errors.Is(err, sigv4.ErrMissing) {
			t.Logf("%d unsigned: %s", r.Seq, r.Command)
			continue
		}
		if err != nil {
			t.Errorf("%d %s: %v", r.Seq, r.Command, err)
			continue
		}
		if s.AccessKeyID != recordedKey {
			other++
			t.Logf("%d another key %s: %s", r.Seq, s.AccessKeyID, r.Command)
			continue
		}
		signed++
		if err := s.Verify(recordedSecret); err != nil {
			t.Errorf("%d %s: %v", r.Seq, r.Command, err)
		}
		if err := s.CheckTime(s.Time.Add(sigv4.MaxSkew)); err != nil {
			t.Errorf("%d: at 15 min: %v", r.Seq, err)
		}
		if err := s.CheckTime(s.Time.Add(sigv4.MaxSkew + time.Second)); err == nil {
			t.Errorf("%d: at 15 min 1 s: valid", r.Seq)
		}
	}
	if signed < 150 {
		t.Errorf("%d requests signed by the key, %d by others: expected more in the recording", signed, other)
	}
}

// TestOneByteChanged changes each signed byte of every recorded request; none may
// verify.
func TestOneByteChanged(t *testing.T) {
	t.Parallel()
	changed := 0
	for _, r := range vectors(t) {
		if s, err := r.parse(); err != nil || s.AccessKeyID != recordedKey {
			continue
		}
		for what, change := range r.changes() {
			s, err := change.parse()
			if err == nil && s.AccessKeyID != recordedKey {
				continue // the access key ID is not signed: it selects the secret
			}
			if err == nil {
				err = s.Verify(recordedSecret)
			}
			if err == nil {
				t.Errorf("%d %s: the request verifies with another %s", r.Seq, r.Command, what)
			}
			changed++
		}
	}
	t.Logf("%d changes", changed)
	if changed < 45_000 {
		t.Errorf("%d changes: expected more signed bytes in the recording", changed)
	}
}

// changes iterates over copies of the request, each with one signed byte changed.
func (r recorded) changes() iter.Seq2[string, recorded] {
	return func(yield func(string, recorded) bool) {
		other := r
		for method := range flips(r.Method) {
			if other.Method = method; !yield("method", other) {
				return
			}
		}
		other = r
		for path := range flips(r.Path) {
			if u, err := url.ParseRequestURI(path); err != nil || strings.Contains(path, "#") || u.Opaque != "" || u.Scheme != r.request().URL.Scheme {
				continue // a server would reject it, or the scheme changed, which is not signed
			}
			if other.Path = path; !yield("path "+path, other) {
				return
			}
		}
		other = r
		for body := range flips(r.Body) {
			if other.Body = body; !yield("body", other) {
				return
			}
		}
		for i, header := range r.Headers {
			name := strings.ToLower(header[0])
			if name != "authorization" && !slices.Contains(r.signed(), name) || name == "host" && r.request().URL.Host != "" {
				continue
			}
			other = r
			for value := range flips(header[1]) {
				other.Headers = slices.Clone(r.Headers)
				if other.Headers[i][1] = value; !yield(header[0]+": "+value, other) {
					return
				}
			}
		}
	}
}

// flips iterates over copies of a text, each with one byte changed.
func flips(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(text) {
			if !yield(text[:i] + string(text[i]^1) + text[i+1:]) {
				return
			}
		}
	}
}

// signed returns the names of the signed headers.
func (r recorded) signed() []string {
	_, after, found := strings.Cut(authorization(r), "SignedHeaders=")
	if !found {
		return strings.Split(r.request().URL.Query().Get("X-Amz-SignedHeaders"), ";")
	}
	names, _, _ := strings.Cut(after, ",")
	return strings.Split(names, ";")
}

func authorization(r recorded) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header[0], "Authorization") {
			return header[1]
		}
	}
	return ""
}

// FuzzParse checks that nothing crashes, and that no unsigned request verifies.
func FuzzParse(f *testing.F) {
	for _, r := range vectors(f)[:20] {
		f.Add(r.Method, r.Path, authorization(r), r.Body)
	}
	f.Add("GET", "/?X-Amz-Signature=x&X-Amz-Algorithm=AWS4-HMAC-SHA256", "", "")
	f.Fuzz(func(t *testing.T, method, path, authorization, body string) {
		address, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: address, Host: "sts.amazonaws.com", Header: http.Header{"Authorization": {authorization}, "X-Amz-Date": {"20261123T081642Z"}}}
		s, err := sigv4.Parse(r, []byte(body))
		if err != nil {
			return
		}
		if err := s.Verify("a secret that signed nothing"); err == nil {
			t.Errorf("%s %s verifies", method, path)
		}
	})
}
