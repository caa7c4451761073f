package lab

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestWrongClock checks what is said about a clock of local AWS that was set.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	aws, err := localaws.New(localaws.Config{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- aws.Serve(ctx, listener, nil) }()
	defer func() {
		cancel()
		<-ended
	}()
	info := Info{Dir: "/my lab", AWS: "http://" + listener.Addr().String()}
	for _, test := range []struct {
		by    time.Duration
		parts []string // none if nothing is said
	}{
		{0, nil},
		{30 * time.Second, nil},
		{2 * time.Hour, []string{"the clock of the lab's AWS is 2h0m", "ahead of that of this machine", "do not set the clock of this machine, but run: localaws clock resume --state-dir '/my lab/aws'"}},
		{-3 * time.Hour, []string{"is 59m", "behind that of this machine"}},
	} {
		aws.Clock().Advance(test.by)
		got := info.WrongClock(t.Context())
		if test.parts == nil && got != "" {
			t.Errorf("after %s: %s", test.by, got)
		}
		for _, part := range test.parts {
			if !strings.Contains(got, part) {
				t.Errorf("after %s: %q, want %q in it", test.by, got, part)
			}
		}
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message": "the port is another program's"}`)
	}))
	defer other.Close()
	if got := (Info{AWS: other.URL}).WrongClock(t.Context()); got != "" {
		t.Errorf("of another program: %s", got)
	}
	if got := (Info{AWS: "http://127.0.0.1:1"}).WrongClock(t.Context()); got != "" {
		t.Errorf("without an AWS: %s", got)
	}
}
