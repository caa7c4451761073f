package certificate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

const day = 24 * time.Hour

// TestMovingOver takes the cert.pem of aws-iam-authenticator, and that of our own older
// versions: a kube-apiserver that trusts it connects without a restart, by each name
// that it had before.
func TestMovingOver(t *testing.T) {
	t.Parallel()
	ours := authority("aws-iam-authenticator")
	ours.KeyUsage |= x509.KeyUsageDigitalSignature
	ours.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	ours.DNSNames = []string{"old.example.com"}
	for name, before := range map[string]made{"aws-iam-authenticator": incumbents(t, "old.example.com"), "ours": sign(t, ours, nil, nil)} {
		t.Run(name, func(t *testing.T) {
			files := certificate.StateFiles(t.TempDir())
			write(t, files, before)
			serving := load(t, files, certificate.Config{})
			for _, host := range []string{"old.example.com", "localhost", "127.0.0.1"} {
				if err := connect(t, serving, certPEM(before), host); err != nil {
					t.Errorf("a kube-apiserver that asks for %s: %v", host, err)
				}
			}
			if err := connect(t, serving, certPEM(before), "else.example.com"); err == nil {
				t.Error("it is valid for any name")
			}
			if !bytes.Equal(serving.Trusted(), certPEM(before)) {
				t.Error("the kubeconfig would trust another certificate")
			}
			if err := serving.Refused(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leaf := served(t, load(t, certificate.StateFiles(t.TempDir()), certificate.Config{})).Leaf
		if _, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
			t.Errorf("a leaf with a key %T, CA %v, key usage %v", leaf.PublicKey, leaf.IsCA, leaf.KeyUsage)
		}
		if now := time.Now().UTC(); !leaf.NotBefore.Equal(now.Add(-time.Hour)) || !leaf.NotAfter.Equal(now.Add(30*day)) {
			t.Errorf("valid from %s to %s, now is %s", leaf.NotBefore, leaf.NotAfter, now)
		}
		if bytes.Equal(leaf.RawSubject, leaf.RawIssuer) {
			t.Error("it has the name of its CA, and looks self-signed")
		}
	})
}

// TestRenewal lets two years pass.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		serving := load(t, certificate.StateFiles(t.TempDir()), certificate.Config{})
		first := served(t, serving)
		time.Sleep(20*day - time.Second)
		if served(t, serving) != first {
			t.Error("it is renewed before two thirds of its life")
		}
		time.Sleep(time.Second)
		second := served(t, serving)
		if ends, _ := serving.Expires(); second == first || !ends.Equal(time.Now().UTC().Add(30*day)) {
			t.Errorf("after 20 days: the same %v, until %s", second == first, ends)
		}
		for range 700 {
			time.Sleep(day)
			if err := connect(t, serving, serving.Trusted(), "localhost"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(90 * day) // the machine slept
		if err := connect(t, serving, serving.Trusted(), "localhost"); err != nil {
			t.Error(err)
		}
	})
}

// TestRenewalOfManyHandshakes signs one leaf for all handshakes that find it due.
func TestRenewalOfManyHandshakes(t *testing.T) {
	t.Parallel()
	const many = 16
	var ahead time.Duration
	var found sync.WaitGroup
	var asked atomic.Int64
	serving := load(t, certificate.StateFiles(t.TempDir()), certificate.Config{Now: func() time.Time {
		if ahead > 0 && asked.Add(1) <= many {
			found.Done()
			found.Wait() // until all have found it due
		}
		return time.Now().Add(ahead)
	}})
	ahead = 25 * day
	found.Add(many)
	leaves := make([]*x509.Certificate, many)
	var shaking sync.WaitGroup
	for i := range leaves {
		shaking.Go(func() { leaves[i] = served(t, serving).Leaf })
	}
	shaking.Wait()
	for _, leaf := range leaves {
		if leaf != leaves[0] {
			t.Fatal("several certificates are signed")
		}
	}
}

// TestClockThatIsSetBack has a leaf that was signed while the clock was ahead.
func TestClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	ahead := 365 * day
	serving := load(t, certificate.StateFiles(t.TempDir()), certificate.Config{Now: func() time.Time { return time.Now().Add(ahead) }})
	_ = served(t, serving)
	ahead = 0
	if err := connect(t, serving, serving.Trusted(), "localhost"); err != nil {
		t.Error(err)
	}
}

// TestEndOfAuthority comes near the end of a CA: the leaf ends with it, and is not
// signed again at every handshake.
func TestEndOfAuthority(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := sign(t, authority("CA"), nil, nil) // for a year
		serving := load(t, given(t, ca), certificate.Config{})
		if serving.Ending() != "" {
			t.Error(serving.Ending())
		}
		time.Sleep(300 * day)
		if want := "the CA of the serving certificates"; !strings.Contains(serving.Ending(), want) || serving.Refused() != nil {
			t.Errorf("%q, want %q in it; refused: %v", serving.Ending(), want, serving.Refused())
		}
		time.Sleep(50 * day)
		last := served(t, serving)
		if !last.Leaf.NotAfter.Equal(ca.certificate.NotAfter) {
			t.Errorf("the leaf is valid until %s, the CA until %s", last.Leaf.NotAfter, ca.certificate.NotAfter)
		}
		time.Sleep(15 * day)
		if served(t, serving) != last {
			t.Error("it is signed again, for no longer")
		}
		time.Sleep(2 * day)
		if err := serving.Refused(); err == nil || !strings.Contains(err.Error(), "expired") || !strings.Contains(err.Error(), "replace both files") {
			t.Errorf("once it has expired: %v", err)
		}
	})
}

// TestGivenCertificate serves what an operator gives.
func TestGivenCertificate(t *testing.T) {
	t.Parallel()
	root := sign(t, authority("root"), nil, nil)
	middle := sign(t, authority("intermediate"), nil, &root)
	noSigner := authority("no signer")
	noSigner.KeyUsage, noSigner.DNSNames = x509.KeyUsageDigitalSignature, []string{"localhost"}
	short := leaf("localhost")
	short.NotBefore, short.NotAfter = time.Now().Add(-20*time.Hour), time.Now().Add(4*time.Hour)
	for name, test := range map[string]struct {
		chain                   []made
		isCA, survives          bool
		wantRefused, wantEnding string
	}{
		"a leaf alone":           {chain: []made{sign(t, leaf("localhost"), nil, &root)}},
		"a leaf and its CA":      {chain: []made{sign(t, leaf("localhost"), nil, &root), root}, survives: true},
		"a chain":                {chain: []made{sign(t, leaf("localhost"), nil, &middle), middle, root}, survives: true},
		"a chain without a root": {chain: []made{sign(t, leaf("localhost"), nil, &middle), middle}, survives: true},
		"an intermediate CA":     {chain: []made{middle, root}, isCA: true, survives: true},
		"a CA that cannot sign":  {chain: []made{sign(t, noSigner, nil, nil)}, survives: true},
		"another name":           {chain: []made{sign(t, leaf("other.example.com"), nil, &root)}, wantRefused: "valid for other.example.com, not localhost"},
		"for a day":              {chain: []made{sign(t, short, nil, &root)}, wantEnding: "the serving certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			serving := load(t, given(t, test.chain...), certificate.Config{})
			refused := ""
			if err := serving.Refused(); err != nil {
				refused = err.Error()
			}
			if !strings.Contains(refused, test.wantRefused) || (test.wantRefused == "") != (refused == "") {
				t.Errorf("refused: %q, want %q", refused, test.wantRefused)
			}
			if ending := serving.Ending(); !strings.Contains(ending, test.wantEnding) || (test.wantEnding == "") != (ending == "") {
				t.Errorf("ending: %q, want %q", ending, test.wantEnding)
			}
			if serving.SurvivesRenewal() != test.survives {
				t.Errorf("survives a renewal: %v", !test.survives)
			}
			if _, ca := serving.Expires(); ca.IsZero() == test.isCA {
				t.Errorf("its CA expires at %s", ca)
			}
			if isGiven := bytes.Equal(served(t, serving).Certificate[0], test.chain[0].certificate.Raw); isGiven == test.isCA {
				t.Errorf("it is served as it is: %v", isGiven)
			}
			if test.wantRefused == "" {
				if err := connect(t, serving, serving.Trusted(), "localhost"); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
