package certificate

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// maxCertificates is the limit for the certificates of one file. They are sent in
// every handshake, and clients refuse long ones.
const maxCertificates = 16

// A Pair is the content of a certificate file and of its key's file. It is either a CA
// that signs serving certificates, or a serving certificate.
type Pair struct {
	files           Files
	certPEM, keyPEM []byte
	tls             tls.Certificate
	certificates    []*x509.Certificate
	isCA            bool
}

// parse parses the content of the two files.
func parse(certPEM, keyPEM []byte) (*Pair, error) {
	certificate, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	p := &Pair{certPEM: certPEM, keyPEM: keyPEM, tls: certificate}
	if n := len(certificate.Certificate); n > maxCertificates {
		return nil, fmt.Errorf("it has %d certificates (at most %d)", n, maxCertificates)
	}
	for _, der := range certificate.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		p.certificates = append(p.certificates, parsed)
	}
	if _, ok := certificate.PrivateKey.(crypto.Signer); !ok {
		return nil, errors.New("its key cannot sign")
	}
	first := p.first()
	p.isCA = first.BasicConstraintsValid && first.IsCA && (first.KeyUsage == 0 || first.KeyUsage&x509.KeyUsageCertSign != 0)
	return p, nil
}

func (p *Pair) first() *x509.Certificate { return p.certificates[0] }

// IsCA reports whether the pair signs serving certificates. Otherwise it is served as
// it is.
func (p *Pair) IsCA() bool { return p.isCA }

// Expires returns when the first certificate of the file expires.
func (p *Pair) Expires() time.Time { return p.first().NotAfter }

// trusted returns the certificates that a kube-apiserver is to trust: all of a CA's
// file, so that a CA can be replaced, or the last one of a chain.
func (p *Pair) trusted() []*x509.Certificate {
	if p.isCA {
		return p.certificates
	}
	return p.certificates[len(p.certificates)-1:]
}

// Trusted returns, as PEM, the certificates that a kube-apiserver is to trust.
func (p *Pair) Trusted() []byte {
	var text []byte
	for _, certificate := range p.trusted() {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return text
}

// SurvivesRenewal reports whether a kube-apiserver that trusts the pair can trust the
// certificate that replaces it.
func (p *Pair) SurvivesRenewal() bool { return p.trusted()[0].IsCA }
