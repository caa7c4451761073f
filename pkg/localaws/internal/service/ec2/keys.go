package ec2

import (
	"crypto"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/sshkey"
)

// A keyPair is the public half of a key for SSH.
type keyPair struct {
	base
	Name        string    `json:"name"`
	Type        string    `json:"type"` // rsa or ed25519
	Public      string    `json:"public"`
	Fingerprint string    `json:"fingerprint"`
	Created     time.Time `json:"created"`
}

// maxKeyPairs bounds the key pairs of a region. AWS's quota is 5000.
const maxKeyPairs = 500

func keyOperations() []api.Operation {
	return []api.Operation{
		change("CreateKeyPair", createKeyPair), change("DeleteKeyPair", deleteKeyPair), change("ImportKeyPair", importKeyPair),
		describe("DescribeKeyPairs", describeKeyPairs),
	}
}

func keyKind() kind[*keyPair] {
	return kind[*keyPair]{
		noun: "key-pair", prefix: "key-", title: "keyPair ID", malformed: "InvalidKeyPair.Malformed", absent: "InvalidKeyPair.NotFound",
		of: func(c *call) map[string]*keyPair { return c.region.KeyPairs }, set: "keySet",
		filters: func(*call) map[string]field[*keyPair] {
			return map[string]field[*keyPair]{
				"fingerprint": one(func(k *keyPair) string { return k.Fingerprint }),
				"key-name":    one(func(k *keyPair) string { return k.Name }),
				"key-pair-id": one((*keyPair).id),
			}
		},
	}
}

// keyNamed returns the key pair with a name; nil if there is none.
func (c *call) keyNamed(name string) *keyPair {
	for _, k := range c.region.KeyPairs {
		if k.Name == name {
			return k
		}
	}
	return nil
}

type newKeyInput struct {
	dryRun
	Name          string             `ec2:"KeyName,required"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in newKeyInput) check() error {
	if in.Name == "" || len(in.Name) > 255 {
		return invalid("Invalid value '" + in.Name + "' for keyPairs. It has 1 to 255 characters.")
	}
	return nil
}

// make returns a new key pair without its key.
func (in newKeyInput) make(c *call) (*keyPair, error) {
	made, err := keyKind().create(c, in.Specification, map[string][]string{"ec2:keypairname": {in.Name}})
	if err != nil {
		return nil, err
	}
	if c.keyNamed(in.Name) != nil {
		return nil, refuse("InvalidKeyPair.Duplicate", "The keypair already exists")
	}
	return &keyPair{base: made, Name: in.Name, Created: c.Time}, boundedHere(len(c.region.KeyPairs), maxKeyPairs, "KeyPairLimitExceeded", "key pairs of a region")
}

// response describes a new key pair.
func (k *keyPair) response(material string) fields {
	response := fields{element("keyPairId", k.ID), element("keyName", k.Name), element("keyFingerprint", k.Fingerprint)}
	if material != "" {
		response = append(response, element("keyMaterial", material))
	}
	if len(k.Tags) > 0 {
		response = append(response, element("tagSet", xmlTags(k.Tags)))
	}
	return response
}

type createKeyInput struct {
	newKeyInput
	Type   string `ec2:"KeyType"`
	Format string `ec2:"KeyFormat"`
}

func (in createKeyInput) check() error {
	if in.Format != "" && in.Format != "pem" {
		return unsupported("InvalidParameterValue", "localaws does not support the key format '"+in.Format+"' (supported: pem).")
	}
	if !slices.Contains([]string{"", "rsa", "ed25519"}, in.Type) {
		return invalid("Invalid value '" + in.Type + "' for keyType. Expecting rsa or ed25519.")
	}
	return in.newKeyInput.check()
}

// createKeyPair returns the private key, which is not kept.
func createKeyPair(c *call, in createKeyInput) (any, error) {
	k, err := in.make(c)
	if err != nil {
		return nil, err
	}
	made, err := once(c, in.generate)
	if err != nil {
		return nil, err
	}
	k.set(made.algorithm, made.public)
	if made.fingerprint != "" {
		k.Fingerprint = made.fingerprint
	}
	c.region.KeyPairs[k.ID] = k
	return k.response(string(made.private)), nil
}

// A madeKey is a key that CreateKeyPair makes: the public one in SSH's encoding, and the
// private one in PEM. An Ed25519 key has the usual fingerprint.
type madeKey struct {
	algorithm, fingerprint string
	public, private        []byte
}

func (in createKeyInput) generate() (madeKey, error) {
	if in.Type == "ed25519" {
		public, key, err := ed25519.GenerateKey(rand.Reader)
		return madeKey{algorithm: "ssh-ed25519", public: sshkey.Wire([]byte("ssh-ed25519"), public), private: openSSH(public, key)}, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return madeKey{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return madeKey{}, err
	}
	sum := sha1.Sum(der) // as AWS does for keys that it creates
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return madeKey{"ssh-rsa", sshkey.Colons(sum[:]), sshkey.WireRSA(&key.PublicKey), private}, nil
}

// set sets the public key, in SSH's encoding.
func (k *keyPair) set(algorithm string, blob []byte) {
	k.Type = strings.TrimPrefix(algorithm, "ssh-")
	k.Public = algorithm + " " + base64.StdEncoding.EncodeToString(blob) + " " + k.Name
	sum := sha256.Sum256(blob)
	k.Fingerprint = base64.StdEncoding.EncodeToString(sum[:])
}

// openSSH encodes a private key for OpenSSH.
func openSSH(public ed25519.PublicKey, private ed25519.PrivateKey) []byte {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never returns an error: the program crashes instead
	secret := slices.Concat(random, random, sshkey.Wire([]byte("ssh-ed25519"), public, private, nil))
	for pad := byte(1); len(secret)%8 != 0; pad++ {
		secret = append(secret, pad)
	}
	key := sshkey.Wire([]byte("ssh-ed25519"), public)
	body := slices.Concat([]byte("openssh-key-v1\x00"), sshkey.Wire([]byte("none"), []byte("none"), nil), []byte{0, 0, 0, 1}, sshkey.Wire(key, secret))
	return pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: body})
}

type importKeyInput struct {
	newKeyInput
	Material string `ec2:"PublicKeyMaterial,required"`
}

func importKeyPair(c *call, in importKeyInput) (any, error) {
	k, err := in.make(c)
	if err != nil {
		return nil, err
	}
	text, err := base64.StdEncoding.DecodeString(in.Material)
	if err != nil {
		return nil, refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	if err := k.parse(string(text)); err != nil {
		return nil, unsupported("InvalidKey.Format", "Key is not in valid OpenSSH public key format: "+err.Error()+" (localaws takes a line that begins with ssh-rsa or ssh-ed25519)")
	}
	c.region.KeyPairs[k.ID] = k
	return k.response(""), nil
}

var errKey = errors.New("the key does not parse")

// parse sets the public key to one in OpenSSH's format.
func (k *keyPair) parse(text string) error {
	words := strings.Fields(text)
	if len(words) < 2 || len(text) > 4096 {
		return errKey
	}
	blob, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil {
		return errKey
	}
	parts, ok := sshkey.Split(blob)
	if !ok || len(parts) == 0 || string(parts[0]) != words[0] {
		return errKey
	}
	var public crypto.PublicKey
	switch {
	case words[0] == "ssh-ed25519" && len(parts) == 2 && len(parts[1]) == ed25519.PublicKeySize:
	case words[0] == "ssh-rsa":
		key := sshkey.ParseRSA(blob)
		if key == nil || key.N.BitLen() < 1024 || key.N.BitLen() > 8192 {
			return errKey
		}
		public = key
	default:
		return errKey
	}
	k.set(words[0], blob)
	if public != nil {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return errKey
		}
		sum := md5.Sum(der) // as AWS does for keys that are imported
		k.Fingerprint = sshkey.Colons(sum[:])
	}
	if len(words) > 2 {
		k.Public = strings.Join(words, " ")
	}
	return nil
}

type deleteKeyInput struct {
	dryRun
	Name string `ec2:"KeyName"`
	ID   string `ec2:"KeyPairId"`
}

// deleteKeyPair succeeds if there is no such key pair, as AWS does.
func deleteKeyPair(c *call, in deleteKeyInput) (any, error) {
	if in.Name == "" && in.ID == "" {
		return nil, missing("KeyName or KeyPairId")
	}
	k := c.region.KeyPairs[in.ID]
	if in.ID == "" {
		k = c.keyNamed(in.Name)
	}
	if k == nil {
		return fields{element("return", true)}, c.permit(grant{c.Operation, c.arn("key-pair", "*"), nil})
	}
	if _, err := keyKind().taken(c, k.ID); err != nil {
		return nil, err
	}
	delete(c.region.KeyPairs, k.ID)
	return fields{element("return", true), element("keyPairId", k.ID)}, nil
}

type keysInput struct {
	listing
	Names  []string `ec2:"KeyName"`
	IDs    []string `ec2:"KeyPairId"`
	Public bool     `ec2:"IncludePublicKey"`
}

type xmlKeyPair struct {
	ID          string         `xml:"keyPairId"`
	Fingerprint string         `xml:"keyFingerprint"`
	Name        string         `xml:"keyName"`
	Type        string         `xml:"keyType"`
	Tags        *items[xmlTag] `xml:"tagSet"`
	Public      string         `xml:"publicKey,omitempty"`
	Created     timestamp      `xml:"createTime"`
}

func describeKeyPairs(c *call, in keysInput) (any, error) {
	for _, name := range in.Names {
		k := c.keyNamed(name)
		if k == nil {
			return nil, refuse("InvalidKeyPair.NotFound", "The key pair '"+name+"' does not exist")
		}
		in.IDs = append(in.IDs, k.ID)
	}
	kind := keyKind()
	kind.xml = func(_ *call, k *keyPair) any {
		x := xmlKeyPair{k.ID, k.Fingerprint, k.Name, k.Type, xmlTags(k.Tags), "", timestamp(k.Created)}
		if in.Public {
			x.Public = k.Public
		}
		return x
	}
	return kind.list(c, in.Filter, paging{}, in.IDs)
}
