package floor

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

func ask(handler http.Handler, body string) (review.Answer, int) {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/authenticate", strings.NewReader(body)))
	answer, _ := io.ReadAll(recorder.Result().Body)
	return review.Read(recorder.Code, answer), recorder.Code
}

// TestThroughSTS checks that the floor really makes the call it is to be the price of.
func TestThroughSTS(t *testing.T) {
	t.Parallel()
	standin, err := sts.New()
	if err != nil {
		t.Fatal(err)
	}
	defer standin.Close()
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
	defer transport.CloseIdleConnections()
	handler := throughSTS(&http.Client{Transport: transport})

	var maker review.Maker
	body := string(review.Body(maker.Token(sts.Key(1), sts.Host(sts.Region), sts.Region, 0)))
	if answer, status := ask(handler, body); answer != review.Yes || standin.Calls() != 1 {
		t.Errorf("%s (HTTP %d) with %d calls to STS", answer, status, standin.Calls())
	}
	body = string(review.Body(maker.Token(sts.UnknownKey(1), sts.Host(sts.Region), sts.Region, 0)))
	if answer, status := ask(handler, body); answer != review.Undecided {
		t.Errorf("what STS refuses is answered by %s (HTTP %d)", answer, status)
	}
	if answer, status := ask(handler, "{}"); status != http.StatusBadRequest {
		t.Errorf("no token is answered by %s (HTTP %d)", answer, status)
	}
}

func TestFixed(t *testing.T) {
	t.Parallel()
	if answer, status := ask(http.HandlerFunc(fixed), "anything"); answer != review.Yes {
		t.Errorf("%s (HTTP %d)", answer, status)
	}
}
