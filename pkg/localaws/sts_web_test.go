package localaws_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// An issuer is an identity provider on loopback. Its fields make it misbehave.
type issuer struct {
	*httptest.Server
	ecdsa *ecdsa.PrivateKey
	rsa   *rsa.PrivateKey // made at first use: it is expensive

	keyID    string                    // ID of the ECDSA key
	asked    atomic.Int64              // number of requests for the keys
	answer   func(http.ResponseWriter) // replaces the discovery document
	keysURL  string                    // replaces the URL of the keys
	asIssuer string                    // replaces its own name
	during   func()                    // called during a request
}

func newIssuer(t testing.TB, serve func(http.Handler) *httptest.Server) *issuer {
	t.Helper()
	i := &issuer{keyID: "first"}
	var err error
	if i.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.Server = serve(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/id/.well-known/openid-configuration":
		if i.during != nil {
			i.during()
		}
		if i.answer != nil {
			i.answer(w)
			return
		}
		document := map[string]string{"issuer": i.name(), "jwks_uri": i.URL + "/keys"}
		if i.keysURL != "" {
			document["jwks_uri"] = i.keysURL
		}
		if i.asIssuer != "" {
			document["issuer"] = i.asIssuer
		}
		_ = json.NewEncoder(w).Encode(document)
	case "/keys":
		i.asked.Add(1)
		keys := []map[string]string{{
			"kty": "EC", "kid": i.keyID, "crv": "P-256", "x": encoded(i.ecdsa.X.FillBytes(make([]byte, 32))), "y": encoded(i.ecdsa.Y.FillBytes(make([]byte, 32))),
		}}
		if i.rsa != nil {
			keys = append(keys, map[string]string{"kty": "RSA", "kid": "rsa", "n": encoded(i.rsa.N.Bytes()), "e": "AQAB"})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	default:
		http.NotFound(w, r)
	}
}

// name returns the issuer's own name, provider its name in IAM.
func (i *issuer) name() string { return i.URL + "/id" }

func (i *issuer) provider() string {
	_, rest, _ := strings.Cut(i.name(), "://")
	return rest
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token returns a token with the claims, signed with ES256 or RS256.
func (i *issuer) token(t testing.TB, algorithm string, claims map[string]any) string {
	t.Helper()
	id := map[string]string{"RS256": "rsa", "ES256": i.keyID}[algorithm]
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": id, "typ": "JWT"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := encoded(header) + "." + encoded(body)
	digest := sha256.Sum256([]byte(signed))
	if algorithm == "ES256" {
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, i.ecdsa, digest[:]); err != nil {
			t.Fatal(err)
		}
		return signed + "." + encoded(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	if i.rsa == nil {
		if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	signature, err := rsa.SignPKCS1v15(nil, i.rsa, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encoded(signature)
}

// claims returns the claims of a token that is valid at a time, with changes; nil
// removes a claim.
func (i *issuer) claims(now time.Time, changed map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.name(), "sub": "system:serviceaccount:default:app", "aud": []string{"https://kubernetes", "sts.amazonaws.com"},
		"exp": now.Add(time.Hour).Unix(), "nbf": now.Unix(), "iat": now.Unix(),
	}
	maps.Copy(claims, changed)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// register registers an issuer in IAM with the audience sts.amazonaws.com.
func register(t testing.TB, s *localawstest.Server, name string, thumbprints ...string) {
	t.Helper()
	if _, err := iam.NewFromConfig(s.SDK()).CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: &name, ClientIDList: []string{"sts.amazonaws.com", "other"}, ThumbprintList: thumbprints,
	}); err != nil {
		t.Fatal(err)
	}
}

// federated returns a trust policy that allows the actions to the provider's users.
func federated(provider, actions, condition string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + arn("oidc-provider/"+provider) + `"},"Action":` + actions + `,"Condition":` + condition + `}]}`)
}

// unsigned returns an STS client without an access key.
func unsigned(s *localawstest.Server) *sts.Client {
	return sts.New(sts.Options{Region: s.Region(), HTTPClient: s.Client(), RetryMaxAttempts: 1})
}

func assumeByToken(t testing.TB, s *localawstest.Server, role, token string, with sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	with.RoleArn, with.RoleSessionName, with.WebIdentityToken = aws.String(arn("role/"+role)), aws.String("app"), &token
	return unsigned(s).AssumeRoleWithWebIdentity(t.Context(), &with)
}

const byToken = `"sts:AssumeRoleWithWebIdentity"`

func TestWebIdentity(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	i := newIssuer(t, httptest.NewServer)
	register(t, s, i.name())
	newRole(t, s, "r", federated(i.provider(), byToken, `{"StringEquals":{"`+i.provider()+`:sub":"system:serviceaccount:default:app","`+i.provider()+`:aud":"sts.amazonaws.com"}}`))
	// The role's permissions depend on the session.
	if _, err := iam.NewFromConfig(s.SDK()).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*","Condition":{"StringEquals":{"` + i.provider() + `:sub":"system:serviceaccount:default:app","aws:FederatedProvider":"` + arn("oidc-provider/"+i.provider()) + `"}}}]}`)}); err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []string{"RS256", "ES256"} {
		got, err := assumeByToken(t, s, "r", i.token(t, algorithm, i.claims(now, nil)), sts.AssumeRoleWithWebIdentityInput{DurationSeconds: aws.Int32(900)})
		if err != nil {
			t.Fatal(err)
		}
		if *got.SubjectFromWebIdentityToken != "system:serviceaccount:default:app" || *got.Audience != "sts.amazonaws.com" || *got.Provider != arn("oidc-provider/"+i.provider()) ||
			*got.AssumedRoleUser.Arn != "arn:aws:sts::"+account+":assumed-role/r/app" || got.Credentials.Expiration.Sub(now) != 15*time.Minute {
			t.Errorf("%+v", got)
		}
		if arn, id := whoami(t, as(s, got.Credentials)); arn != *got.AssumedRoleUser.Arn || id != *got.AssumedRoleUser.AssumedRoleId {
			t.Errorf("the caller is %s %s", arn, id)
		}
		if err := listClusters(t, as(s, got.Credentials)); err != nil {
			t.Error(err)
		}
		bounded, err := assumeByToken(t, s, "r", i.token(t, algorithm, i.claims(now, nil)), sts.AssumeRoleWithWebIdentityInput{Policy: aws.String(statement("Deny", "eks:*", "*"))})
		if err != nil {
			t.Fatal(err)
		}
		if err := listClusters(t, as(s, bounded.Credentials)); code(err) != "AccessDeniedException" || aws.ToInt32(bounded.PackedPolicySize) < 1 {
			t.Errorf("the session policy has no effect: %v", err)
		}
	}
}

// TestWebIdentityLeavesATrail checks the events of these calls, and that neither
// trail nor log contains a token.
func TestWebIdentityLeavesATrail(t *testing.T) {
	var logged bytes.Buffer
	s := start(t, localaws.Config{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	i := newIssuer(t, httptest.NewServer)
	register(t, s, i.name())
	newRole(t, s, "r", federated(i.provider(), `["sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity"]`, `{}`))
	good := i.token(t, "ES256", i.claims(time.Now(), map[string]any{"https://aws.amazon.com/source_identity": "alice"}))
	got, err := assumeByToken(t, s, "r", good, sts.AssumeRoleWithWebIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	provider := arn("oidc-provider/" + i.provider())
	want := localaws.UserIdentity{
		Type: "WebIdentityUser", PrincipalID: provider + ":sts.amazonaws.com:system:serviceaccount:default:app",
		UserName: "system:serviceaccount:default:app", IdentityProvider: provider,
	}
	if event := last(t, s); event.EventName != "AssumeRoleWithWebIdentity" || event.UserIdentity != want || len(event.Resources) != 1 || event.Resources[0].ARN != arn("role/r") {
		t.Errorf("%+v", event)
	}
	_, _ = whoami(t, as(s, got.Credentials))
	if event := last(t, s); event.UserIdentity.SessionContext.SourceIdentity != "alice" {
		t.Errorf("%+v", event.UserIdentity.SessionContext)
	}
	bad := i.token(t, "ES256", i.claims(time.Now(), map[string]any{"aud": "another"}))
	if _, err := assumeByToken(t, s, "r", bad, sts.AssumeRoleWithWebIdentityInput{}); code(err) != "InvalidIdentityToken" {
		t.Fatal(err)
	}
	if event := last(t, s); event.ErrorCode != "InvalidIdentityToken" || event.UserIdentity.Type != "Unknown" || event.UserIdentity.IdentityProvider != "" {
		t.Errorf("%+v", event)
	}
	trail, err := json.Marshal(s.Events())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{good[:40], good[len(good)-40:], bad[len(bad)-40:], *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken} {
		if strings.Contains(logged.String(), secret) || bytes.Contains(trail, []byte(secret)) {
			t.Errorf("the log or the trail contains %q", secret)
		}
	}
}

func TestWebIdentityTokensAreChecked(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	i, stranger := newIssuer(t, httptest.NewServer), newIssuer(t, httptest.NewServer)
	register(t, s, i.name())
	newRole(t, s, "r", federated(i.provider(), byToken, `{}`))
	newRole(t, s, "picky", federated(i.provider(), byToken, `{"StringEquals":{"`+i.provider()+`:sub":"another"}}`))
	newRole(t, s, "byUsers", trusting(withTagsAndSource, `{}`))
	newRole(t, s, "byAction", federated(i.provider(), `"sts:AssumeRole"`, `{}`))
	token := func(changed map[string]any) string { return i.token(t, "ES256", i.claims(now, changed)) }
	good := token(nil)
	forged := stranger.token(t, "ES256", i.claims(now, nil))
	for name, test := range map[string]struct{ role, token, want, says string }{
		"good":                      {"r", good, "", ""},
		"one audience":              {"r", token(map[string]any{"aud": "other"}), "", ""},
		"without nbf and iat":       {"r", token(map[string]any{"nbf": nil, "iat": nil}), "", ""},
		"no token":                  {"r", "abcd", "InvalidIdentityToken", "not a valid JWT"},
		"too short":                 {"r", "abc", "ValidationError", "webIdentityToken"},
		"too long":                  {"r", strings.Repeat("x", 20001), "ValidationError", "webIdentityToken"},
		"another's signature":       {"r", forged, "InvalidIdentityToken", "Token signature invalid"},
		"one character changed":     {"r", good[:len(good)-9] + string(good[len(good)-9]^1) + good[len(good)-8:], "InvalidIdentityToken", ""},
		"another issuer's":          {"r", stranger.token(t, "ES256", stranger.claims(now, nil)), "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + stranger.name()},
		"no issuer":                 {"r", token(map[string]any{"iss": nil}), "InvalidIdentityToken", "No OpenIDConnect provider found"},
		"no subject":                {"r", token(map[string]any{"sub": nil}), "InvalidIdentityToken", "Missing a required claim: sub"},
		"no audience":               {"r", token(map[string]any{"aud": nil}), "InvalidIdentityToken", "Missing a required claim: aud"},
		"no expiry":                 {"r", token(map[string]any{"exp": nil}), "InvalidIdentityToken", "Missing a required claim: exp"},
		"another audience":          {"r", token(map[string]any{"aud": []string{"https://kubernetes"}}), "InvalidIdentityToken", "Incorrect token audience"},
		"expired":                   {"r", token(map[string]any{"exp": now.Unix()}), "ExpiredTokenException", "Token expired: current date/time"},
		"not yet valid":             {"r", token(map[string]any{"nbf": now.Add(time.Second).Unix()}), "InvalidIdentityToken", "not valid before"},
		"issued in the future":      {"r", token(map[string]any{"iat": now.Add(time.Second).Unix()}), "InvalidIdentityToken", "in the future"},
		"a tag with two values":     {"r", token(map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"a": []string{"1", "2"}}}}), "InvalidIdentityToken", "one value"},
		"a tag that is none":        {"r", token(map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{strings.Repeat("a", 129): []string{"1"}}}}), "InvalidIdentityToken", ""},
		"tags of another type":      {"r", token(map[string]any{"https://aws.amazon.com/tags": "a=1"}), "InvalidIdentityToken", "tags"},
		"a source that is none":     {"r", token(map[string]any{"https://aws.amazon.com/source_identity": "a b"}), "InvalidIdentityToken", "source identity"},
		"methods of another type":   {"r", token(map[string]any{"amr": 1}), "InvalidIdentityToken", "amr"},
		"another subject":           {"picky", good, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"a role for users":          {"byUsers", good, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"a role for another action": {"byAction", good, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"no role":                   {"none", good, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
	} {
		_, err := assumeByToken(t, s, test.role, test.token, sts.AssumeRoleWithWebIdentityInput{})
		if code(err) != test.want || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q, %q", name, err, test.want, test.says)
		}
	}
	_, err := assumeByToken(t, s, "r", good, sts.AssumeRoleWithWebIdentityInput{DurationSeconds: aws.Int32(3601)})
	expect(t,
		attempt{"longer than the role allows", err, "ValidationError"},
		attempt{"a provider of OAuth", errorOf(assumeByToken(t, s, "r", good, sts.AssumeRoleWithWebIdentityInput{ProviderId: aws.String("www.amazon.com")})), "ValidationError"},
		attempt{"another call without a signature", errorOf(sts.New(sts.Options{Region: s.Region(), HTTPClient: s.Client(), RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{}}).GetCallerIdentity(t.Context(), nil)), "MissingAuthenticationToken"},
	)
	if stranger.asked.Load() != 0 {
		t.Error("an unregistered issuer received a request")
	}
}

// TestWebIdentityConditions assumes roles with one condition each.
func TestWebIdentityConditions(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	i := newIssuer(t, httptest.NewServer)
	register(t, s, i.name())
	const tagging, sourcing = `["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, `["sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity"]`
	tagged := map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"team": []string{"red"}, "cost": []string{"1"}}, "transitive_tag_keys": []string{"team"}}}
	source := map[string]any{"https://aws.amazon.com/source_identity": "alice"}
	for name, test := range map[string]struct {
		actions, condition string
		claims             map[string]any
		want               bool
	}{
		"azp":                 {byToken, `{"StringEquals":{"ISSUER:azp":"app"}}`, map[string]any{"azp": "app"}, true},
		"another azp":         {byToken, `{"StringEquals":{"ISSUER:azp":"app"}}`, map[string]any{"azp": "app2"}, false},
		"no azp":              {byToken, `{"StringEquals":{"ISSUER:azp":"app"}}`, nil, false},
		"amr":                 {byToken, `{"ForAnyValue:StringEquals":{"ISSUER:amr":"mfa"}}`, map[string]any{"amr": []string{"pwd", "mfa"}}, true},
		"another amr":         {byToken, `{"ForAnyValue:StringEquals":{"ISSUER:amr":"mfa"}}`, map[string]any{"amr": []string{"pwd"}}, false},
		"the audience":        {byToken, `{"StringEquals":{"ISSUER:aud":"sts.amazonaws.com"}}`, nil, true},
		"another audience":    {byToken, `{"StringEquals":{"ISSUER:aud":"sts.amazonaws.com"}}`, map[string]any{"aud": "other"}, false},
		"the provider":        {byToken, `{"StringEquals":{"aws:FederatedProvider":"` + arn("oidc-provider/"+i.provider()) + `"}}`, nil, true},
		"the session's name":  {byToken, `{"StringEquals":{"sts:RoleSessionName":"app"}}`, nil, true},
		"the region":          {byToken, `{"StringEquals":{"aws:RequestedRegion":"eu-west-2"}}`, nil, true},
		"another region":      {byToken, `{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`, nil, false},
		"tags":                {tagging, `{"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":"team"}}`, tagged, true},
		"other tags":          {tagging, `{"StringEquals":{"aws:RequestTag/team":"blue"}}`, tagged, false},
		"tags not allowed":    {byToken, `{}`, tagged, false},
		"a source":            {sourcing, `{"StringEquals":{"sts:SourceIdentity":"alice"}}`, source, true},
		"another source":      {sourcing, `{"StringEquals":{"sts:SourceIdentity":"bob"}}`, source, false},
		"a source not wanted": {byToken, `{}`, source, false},
	} {
		t.Run(name, func(t *testing.T) {
			role := strings.NewReplacer(" ", "-", "'", "").Replace(name)
			newRole(t, s, role, federated(i.provider(), test.actions, strings.ReplaceAll(test.condition, "ISSUER", i.provider())))
			got, err := assumeByToken(t, s, role, i.token(t, "ES256", i.claims(now, test.claims)), sts.AssumeRoleWithWebIdentityInput{})
			if test.want && err != nil || !test.want && code(err) != "AccessDenied" {
				t.Fatalf("%v, want allowed %v", err, test.want)
			}
			if test.want && name == "a source" && aws.ToString(got.SourceIdentity) != "alice" {
				t.Errorf("%+v", got)
			}
			if test.want && name == "tags" { // tags are transitive
				allowAll(t, s, role)
				newRole(t, s, "next", trusting(withTagsAndSource, `{"StringEquals":{"aws:PrincipalTag/team":"red","aws:PrincipalTag/cost":"1"}}`))
				if _, err := assume(t, as(s, got.Credentials), "next", sts.AssumeRoleInput{Tags: passing("team", "blue")}); code(err) != "InvalidParameterValue" {
					t.Errorf("a transitive tag of the token can be changed: %v", err)
				}
				if _, err := assume(t, as(s, got.Credentials), "next", sts.AssumeRoleInput{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	token := i.token(t, "ES256", i.claims(now, nil))
	elsewhere := sts.New(sts.Options{Region: "eu-west-1", HTTPClient: s.Client(), RetryMaxAttempts: 1})
	if _, err := elsewhere.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(arn("role/another-region")), RoleSessionName: aws.String("app"), WebIdentityToken: &token,
	}); err != nil {
		t.Errorf("from that region: %v", err)
	}
}

// TestIssuersThatMisbehave checks that responses of identity providers are not
// trusted.
func TestIssuersThatMisbehave(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	proxied := newSink(t)
	t.Setenv("HTTPS_PROXY", "http://"+proxied.address)
	t.Setenv("HTTP_PROXY", "http://"+proxied.address)
	const unreachable, unusable = "IDPCommunicationError", "InvalidIdentityToken"
	answering := func(status int, text string) func(*issuer) {
		return func(i *issuer) {
			i.answer = func(w http.ResponseWriter) {
				if status == http.StatusFound {
					w.Header().Set("Location", text)
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, text)
			}
		}
	}
	keysAt := func(address string) func(*issuer) {
		return func(i *issuer) {
			i.keysURL = strings.Replace(address, "PORT", i.URL[strings.LastIndex(i.URL, ":")+1:], 1)
		}
	}
	for name, test := range map[string]struct {
		set        func(*issuer)
		want, says string
	}{
		"it is well":                  {func(*issuer) {}, "", ""},
		"it is gone":                  {func(i *issuer) { i.Close() }, unreachable, "connection refused"},
		"it fails":                    {answering(http.StatusInternalServerError, ""), unreachable, "answers 500"},
		"it has no document":          {answering(http.StatusNotFound, ""), unusable, "answers 404"},
		"it answers no JSON":          {answering(http.StatusOK, "<html>"), unusable, "Couldn't retrieve verification key"},
		"it answers without end":      {answering(http.StatusOK, strings.Repeat(" ", 1<<20)), unusable, "longer than"},
		"it sends one elsewhere":      {answering(http.StatusFound, "/keys"), unusable, "answers 302"},
		"it sends one off":            {answering(http.StatusFound, "http://192.0.2.1/"), unusable, "answers 302"},
		"it is another":               {func(i *issuer) { i.asIssuer = i.URL }, unusable, "names another issuer"},
		"its keys are elsewhere":      {keysAt("http://127.0.0.1:PORT/none"), unusable, "answers 404"},
		"its keys are off loopback":   {keysAt("http://192.0.2.1/keys"), unreachable, "only at localhost"},
		"its keys are at a name":      {keysAt("http://issuer.example/keys"), unreachable, "only at localhost"},
		"its keys are in a file":      {keysAt("file:///etc/passwd"), unreachable, "unsupported protocol scheme"},
		"its keys are at no URL":      {keysAt("http://["), unusable, ""},
		"its keys are at localhost":   {keysAt("http://localhost:PORT/keys"), "", ""},
		"its keys are below it":       {keysAt("http://keys.localhost.:PORT/keys"), "", ""},
		"it asks localaws in between": {func(i *issuer) { i.during = func() { whoami(t, s.SDK()) } }, "", ""}, // the state is not locked
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, httptest.NewServer)
			register(t, s, i.name())
			role := strings.ReplaceAll(name, " ", "-")
			newRole(t, s, role, federated(i.provider(), byToken, `{}`))
			test.set(i)
			_, err := assumeByToken(t, s, role, i.token(t, "ES256", i.claims(now, nil)), sts.AssumeRoleWithWebIdentityInput{})
			if code(err) != test.want || test.says != "" && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q, %q", err, test.want, test.says)
			}
		})
	}
	t.Run("it is elsewhere", func(t *testing.T) {
		for _, name := range []string{"https://192.0.2.1/id", "https://issuer.example/id", "https://localhost.example/id"} {
			register(t, s, name)
			token := newIssuer(t, httptest.NewServer)
			if _, err := assumeByToken(t, s, "any", token.token(t, "ES256", token.claims(now, map[string]any{"iss": name})), sts.AssumeRoleWithWebIdentityInput{}); code(err) != unreachable || !strings.Contains(err.Error(), "only at localhost") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if n := proxied.connections.Load(); n != 0 {
		t.Errorf("%d connections to the environment's proxy", n)
	}
}

// A sink counts the connections that it receives.
type sink struct {
	address     string
	connections atomic.Int64
}

func newSink(t testing.TB) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{address: listener.Addr().String()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			_ = connection.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return s
}

// TestIssuersOverTLS checks that certificates are trusted by their thumbprint.
func TestIssuersOverTLS(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	for name, test := range map[string]struct {
		thumbprint func(certificate []byte) string
		host, want string
	}{
		"its thumbprint":               {thumbprint, "127.0.0.1", ""},
		"in capitals":                  {func(c []byte) string { return strings.ToUpper(thumbprint(c)) }, "127.0.0.1", ""},
		"another thumbprint":           {func([]byte) string { return strings.Repeat("0", 40) }, "127.0.0.1", "IDPCommunicationError"},
		"a name that it does not have": {thumbprint, "localhost", "IDPCommunicationError"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, httptest.NewTLSServer)
			i.Config.ErrorLog = log.New(io.Discard, "", 0)
			i.URL = strings.Replace(i.URL, "127.0.0.1", test.host, 1)
			register(t, s, i.name(), test.thumbprint(i.Certificate().Raw))
			role := strings.ReplaceAll(name, " ", "-")
			newRole(t, s, role, federated(i.provider(), byToken, `{}`))
			if _, err := assumeByToken(t, s, role, i.token(t, "ES256", i.claims(now, nil)), sts.AssumeRoleWithWebIdentityInput{}); code(err) != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func thumbprint(certificate []byte) string {
	sum := sha1.Sum(certificate)
	return hex.EncodeToString(sum[:])
}

// TestKeysAreKept checks that keys are cached for a minute of real time, and fetched again
// when a token names an unknown key.
func TestKeysAreKept(t *testing.T) {
	i := newIssuer(t, httptest.NewServer) // outside of the bubble, where time does not wait for it
	synctest.Test(t, func(t *testing.T) { keysAreKept(t, i) })
}

func keysAreKept(t *testing.T, i *issuer) {
	s := start(t, localaws.Config{})
	register(t, s, i.name())
	newRole(t, s, "r", federated(i.provider(), byToken, `{}`))
	s.Clock().Freeze()
	began := time.Now()
	for _, step := range []struct {
		after time.Duration
		keyID string
		want  string
		asked int64
	}{
		{0, "first", "", 1},
		{59 * time.Second, "first", "", 1},
		{60 * time.Second, "first", "", 2},
		{64 * time.Second, "second", "InvalidIdentityToken", 2}, // less than 5 s after the last fetch
		{65 * time.Second, "second", "", 3},
		{66 * time.Second, "second", "", 3},
	} {
		time.Sleep(time.Until(began.Add(step.after)))
		i.keyID = step.keyID
		_, err := assumeByToken(t, s, "r", i.token(t, "ES256", i.claims(began, nil)), sts.AssumeRoleWithWebIdentityInput{})
		if code(err) != step.want || i.asked.Load() != step.asked {
			t.Errorf("after %s, with the %s key: %v, asked %d times; want %q, %d", step.after, step.keyID, err, i.asked.Load(), step.want, step.asked)
		}
	}
}

func TestWebIdentityInJSON(t *testing.T) {
	s := start(t, localaws.Config{})
	i := newIssuer(t, httptest.NewServer)
	register(t, s, i.name())
	newRole(t, s, "r", federated(i.provider(), byToken, `{}`))
	ask := func(token string) (status int, text []byte) {
		form := url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {arn("role/r")}, "RoleSessionName": {"app"}, "WebIdentityToken": {token},
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://sts.eu-west-2.amazonaws.com/", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Accept", "application/json")
		answer, err := s.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, text
	}
	status, text := ask(i.token(t, "ES256", i.claims(time.Now(), nil)))
	var got struct {
		AssumeRoleWithWebIdentityResponse struct {
			AssumeRoleWithWebIdentityResult struct {
				Credentials                                     struct{ AccessKeyID string }
				SubjectFromWebIdentityToken, Audience, Provider string
			}
		}
	}
	err := json.Unmarshal(text, &got)
	if result := got.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult; err != nil || status != http.StatusOK ||
		!strings.HasPrefix(result.Credentials.AccessKeyID, "ASIA") || result.Audience != "sts.amazonaws.com" || result.Provider != arn("oidc-provider/"+i.provider()) {
		t.Errorf("%d %s, %v", status, text, err)
	}
	status, text = ask("nonsense")
	var failed struct{ Error struct{ Code, Type string } }
	if err := json.Unmarshal(text, &failed); err != nil || status != http.StatusBadRequest || failed.Error.Code != "InvalidIdentityToken" || failed.Error.Type != "Sender" {
		t.Errorf("%d %s, %v", status, text, err)
	}
}
