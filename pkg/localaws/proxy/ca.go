package proxy

import (
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
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/file"
)

const (
	// caLifetime is short, to limit the harm if somebody trusts the CA by mistake.
	caLifetime = 7 * 24 * time.Hour
	// renewAfter is the age at which a start renews the CA. A server does not renew the
	// one that it started with, so that one must last.
	renewAfter = 24 * time.Hour
	// maxCertificates bounds the cached certificates; further names are signed each
	// time.
	maxCertificates = 1024
)

// CA is a certificate authority that is constrained to AWS's names and loopback.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey

	mu     sync.Mutex
	minted map[string]*tls.Certificate
}

// NewCA creates a certificate authority.
func NewCA(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("creating the CA's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:                big.NewInt(now.UnixNano()),
		Subject:                     pkix.Name{CommonName: "localaws " + now.UTC().Format(time.DateTime)},
		NotBefore:                   now.Add(-time.Hour), // allow for clock drift
		NotAfter:                    now.Add(caLifetime),
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         append(awsSuffixes(), "localhost"),
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("creating the CA's certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("creating the CA's certificate: %w", err)
	}
	return newCA(certificate, key), nil
}

func newCA(certificate *x509.Certificate, key *ecdsa.PrivateKey) *CA {
	return &CA{certificate: certificate, key: key, minted: map[string]*tls.Certificate{}}
}

// LoadOrCreateCA loads a CA from its files, or creates one if they do not exist or
// the CA is older than a day.
func LoadOrCreateCA(certFile, keyFile string, now time.Time) (*CA, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil {
		key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if ok && pair.Leaf.IsCA && now.After(pair.Leaf.NotBefore) && now.Before(pair.Leaf.NotAfter.Add(renewAfter-caLifetime)) {
			return newCA(pair.Leaf, key), nil
		}
	} else if _, onDisk := errors.AsType[*fs.PathError](err); onDisk && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the CA: %w", err)
	}
	ca, err := NewCA(now)
	if err != nil {
		return nil, err
	}
	return ca, ca.write(certFile, keyFile)
}

func (ca *CA) write(certFile, keyFile string) error {
	der, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return fmt.Errorf("encoding the CA's key: %w", err)
	}
	if err := file.Write(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("writing the CA's key: %w", err)
	}
	if err := file.Write(certFile, ca.PEM(), 0o644); err != nil {
		return fmt.Errorf("writing the CA's certificate: %w", err)
	}
	return nil
}

// Expires returns when the CA and all its certificates expire.
func (ca *CA) Expires() time.Time { return ca.certificate.NotAfter }

// PEM returns the CA's certificate, for clients to trust.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw})
}

// Certificate returns a serving certificate for a host name or address. A wildcard
// does not suffice: *.amazonaws.com does not match sts.eu-west-2.amazonaws.com.
func (ca *CA) Certificate(name string) (*tls.Certificate, error) {
	name = strings.ToLower(name)
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if certificate, ok := ca.minted[name]; ok {
		return certificate, nil
	}
	certificate, err := ca.mint(name)
	if err != nil {
		return nil, fmt.Errorf("creating a certificate for %q: %w", name, err)
	}
	if len(ca.minted) < maxCertificates {
		ca.minted[name] = certificate
	}
	return certificate, nil
}

func (ca *CA) mint(name string) (*tls.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "localaws"},
		NotBefore:             ca.certificate.NotBefore,
		NotAfter:              ca.certificate.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          serial.Bytes(), // Python's strict verification requires it
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	// All share one key: the certificates are as secret as their CA.
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, ca.key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.certificate.Raw}, PrivateKey: ca.key}, nil
}
