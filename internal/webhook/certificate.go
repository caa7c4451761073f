package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// Names of the files in the state directory: aws-iam-authenticator's.
const (
	CertificateFile = "cert.pem"
	KeyFile         = "key.pem"
)

// certificateLifetime is that of a kubeadm cluster's CA: the kube-apiserver
// trusts this very certificate, so that ending it sooner guards nothing and
// would stop sign-in on a day that nobody expects.
const certificateLifetime = 10 * 365 * 24 * time.Hour

// LoadOrGenerateCertificate loads the serving certificate of a state directory,
// or makes one, self-signed for the host name and the address, if there is none.
// One that is there may be for another host name: see its VerifyHostname.
func LoadOrGenerateCertificate(ctx context.Context, dir, hostname, address string, now time.Time) (*tls.Certificate, error) {
	certificate, err := LoadCertificate(ctx, dir, now)
	if certificate != nil || err != nil {
		return certificate, err
	}
	return generate(dir, hostname, address, now)
}

// LoadCertificate loads the serving certificate of a state directory and its key.
// It returns nil if the directory has neither.
func LoadCertificate(ctx context.Context, dir string, now time.Time) (*tls.Certificate, error) {
	certFile, keyFile := filepath.Join(dir, CertificateFile), filepath.Join(dir, KeyFile)
	certPEM, certErr := file.Read(ctx, certFile, file.MaxSettings)
	keyPEM, keyErr := file.Read(ctx, keyFile, file.MaxSettings)
	switch {
	case errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return nil, nil
	case errors.Is(certErr, fs.ErrNotExist):
		// Also what a process leaves that was killed between writing the two.
		return nil, fmt.Errorf("reading the serving certificate: %w (remove %s to have new ones made)", certErr, keyFile)
	case errors.Is(keyErr, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the serving certificate's key: %w (remove %s to have new ones made)", keyErr, certFile)
	case certErr != nil:
		return nil, fmt.Errorf("reading the serving certificate: %w", certErr)
	case keyErr != nil:
		return nil, fmt.Errorf("reading the serving certificate's key: %w", keyErr)
	}
	certificate, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the serving certificate %s and its key: %w (remove both files to have new ones made)", certFile, err)
	}
	if now.After(certificate.Leaf.NotAfter) {
		return nil, fmt.Errorf("reading the serving certificate %s: it expired on %s (remove it and %s to have new ones made)", certFile, certificate.Leaf.NotAfter.Format(time.DateOnly), keyFile)
	}
	return &certificate, nil
}

func generate(dir, hostname, address string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the serving certificate's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template(hostname, address, now), template(hostname, address, now), key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the serving certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the serving certificate's key: %w", err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	// The key first: a certificate without its key would stop the next start.
	if err := writeFile(filepath.Join(dir, KeyFile), keyPEM, 0o600); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, CertificateFile), certPEM, 0o644); err != nil {
		return nil, errors.Join(err, os.Remove(filepath.Join(dir, KeyFile)))
	}
	certificate, err := tls.X509KeyPair(certPEM, keyPEM)
	return &certificate, err
}

func template(hostname, address string, now time.Time) *x509.Certificate {
	certificate := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "aws-iam-authenticator"},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(certificateLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // the kube-apiserver trusts it as its own CA
	}
	for _, name := range slices.Compact([]string{hostname, address}) {
		switch ip := net.ParseIP(name); {
		case name == "" || ip != nil && ip.IsUnspecified():
		case ip != nil:
			certificate.IPAddresses = append(certificate.IPAddresses, ip)
		default:
			certificate.DNSNames = append(certificate.DNSNames, name)
		}
	}
	return certificate
}

// writeFile writes a file as a whole or not at all.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	partial, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() { _ = os.Remove(partial.Name()) }() // fails, as it should, once renamed
	_, err = partial.Write(content)
	if err := errors.Join(err, partial.Chmod(mode), partial.Sync(), partial.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(partial.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
