package sts_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (*sts.Standin, *http.Client) {
	t.Helper()
	standin, err := sts.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standin.Close(); err != nil {
			t.Error(err)
		}
	})
	proxy, err := standin.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(standin.CA())
	transport := &http.Transport{Proxy: http.ProxyURL(address), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return standin, &http.Client{Transport: transport}
}

func get(ctx context.Context, t *testing.T, client *http.Client, region, key string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+sts.Host(region)+"/?X-Amz-Credential="+key+"%2F20261128%2F&X-Amz-Date=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-K8s-Aws-Id", "c")
	return client.Do(request)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	standin, client := start(t)
	for _, test := range []struct {
		name, key string
		status    int
		want      string
	}{
		{"user", sts.Key(42), http.StatusOK, `"Arn":"` + sts.ARN(42) + `"`},
		{"nobody", sts.UnknownKey(42), http.StatusForbidden, `"Code":"InvalidClientTokenId"`},
	} {
		answer, err := get(t.Context(), t, client, sts.Region, test.key)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != test.status || !strings.Contains(string(body), test.want) {
			t.Errorf("%s: HTTP %d %s, %v; want %d and %s", test.name, answer.StatusCode, body, err, test.status, test.want)
		}
	}
	if calls := standin.Calls(); calls != 2 {
		t.Errorf("%d calls are counted, not 2", calls)
	}
}

// TestDeadRegion checks that nothing at all comes back: any answer would have a
// server give up sooner than with a real dead region.
func TestDeadRegion(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if answer, err := get(ctx, t, client, sts.DeadRegion, sts.Key(1)); err == nil {
		answer.Body.Close()
		t.Errorf("the dead region answers %s", answer.Status)
	} else if ctx.Err() == nil {
		t.Errorf("the dead region does not stay silent: %v", err)
	}
}

func TestSlowRefusal(t *testing.T) {
	t.Parallel()
	standin, client := start(t)
	standin.RefuseAfter(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if answer, err := get(ctx, t, client, sts.Region, sts.UnknownKey(1)); err == nil {
		answer.Body.Close()
		if ctx.Err() == nil { // else the answer is that to a client that leaves
			t.Error("an unknown key is refused at once")
		}
	}
	answer, err := get(t.Context(), t, client, sts.Region, sts.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("a known key is answered by HTTP %d meanwhile", answer.StatusCode)
	}
}

func TestKnow(t *testing.T) {
	t.Parallel()
	standin, client := start(t)
	standin.Know("AKIAKNOWN", sts.Identity{Account: "444455556666", ARN: "arn:aws:iam::444455556666:root", UserID: "444455556666"})
	answer, err := get(t.Context(), t, client, sts.Region, "AKIAKNOWN")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !strings.Contains(string(body), `"Arn":"arn:aws:iam::444455556666:root"`) {
		t.Errorf("%s, %v", body, err)
	}
}

func TestSetDown(t *testing.T) {
	t.Parallel()
	standin, client := start(t)
	ask := func() error {
		answer, err := get(t.Context(), t, client, sts.Region, sts.Key(1))
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	for _, down := range []bool{false, true, true, false} {
		standin.SetDown(down)
		if err := ask(); (err != nil) != down {
			t.Errorf("down: %v, and the call fails with %v", down, err)
		}
	}
}
