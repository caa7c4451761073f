// Package certificate keeps the serving certificate of the webhook: it loads the one
// in the state directory, or makes one.
package certificate

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
	File    = "cert.pem"
	KeyFile = "key.pem"
)

// lifetime is that of a kubeadm cluster's CA. The kube-apiserver trusts this very
// certificate, so a shorter lifetime guards nothing and would stop sign-in on a day
// that nobody expects.
const lifetime = 10 * 365 * 24 * time.Hour

// LoadOrGenerate loads the serving certificate of a state directory. If there is none,
// it makes a self-signed one for the host name and the address. An existing
// certificate can be for another host name: see its VerifyHostname.
func LoadOrGenerate(ctx context.Context, dir, hostname, address string, now time.Time) (*tls.Certificate, error) {
	certificate, err := Load(ctx, dir, now)
	if certificate != nil || err != nil {
		return certificate, err
	}
	return generate(dir, hostname, address, now)
}

// Load loads the serving certificate of a state directory and its key.
// It returns nil if the directory has neither.
func Load(ctx context.Context, dir string, now time.Time) (*tls.Certificate, error) {
	certFile, keyFile := filepath.Join(dir, File), filepath.Join(dir, KeyFile)
	certPEM, certErr := file.Read(ctx, certFile, file.MaxSettings)
	keyPEM, keyErr := file.Read(ctx, keyFile, file.MaxSettings)
	switch {
	case errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return nil, nil
	case errors.Is(certErr, fs.ErrNotExist):
		// A process that was killed between the two writes also leaves this.
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
	if err := file.Write(filepath.Join(dir, KeyFile), keyPEM, 0o600); err != nil {
		return nil, err
	}
	if err := file.Write(filepath.Join(dir, File), certPEM, 0o644); err != nil {
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
		NotAfter:              now.Add(lifetime),
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
