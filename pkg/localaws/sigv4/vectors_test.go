package sigv4_test

import (
	"bufio"
	"encoding/json"
	"errors"
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

// The documentation secret that the recorded requests were signed with.
const recordedKey, recordedSecret = "AKIATLABCDEFGHIJKLM2", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// A recorded request is what a real client sent.
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

// request is the request as a server sees it.
func (r recorded) request() *http.Request {
	request := httptest.NewRequest(r.Method, r.Path, strings.NewReader(r.Body))
	request.Header = http.Header{}
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], "Host") {
			request.Host = h[1]
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
		t.Errorf("%d requests signed by the key, %d by others: the recording has more", signed, other)
	}
}

// TestOneByteChanged changes every recorded request in one byte of each thing
// that is signed; none may verify.
func TestOneByteChanged(t *testing.T) {
	t.Parallel()
	for _, r := range vectors(t) {
		if s, err := r.parse(); err != nil || s.AccessKeyID != recordedKey {
			continue
		}
		for what, change := range changes(r) {
			s, err := change.parse()
			if err == nil {
				err = s.Verify(recordedSecret)
			}
			if err == nil {
				t.Errorf("%d %s: it verifies with another %s", r.Seq, r.Command, what)
			}
		}
	}
}

// changes are the recorded request, each with one byte changed.
func changes(r recorded) map[string]recorded {
	flipped := func(text string, i int) string { return text[:i] + string(text[i]^1) + text[i+1:] }
	changed := map[string]recorded{}
	other := r
	other.Method = "PATCH"
	changed["method"] = other
	other = r
	if path, query, found := strings.Cut(r.Path, "?"); found {
		key, value, _ := strings.Cut(query, "=")
		other.Path = path + "?" + key + "=" + value + "x"
	} else {
		other.Path += "x"
	}
	changed["path"] = other
	if r.Body != "" {
		other = r
		other.Body = flipped(r.Body, len(r.Body)-1)
		changed["body"] = other
	}
	for i, header := range r.Headers {
		switch name := strings.ToLower(header[0]); name {
		case "host", "x-amz-date", "content-type", "authorization", "x-amz-security-token", "x-k8s-aws-id":
			other = r
			other.Headers = slices.Clone(r.Headers)
			other.Headers[i] = [2]string{header[0], flipped(header[1], len(header[1])-1)}
			if strings.Contains(r.Path, "X-Amz-Signature") && name != "host" && name != "x-k8s-aws-id" {
				continue // a presigned request signs these headers only
			}
			if name == "content-type" && !strings.Contains(authorization(r), "content-type") {
				continue
			}
			changed[name] = other
		}
	}
	return changed
}

func authorization(r recorded) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header[0], "Authorization") {
			return header[1]
		}
	}
	return ""
}

// FuzzParse holds that nothing crashes, and that no made-up request verifies.
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
