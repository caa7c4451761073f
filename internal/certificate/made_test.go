package certificate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

// made is a certificate that an operator has made, and its key.
type made struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// sign makes a certificate, signed by another one or, if that is nil, by itself.
func sign(t testing.TB, template *x509.Certificate, key crypto.Signer, by *made) made {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if by == nil {
		by = &made{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made{parsed, key}
}

// authority returns the template of a CA that is valid for a year.
func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
}

// leaf returns the template of a serving certificate that is valid for a month.
func leaf(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{name},
	}
}

// incumbents returns the certificate that aws-iam-authenticator 0.7 makes.
func incumbents(t testing.TB, hostname string) made {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "aws-iam-authenticator"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour * 24 * 365 * 100),
		KeyUsage:    x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{hostname},
	}, key, nil)
}

// certPEM returns certificates as PEM, in the order of a chain.
func certPEM(chain ...made) (text []byte) {
	for _, m := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.certificate.Raw})...)
	}
	return text
}

func (m made) keyPEM(t testing.TB) []byte {
	t.Helper()
	if key, ok := m.key.(*rsa.PrivateKey); ok {
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	}
	der, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// write writes the files of a chain and of the key of its first certificate.
func write(t testing.TB, files certificate.Files, chain ...made) {
	t.Helper()
	put(t, files.Key, chain[0].keyPEM(t))
	put(t, files.Cert, certPEM(chain...))
}

func put(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// given returns the files of an operator in a new directory.
func given(t testing.TB, chain ...made) certificate.Files {
	t.Helper()
	dir := t.TempDir()
	files := certificate.Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	write(t, files, chain...)
	return files
}

// load returns the serving certificate of files for localhost.
func load(t testing.TB, files certificate.Files, config certificate.Config) *certificate.Serving {
	t.Helper()
	pair, err := files.LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config.Hostname, config.Address = "localhost", "127.0.0.1"
	serving, err := certificate.New(config, pair)
	if err != nil {
		t.Fatal(err)
	}
	return serving
}

// served returns the certificate that is served now.
func served(t testing.TB, serving *certificate.Serving) *tls.Certificate {
	t.Helper()
	certificate, err := serving.Certificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// connect verifies what is served as a client does that trusts some certificates.
func connect(t testing.TB, serving *certificate.Serving, trusted []byte, name string) error {
	t.Helper()
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: name, CurrentTime: time.Now()}
	if !options.Roots.AppendCertsFromPEM(trusted) {
		t.Fatal("no trusted certificate")
	}
	chain := served(t, serving)
	for _, der := range chain.Certificate[1:] {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		options.Intermediates.AddCert(parsed)
	}
	_, err := chain.Leaf.Verify(options)
	return err
}

// verify verifies the first certificate of a chain as a client does that trusts some.
func verify(chain, trusted []byte, name string) error {
	block, _ := pem.Decode(chain)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	_, err = parsed.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: time.Now()})
	return err
}
