package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// makeCert makes a certificate and its key: makecert KIND CERT KEY [CA-CERT CA-KEY].
// The kinds are incumbent, ca, leaf, expired and client.
func makeCert(ts *testscript.TestScript, _ bool, args []string) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: args[0]}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"},
	}
	var key crypto.Signer
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	switch args[0] {
	case "incumbent": // as aws-iam-authenticator 0.7 makes it
		key, err = rsa.GenerateKey(rand.Reader, 2048)
		ts.Check(err)
		template.NotAfter, template.IsCA = time.Now().AddDate(100, 0, 0), true
		template.KeyUsage |= x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign
	case "ca":
		template.KeyUsage, template.ExtKeyUsage, template.DNSNames, template.IsCA = x509.KeyUsageCertSign, nil, nil, true
	case "expired":
		template.NotBefore, template.NotAfter = time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, -1)
	case "client":
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	parent, signer := template, key
	if len(args) > 3 {
		ca, err := tls.X509KeyPair([]byte(ts.ReadFile(args[3])), []byte(ts.ReadFile(args[4])))
		ts.Check(err)
		parent, signer = ca.Leaf, ca.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	ts.Check(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for i, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: keyDER}} {
		ts.Check(os.WriteFile(ts.MkAbs(args[1+i]), pem.EncodeToMemory(block), 0o600))
	}
}

// connects waits until a server answers a TokenReview with a status to a kube-apiserver
// that has read the kubeconfig: connects KUBECONFIG STATUS.
func connects(ts *testscript.TestScript, _ bool, args []string) {
	var last string
	await(ts, patience, func(ctx context.Context) bool {
		var config *rest.Config
		var err error
		if config, err = clientcmd.BuildConfigFromFlags("", ts.MkAbs(args[0])); err != nil {
			last = err.Error()
			return false // the server has not written it yet
		}
		client, err := rest.HTTPClientFor(config)
		ts.Check(err)
		defer client.CloseIdleConnections()
		body := strings.NewReader(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"x"}}`)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, config.Host, body)
		ts.Check(err)
		request.Header.Set("Content-Type", "application/json")
		// The next try must see a renewed certificate. CloseIdleConnections alone closes a
		// connection only if its last stream happens to have ended already.
		request.Close = true
		answer, err := client.Do(request)
		if err != nil {
			last = err.Error()
			return false
		}
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		ts.Check(err)
		last = answer.Status + string(content)
		return strings.HasPrefix(answer.Status, args[1]) && (answer.StatusCode != http.StatusUnauthorized || bytes.Contains(content, []byte(`"kind":"Status"`)))
	}, func() { ts.Fatalf("with %s: %s, want %s", args[0], last, args[1]) })
}

// serves waits until a server serves the first certificate of a file: serves ADDRESS FILE.
func serves(ts *testscript.TestScript, _ bool, args []string) {
	block, _ := pem.Decode([]byte(ts.ReadFile(args[1])))
	await(ts, patience, func(ctx context.Context) bool {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		connection, err := dialer.DialContext(ctx, "tcp", args[0])
		if err != nil {
			return false
		}
		defer connection.Close()
		return bytes.Equal(connection.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw, block.Bytes)
	}, func() { ts.Fatalf("%s does not serve %s", args[0], args[1]) })
}

// concat writes the content of files into one: concat TO FROM....
func concat(ts *testscript.TestScript, _ bool, args []string) {
	var content string
	for _, from := range args[1:] {
		content += ts.ReadFile(from)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(content), 0o600))
}
