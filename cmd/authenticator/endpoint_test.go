package main

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

// TestCertificateOfAClockAhead checks the warning for a certificate that was generated
// while the clock was ahead: no kube-apiserver trusts it before the time that the
// clock showed.
func TestCertificateOfAClockAhead(t *testing.T) {
	dir := t.TempDir()
	if _, err := certificate.LoadOrGenerate(t.Context(), dir, "localhost", "127.0.0.1", time.Now().AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	o := serverOptions{endpoint: endpoint{stateDir: dir, hostname: "localhost", address: "127.0.0.1"}}
	_, warning, err := o.certificate(t.Context())
	if err != nil || !strings.Contains(warning, "cert.pem is not valid before") || !strings.Contains(warning, "key.pem, and restart to generate new ones") {
		t.Errorf("%q, %v", warning, err)
	}
	if plan, err := o.certificatePlan(t.Context(), time.Now()); err != nil || !strings.Contains(plan, "is not valid before") {
		t.Errorf("%q, %v", plan, err)
	}
}
