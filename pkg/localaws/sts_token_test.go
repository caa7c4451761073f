package localaws_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// TestGetWebIdentityToken verifies tokens with the keys that their issuer publishes.
func TestGetWebIdentityToken(t *testing.T) {
	s := start(t, localaws.Config{})
	admin, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	bob := newUser(t, s, "bob", statement("Allow", "sts:GetWebIdentityToken", "*"))
	get := func(config aws.Config, change func(*sts.GetWebIdentityTokenInput)) (*sts.GetWebIdentityTokenOutput, error) {
		input := &sts.GetWebIdentityTokenInput{Audience: []string{"https://service.example.com"}, SigningAlgorithm: aws.String("ES384")}
		if change != nil {
			change(input)
		}
		return sts.NewFromConfig(config).GetWebIdentityToken(ctx, input)
	}
	wantCode(t, "OutboundWebIdentityFederationDisabledException", errorOf(get(bob, nil)))
	wantCode(t, "FeatureDisabled", errorOf(admin.GetOutboundWebIdentityFederationInfo(ctx, &iam.GetOutboundWebIdentityFederationInfoInput{})))
	enabled, err := admin.EnableOutboundWebIdentityFederation(ctx, &iam.EnableOutboundWebIdentityFederationInput{})
	must(t, err)
	issuer := *enabled.IssuerIdentifier
	wantCode(t, "FeatureEnabled", errorOf(admin.EnableOutboundWebIdentityFederation(ctx, &iam.EnableOutboundWebIdentityFederationInput{})))
	wantCode(t, "AccessDenied", errorOf(get(newUser(t, s, "nobody", ""), nil)))

	published := func(path string) []byte {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, issuer+path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	var discovered struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	must(t, json.Unmarshal(published("/.well-known/openid-configuration"), &discovered))
	if discovered.Issuer != issuer {
		t.Errorf("the issuer is %s, want %s", discovered.Issuer, issuer)
	}
	keys, err := jwt.ParseKeys(published(strings.TrimPrefix(discovered.Keys, issuer)))
	must(t, err)
	for _, algorithm := range []string{"RS256", "ES384"} {
		made, err := get(bob, func(i *sts.GetWebIdentityTokenInput) {
			i.SigningAlgorithm, i.DurationSeconds = &algorithm, aws.Int32(60)
		})
		must(t, err)
		token, err := jwt.Parse(*made.WebIdentityToken)
		must(t, err)
		must(t, token.Verify(keys))
		if token.Issuer != issuer || token.Subject != arn("user/bob") || token.Audience[0] != "https://service.example.com" || token.Expires-token.IssuedAt != 60 || !made.Expiration.Equal(time.Unix(int64(token.Expires), 0)) {
			t.Errorf("%+v", token)
		}
	}
	wantCode(t, "AccessDenied", errorOf(get(bob, func(i *sts.GetWebIdentityTokenInput) { i.Tags = passing("a", "b") })))
	wantCode(t, "ValidationError", errorOf(get(bob, func(i *sts.GetWebIdentityTokenInput) { i.DurationSeconds = aws.Int32(59) })))
	wantCode(t, "ValidationError", errorOf(get(bob, func(i *sts.GetWebIdentityTokenInput) { i.SigningAlgorithm = aws.String("HS256") })))
	wantCode(t, "ValidationError", errorOf(get(bob, func(i *sts.GetWebIdentityTokenInput) { i.Audience = make([]string, 11) })))
	must(t, errorOf(admin.DisableOutboundWebIdentityFederation(ctx, &iam.DisableOutboundWebIdentityFederationInput{})))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, issuer+"/.well-known/jwks.json", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("a disabled issuer answers %d", w.Code)
	}
}

// TestIssuerSavesNothing checks that what an issuer publishes changes the state file only
// when it makes a key, and that the key is then in the file.
func TestIssuerSavesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	s := start(t, localaws.Config{StateFile: file})
	enabled, err := iam.NewFromConfig(s.SDK()).EnableOutboundWebIdentityFederation(t.Context(), &iam.EnableOutboundWebIdentityFederationInput{})
	must(t, err)
	asked := func(s *localawstest.Server) (keys string, saved fs.FileInfo) {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, *enabled.IssuerIdentifier+"/.well-known/jwks.json", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		saved, err := os.Stat(file)
		must(t, err)
		return w.Body.String(), saved
	}
	keys, first := asked(s)
	if again, second := asked(s); again != keys || !os.SameFile(first, second) {
		t.Errorf("the keys: %s, then %s; the file was written again: %v", keys, again, !os.SameFile(first, second))
	}
	must(t, s.Close())
	if kept, _ := asked(start(t, localaws.Config{StateFile: file})); kept != keys {
		t.Errorf("the keys: %s, after a restart %s", keys, kept)
	}
}

// TestClaimsOfWebIdentityToken checks what a token says besides the caller, and the
// bounds of a token.
func TestClaimsOfWebIdentityToken(t *testing.T) {
	s := start(t, localaws.Config{})
	admin, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	must(t, errorOf(admin.EnableOutboundWebIdentityFederation(ctx, &iam.EnableOutboundWebIdentityFederationInput{})))
	bob := newUser(t, s, "bob", anything)
	must(t, errorOf(admin.TagUser(ctx, &iam.TagUserInput{UserName: aws.String("bob"), Tags: tags("team", "blue")})))
	newRole(t, s, "r", trust(`{"AWS":"`+arn("user/bob")+`"}`))
	allowAll(t, s, "r")
	session := assumed(t, s, bob, "r", sts.AssumeRoleInput{DurationSeconds: aws.Int32(900)})
	request := func(seconds int32, tags ...string) *sts.GetWebIdentityTokenInput {
		return &sts.GetWebIdentityTokenInput{
			Audience: []string{"a", "b"}, SigningAlgorithm: aws.String("ES384"), DurationSeconds: &seconds, Tags: passing(tags...),
		}
	}
	made, err := sts.NewFromConfig(bob).GetWebIdentityToken(ctx, request(3600, "ticket", "7"))
	must(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(*made.WebIdentityToken, ".")[1])
	must(t, err)
	var got struct {
		Audience []string       `json:"aud"`
		Details  map[string]any `json:"https://sts.amazonaws.com/"`
	}
	must(t, json.Unmarshal(payload, &got))
	want := map[string]any{
		"aws_account": account, "source_region": "eu-west-2", "principal_id": arn("user/bob"),
		"principal_tags": map[string]any{"team": "blue"}, "request_tags": map[string]any{"ticket": "7"},
	}
	if len(got.Audience) != 2 || !reflect.DeepEqual(got.Details, want) {
		t.Errorf("%+v, want %+v", got, want)
	}

	must(t, errorOf(sts.NewFromConfig(session).GetWebIdentityToken(ctx, request(600))))
	wantCode(t, "SessionDurationEscalationException", errorOf(sts.NewFromConfig(session).GetWebIdentityToken(ctx, request(3600))))
	var many []string
	for n := range 50 {
		many = append(many, strings.Repeat("k", 100)+strconv.Itoa(n), strings.Repeat("v", 256))
	}
	wantCode(t, "JWTPayloadSizeExceededException", errorOf(sts.NewFromConfig(bob).GetWebIdentityToken(ctx, request(600, many...))))
	global := bob.Copy()
	global.Region, global.BaseEndpoint = "us-east-1", aws.String("https://sts.amazonaws.com")
	wantMessage(t, "InvalidAction", "not available on the global endpoint", errorOf(sts.NewFromConfig(global).GetWebIdentityToken(ctx, request(600))))
}
