package iam

import (
	"crypto/md5"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/sshkey"
)

// An sshKey is a public key of a user. No service here takes it.
type sshKey struct {
	ID string `json:"id"`
	// Body is the key as ssh-rsa has it, without a comment.
	Body     string    `json:"body"`
	Active   bool      `json:"active"`
	Uploaded time.Time `json:"uploaded"`
}

const maxSSHKeys = 5

func sshKeyOperations() map[string]operation {
	return map[string]operation{
		"UploadSSHPublicKey": write(userResource, uploadSSHKey, "UserName", "SSHPublicKeyBody"),
		"GetSSHPublicKey":    read(userResource, getSSHKey, "UserName", "SSHPublicKeyId", "Encoding"),
		"ListSSHPublicKeys":  read(userResource, listSSHKeys, "UserName", "MaxItems", "Marker"),
		"UpdateSSHPublicKey": write(userResource, updateSSHKey, "UserName", "SSHPublicKeyId", "Status"),
		"DeleteSSHPublicKey": write(userResource, deleteSSHKey, "UserName", "SSHPublicKeyId"),
	}
}

// parseSSH parses an RSA key in the form of ssh-rsa or in PEM, and returns it in the
// form of ssh-rsa.
func parseSSH(text string) (string, bool) {
	var key *rsa.PublicKey
	if block, _ := pem.Decode([]byte(text)); block != nil {
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return "", false
		}
		key, _ = parsed.(*rsa.PublicKey)
	} else if parts := strings.Fields(text); len(parts) >= 2 && parts[0] == "ssh-rsa" {
		wire, err := base64.StdEncoding.DecodeString(parts[1])
		if err != nil {
			return "", false
		}
		key = sshkey.ParseRSA(wire)
	}
	if key == nil || key.N.BitLen() < 2048 || key.N.BitLen() > 16384 {
		return "", false
	}
	return "ssh-rsa " + base64.StdEncoding.EncodeToString(sshkey.WireRSA(key)), true
}

// wire returns the key's wire form.
func (k *sshKey) wire() []byte {
	wire, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(k.Body, "ssh-rsa "))
	return wire
}

// fingerprint is the MD5 of the key, as ssh-keygen shows it on request.
func (k *sshKey) fingerprint() string {
	sum := md5.Sum(k.wire())
	return sshkey.Colons(sum[:])
}

func (k *sshKey) xml(u *user) fields {
	return fields{
		element("UserName", u.Name), element("SSHPublicKeyId", k.ID), element("Status", status(k.Active)), element("UploadDate", timestamp(k.Uploaded)),
	}
}

func uploadSSHKey(c *call) (any, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	body, ok := parseSSH(c.Get("SSHPublicKeyBody"))
	switch {
	case !c.Has("SSHPublicKeyBody"):
		return nil, missing("sSHPublicKeyBody")
	case !ok:
		return nil, newError(http.StatusBadRequest, "InvalidPublicKey", "The public key is invalid: expected an RSA key of at least 2048 bits, in the form of ssh-rsa or in PEM.")
	case slices.ContainsFunc(u.SSHKeys, func(k *sshKey) bool { return k.Body == body }):
		return nil, newError(http.StatusBadRequest, "DuplicateSSHPublicKey", "The SSH public key is already associated with user "+u.Name+".")
	case len(u.SSHKeys) >= maxSSHKeys:
		return nil, limitExceeded("Cannot exceed quota for SSHPublicKeysPerUser: " + strconv.Itoa(maxSSHKeys))
	}
	key := &sshKey{ID: account.NewID("APKA", 16), Body: body, Active: true, Uploaded: c.Time}
	u.SSHKeys = append(u.SSHKeys, key)
	return fields{element("SSHPublicKey", append(key.xml(u), element("Fingerprint", key.fingerprint()), element("SSHPublicKeyBody", body)))}, nil
}

// sshKey returns the user and the key that a call names.
func (c *call) sshKey() (*user, *sshKey, error) {
	u, err := c.namedUser()
	if err != nil {
		return nil, nil, err
	}
	id := c.Get("SSHPublicKeyId")
	at := slices.IndexFunc(u.SSHKeys, func(k *sshKey) bool { return k.ID == id })
	if at < 0 {
		return nil, nil, noSuchEntity("The Public Key with id " + id + " cannot be found.")
	}
	return u, u.SSHKeys[at], nil
}

func getSSHKey(c *call) (any, error) {
	u, key, err := c.sshKey()
	if err != nil {
		return nil, err
	}
	if !c.Has("Encoding") {
		return nil, missing("encoding")
	}
	encoding, err := c.word("Encoding", "SSH", "PEM")
	if err != nil {
		return nil, err
	}
	body := key.Body
	if parsed := sshkey.ParseRSA(key.wire()); encoding == "PEM" && parsed != nil {
		der, err := x509.MarshalPKIXPublicKey(parsed)
		if err != nil {
			return nil, err
		}
		body = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return fields{element("SSHPublicKey", append(key.xml(u), element("Fingerprint", key.fingerprint()), element("SSHPublicKeyBody", body)))}, nil
}

func listSSHKeys(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	var all []fields
	for _, key := range u.SSHKeys {
		all = append(all, key.xml(u))
	}
	return paged(c, "SSHPublicKeys", all)
}

func updateSSHKey(c *call) (any, error) {
	_, key, err := c.sshKey()
	if err != nil {
		return nil, err
	}
	active, err := c.status()
	if err != nil {
		return nil, err
	}
	key.Active = active
	return nil, nil
}

func deleteSSHKey(c *call) (any, error) {
	u, key, err := c.sshKey()
	if err != nil {
		return nil, err
	}
	u.SSHKeys = slices.DeleteFunc(u.SSHKeys, func(k *sshKey) bool { return k == key })
	return nil, nil
}
