package sigv4_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
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
	t.Logf("%d signed, %d by other keys", signed, other)
}
