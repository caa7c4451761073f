package localaws_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
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
