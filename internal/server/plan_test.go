package server

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/settings"
)

// TestCertificateOfAClockAhead checks the warning for a CA that was generated while the
// clock was ahead: no kube-apiserver trusts it before the time that the clock showed.
func TestCertificateOfAClockAhead(t *testing.T) {
	dir := t.TempDir()
	if _, err := certificate.StateFiles(dir).LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now().AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	o := Config{Endpoint: settings.Endpoint{StateDir: dir, Hostname: "localhost", Address: "127.0.0.1"}}
	serving, err := o.Endpoint.Certificate(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"is not valid before", "key.pem, and restart to generate new ones"} {
		if refused := serving.Refused(); refused == nil || !strings.Contains(refused.Error(), want) {
			t.Errorf("%v, want %q in it", refused, want)
		}
	}
	if plan, err := o.certificatePlan(t.Context(), &clusters{}, time.Now()); err != nil || !strings.Contains(plan, "is not valid before") {
		t.Errorf("%q, %v", plan, err)
	}
}

// TestReadiness checks the command that asks the server itself what it waits for.
func TestReadiness(t *testing.T) {
	for port, want := range map[int]string{0: "", 8080: "curl --silent http://127.0.0.1:8080/readyz"} {
		if got := (&Config{HealthPort: port}).readiness(); got != want {
			t.Errorf("port %d: %s", port, got)
		}
	}
}
