package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	// authorityLifetime is that of a kubeadm cluster's CA.
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// leafLifetime is that of the certificates that a CA signs. They are renewed after
	// two thirds of it.
	leafLifetime = 30 * 24 * time.Hour
	// skew is how far the clock of a client may be behind.
	skew = time.Hour
)

// newKeyPEM returns a new key for a CA.
func newKeyPEM() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of the CA: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of the CA: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// newAuthorityPEM returns a self-signed CA for a key. It has the server's names and may
// itself be served: aws-iam-authenticator does that with cert.pem if somebody goes back to it.
func newAuthorityPEM(keyPEM []byte, hostname, address string, now time.Time) ([]byte, error) {
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	template := template("aws-iam-authenticator", []string{hostname, address}, now, now.Add(authorityLifetime))
	template.KeyUsage |= x509.KeyUsageCertSign
	template.IsCA = true
	template.MaxPathLenZero = true
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// parseKey parses a key in the formats that [tls.X509KeyPair] reads.
func parseKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("expected a private key as PEM")
}

// issue returns a new serving certificate of a CA, with a new key. Besides the names it
// has those of the CA: a client that reached the server by one of them still does.
func (p *Pair) issue(names []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a serving certificate's key: %w", err)
	}
	authority := p.first()
	names = slices.Concat(names, authority.DNSNames)
	for _, ip := range authority.IPAddresses {
		names = append(names, ip.String())
	}
	end := now.Add(leafLifetime)
	if end.After(authority.NotAfter) {
		end = authority.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template("aws-iam-authenticator-serving", names, now, end), authority, key.Public(), p.tls.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("signing a serving certificate with %s: %w", p.files.Cert, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing the new serving certificate: %w", err)
	}
	chain := [][]byte{der}
	for _, certificate := range p.certificates {
		if !bytes.Equal(certificate.RawSubject, certificate.RawIssuer) { // clients have the roots
			chain = append(chain, certificate.Raw)
		}
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}

// template returns what all our certificates have in common. Their serial number is
// random.
func template(commonName string, names []string, now, end time.Time) *x509.Certificate {
	certificate := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-skew),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
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
