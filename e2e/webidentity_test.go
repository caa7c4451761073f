//go:build e2e

package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// An issuer is an OpenID Connect provider, as every Kubernetes cluster is one: it
// publishes the key that its tokens are signed with.
type issuer struct {
	t   *testing.T
	key *rsa.PrivateKey
	url string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.write(w, map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.write(w, map[string]any{"keys": []map[string]string{{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		i.t.Error(err)
	}
}

// token says who somebody is, for AWS to read.
func (i *issuer) token(subject string) string {
	i.t.Helper()
	now := time.Now().Unix()
	var parts [2]string
	for n, part := range []map[string]any{
		{"alg": "RS256", "typ": "JWT", "kid": "1"},
		{"iss": i.url, "sub": subject, "aud": []string{"sts.amazonaws.com"}, "iat": now, "nbf": now, "exp": now + 600},
	} {
		text, err := json.Marshal(part)
		if err != nil {
			i.t.Fatal(err)
		}
		parts[n] = encode(text)
	}
	signed := parts[0] + "." + parts[1]
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		i.t.Fatal(err)
	}
	return signed + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// TestWebIdentity signs in as a workload does: by a token of a Kubernetes service
// account, with no key of AWS's at all.
func TestWebIdentity(t *testing.T) {
	issuer := newIssuer(t)
	name := strings.TrimPrefix(issuer.url, "http://")
	provider := "arn:aws:iam::231144931069:oidc-provider/" + name
	admin := newShell(t, awsCLIs(t)[0])
	admin.run("aws iam create-open-id-connect-provider --url " + issuer.url + " --client-id-list sts.amazonaws.com --thumbprint-list " + strings.Repeat("0", 40))
	t.Cleanup(func() {
		admin.run("aws iam delete-open-id-connect-provider --open-id-connect-provider-arn " + provider)
	})
	role := newRoleOf(t, "/", "Robot", `"Principal":{"Federated":"`+provider+`"},"Action":"sts:AssumeRoleWithWebIdentity",`+
		`"Condition":{"StringEquals":{"`+name+`:aud":"sts.amazonaws.com","`+name+`:sub":"system:serviceaccount:default:robot"}}`)
	setAWSAuth(t, map[string]string{"mapRoles": "- rolearn: " + role + "\n  username: robot:{{SessionName}}\n  groups: [robots]\n"})
	for _, plugin := range plugins() {
		t.Run(plugin.name, func(t *testing.T) {
			workload := func(subject string) *shell {
				s := signIn(t, "")
				s.set("AWS_SHARED_CREDENTIALS_FILE", "none")
				s.set("AWS_ROLE_ARN", role)
				s.set("AWS_ROLE_SESSION_NAME", "pod")
				s.set("AWS_WEB_IDENTITY_TOKEN_FILE", s.write("token", issuer.token(subject)))
				plugin.use(s)
				return s
			}
			becomes(t, workload("system:serviceaccount:default:robot"), "robot:pod", "robots")
			workload("system:serviceaccount:default:other").fails("kubectl auth whoami", "AccessDenied")
		})
	}
}
