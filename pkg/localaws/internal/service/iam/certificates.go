package iam

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A signingCertificate is a certificate of a user. No service here takes it.
type signingCertificate struct {
	ID       string    `json:"id"`
	Body     string    `json:"body"`
	Active   bool      `json:"active"`
	Uploaded time.Time `json:"uploaded"`
}

// A serverCertificate is a certificate for load balancers, which do not exist here. Its
// private key is checked and forgotten: no call returns it.
type serverCertificate struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	ID       string    `json:"id"`
	ARN      string    `json:"arn"`
	Body     string    `json:"body"`
	Chain    string    `json:"chain,omitempty"`
	Uploaded time.Time `json:"uploaded"`
	Expires  time.Time `json:"expires"`
	Tags     []tag     `json:"tags,omitempty"`
}

const (
	maxSigningCertificates = 2
	maxServerCertificates  = 20
	maxCertificate         = 16384
	maxChain               = 2097152
)

func certificateOperations() map[string]operation {
	certificates := func(c *call) string { return c.ARN("iam", "", "server-certificate"+orSlash(c.Get("PathPrefix"))) }
	operations := map[string]operation{
		"UploadSigningCertificate": write(userResource, uploadSigningCertificate, "UserName", "CertificateBody"),
		"ListSigningCertificates":  read(userResource, listSigningCertificates, "UserName", "MaxItems", "Marker"),
		"UpdateSigningCertificate": write(userResource, updateSigningCertificate, "UserName", "CertificateId", "Status"),
		"DeleteSigningCertificate": write(userResource, deleteSigningCertificate, "UserName", "CertificateId"),

		"UploadServerCertificate": write(certificateResource, uploadServerCertificate,
			"ServerCertificateName", "Path", "CertificateBody", "PrivateKey", "CertificateChain", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetServerCertificate":    read(certificateResource, getServerCertificate, "ServerCertificateName"),
		"ListServerCertificates":  read(certificates, listServerCertificates, "PathPrefix", "MaxItems", "Marker"),
		"UpdateServerCertificate": write(certificateResource, updateServerCertificate, "ServerCertificateName", "NewServerCertificateName", "NewPath"),
		"DeleteServerCertificate": write(certificateResource, deleteServerCertificate, "ServerCertificateName"),
	}
	maps.Copy(operations, tagOperations("ServerCertificate", "ServerCertificateName", certificateResource, func(c *call) (*[]tag, error) {
		found, err := c.serverCertificate()
		if err != nil {
			return nil, err
		}
		return &found.Tags, nil
	}))
	return operations
}

// parseCertificate parses the only certificate in a text.
func parseCertificate(text string) (*x509.Certificate, error) {
	malformed := newError(http.StatusBadRequest, "MalformedCertificate", "Unable to parse certificate. Please ensure the certificate is in PEM format.")
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, malformed
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, malformed
	}
	return certificate, nil
}

// certificateBody returns the certificate in a call, and its text.
func (c *call) certificateBody() (*x509.Certificate, string, error) {
	text := c.Get("CertificateBody")
	switch {
	case text == "":
		return nil, "", missing("certificateBody")
	case len(text) > maxCertificate:
		return nil, "", tooLong("certificateBody", maxCertificate)
	}
	certificate, err := parseCertificate(text)
	return certificate, text, err
}

func (s *signingCertificate) xml(u *user) fields {
	return fields{
		element("UserName", u.Name), element("CertificateId", s.ID), element("CertificateBody", s.Body),
		element("Status", status(s.Active)), element("UploadDate", timestamp(s.Uploaded)),
	}
}

func uploadSigningCertificate(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	_, body, err := c.certificateBody()
	if err != nil {
		return nil, err
	}
	for _, other := range c.state.Users {
		if slices.ContainsFunc(other.Certificates, func(s *signingCertificate) bool { return s.Body == body }) {
			return nil, newError(http.StatusConflict, "DuplicateCertificate", "The certificate is already associated with a user.")
		}
	}
	if len(u.Certificates) >= maxSigningCertificates {
		return nil, limitExceeded("Cannot exceed quota for SigningCertificatesPerUser: " + strconv.Itoa(maxSigningCertificates))
	}
	made := &signingCertificate{ID: account.NewID("", 32), Body: body, Active: true, Uploaded: c.Time}
	u.Certificates = append(u.Certificates, made)
	return fields{element("Certificate", made.xml(u))}, nil
}

func listSigningCertificates(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	var all []fields
	for _, certificate := range u.Certificates {
		all = append(all, certificate.xml(u))
	}
	return paged(c, "Certificates", all)
}

// signingCertificate returns the user and the certificate that a call names.
func (c *call) signingCertificate() (*user, *signingCertificate, error) {
	u, err := c.user()
	if err != nil {
		return nil, nil, err
	}
	id := c.Get("CertificateId")
	at := slices.IndexFunc(u.Certificates, func(s *signingCertificate) bool { return s.ID == id })
	if at < 0 {
		return nil, nil, noSuchEntity("The Certificate with id " + id + " cannot be found.")
	}
	return u, u.Certificates[at], nil
}

func updateSigningCertificate(c *call) (any, error) {
	_, certificate, err := c.signingCertificate()
	if err != nil {
		return nil, err
	}
	active, err := c.status()
	if err != nil {
		return nil, err
	}
	certificate.Active = active
	return nil, nil
}

func deleteSigningCertificate(c *call) (any, error) {
	u, certificate, err := c.signingCertificate()
	if err != nil {
		return nil, err
	}
	u.Certificates = slices.DeleteFunc(u.Certificates, func(s *signingCertificate) bool { return s == certificate })
	return nil, nil
}

// certificateResource returns the ARN of the server certificate that a call names, or
// the ARN that a new one would get.
func certificateResource(c *call) string {
	if found, ok := c.state.ServerCertificates[lower(c.Get("ServerCertificateName"))]; ok {
		return found.ARN
	}
	return c.ARN("iam", "", "server-certificate"+orSlash(c.Get("Path"))+c.Get("ServerCertificateName"))
}

func (c *call) serverCertificate() (*serverCertificate, error) {
	name := c.Get("ServerCertificateName")
	if err := checkName("serverCertificateName", name, 128); err != nil {
		return nil, err
	}
	found, ok := c.state.ServerCertificates[lower(name)]
	if !ok {
		return nil, noSuchEntity("The Server Certificate with name " + name + " cannot be found.")
	}
	return found, nil
}

func (s *serverCertificate) metadata() fields {
	return fields{
		element("Path", s.Path), element("ServerCertificateName", s.Name), element("ServerCertificateId", s.ID), element("Arn", s.ARN),
		element("UploadDate", timestamp(s.Uploaded)), element("Expiration", timestamp(s.Expires)),
	}
}

func uploadServerCertificate(c *call) (any, error) {
	s := &serverCertificate{Name: c.Get("ServerCertificateName"), Chain: c.Get("CertificateChain"), ID: account.NewID("ASCA", 17), Uploaded: c.Time}
	err := checkName("serverCertificateName", s.Name, 128)
	if err != nil {
		return nil, err
	}
	if s.Path, err = checkPath(c.Get("Path")); err != nil {
		return nil, err
	}
	if s.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	certificate, body, err := c.certificateBody()
	if err != nil {
		return nil, err
	}
	s.Body, s.Expires = body, certificate.NotAfter
	if err := c.checkPair(s); err != nil {
		return nil, err
	}
	if _, taken := c.state.ServerCertificates[lower(s.Name)]; taken {
		return nil, alreadyExists("The Server Certificate with name " + s.Name + " already exists.")
	}
	if len(c.state.ServerCertificates) >= maxServerCertificates {
		return nil, limitExceeded("Cannot exceed quota for ServerCertificatesPerAccount: " + strconv.Itoa(maxServerCertificates))
	}
	s.ARN = c.ARN("iam", "", "server-certificate"+s.Path+s.Name)
	c.state.ServerCertificates[lower(s.Name)] = s
	made := fields{element("ServerCertificateMetadata", s.metadata())}
	if len(s.Tags) > 0 {
		made = append(made, element("Tags", membersOf(s.Tags)))
	}
	return made, nil
}

// checkPair checks that the private key in a call is that of the certificate, and that
// the chain has certificates only.
func (c *call) checkPair(s *serverCertificate) error {
	key := c.Get("PrivateKey")
	switch {
	case key == "":
		return missing("privateKey")
	case len(key) > maxCertificate:
		return tooLong("privateKey", maxCertificate)
	case len(s.Chain) > maxChain:
		return tooLong("certificateChain", maxChain)
	}
	if block, _ := pem.Decode([]byte(key)); block == nil {
		return newError(http.StatusBadRequest, "MalformedCertificate", "Unable to parse key. Please ensure the private key is in PEM format, without a password.")
	}
	if _, err := tls.X509KeyPair([]byte(s.Body), []byte(key)); err != nil {
		return newError(http.StatusBadRequest, "KeyPairMismatch", "The public key certificate and the private key do not match.")
	}
	for rest := []byte(s.Chain); len(strings.TrimSpace(string(rest))) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return newError(http.StatusBadRequest, "MalformedCertificate", "Unable to parse certificate chain. Please ensure the certificates are in PEM format.")
		}
	}
	return nil
}

func getServerCertificate(c *call) (any, error) {
	s, err := c.serverCertificate()
	if err != nil {
		return nil, err
	}
	found := fields{element("ServerCertificateMetadata", s.metadata()), element("CertificateBody", s.Body)}
	if s.Chain != "" {
		found = append(found, element("CertificateChain", s.Chain))
	}
	return fields{element("ServerCertificate", append(found, element("Tags", membersOf(s.Tags))))}, nil
}

func listServerCertificates(c *call) (any, error) {
	prefix, err := c.pathPrefix()
	if err != nil {
		return nil, err
	}
	var all []fields
	for _, name := range slices.Sorted(maps.Keys(c.state.ServerCertificates)) {
		if s := c.state.ServerCertificates[name]; strings.HasPrefix(s.Path, prefix) {
			all = append(all, s.metadata())
		}
	}
	return paged(c, "ServerCertificateMetadataList", all)
}

// updateServerCertificate renames a certificate or changes its path.
func updateServerCertificate(c *call) (any, error) {
	s, err := c.serverCertificate()
	if err != nil {
		return nil, err
	}
	// It has what moves of an entity, and no policies.
	moved := entity{Name: s.Name, Path: s.Path, ARN: s.ARN}
	if err := move(c, c.state.ServerCertificates, &moved, "ServerCertificate", 128); err != nil {
		return nil, err
	}
	s.Name, s.Path, s.ARN = moved.Name, moved.Path, moved.ARN
	return nil, nil
}

func deleteServerCertificate(c *call) (any, error) {
	s, err := c.serverCertificate()
	if err != nil {
		return nil, err
	}
	delete(c.state.ServerCertificates, lower(s.Name))
	return nil, nil
}
