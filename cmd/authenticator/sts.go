package main

import (
	"crypto/x509"
	"fmt"
	"os"
)

// userAgent is what AWS sees of us.
func userAgent() string { return "kube-iam-authenticator/" + version }

// caBundle are the CAs of AWS_CA_BUNDLE, which every AWS tool honours; nil, for
// those of the system, if it names none.
func caBundle(getenv func(string) string) (*x509.CertPool, error) {
	path := getenv("AWS_CA_BUNDLE")
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("reading $AWS_CA_BUNDLE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, usagef("reading $AWS_CA_BUNDLE: there is no certificate in %s", fmt.Sprintf("%q", path))
	}
	return pool, nil
}
