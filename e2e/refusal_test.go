//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// bearerToken returns a token for a cluster, made by the AWS CLI.
func (s *shell) bearerToken(cluster string) string {
	s.t.Helper()
	var credential struct{ Status struct{ Token string } }
	s.decode("aws eks get-token --cluster-name "+cluster, &credential)
	return credential.Status.Token
}

// review sends a TokenReview to the authenticator itself.
func (s *shell) review(token string) authenticationv1.TokenReviewStatus {
	s.t.Helper()
	status, code := postTokenReview(s.t, token)
	if code != http.StatusOK {
		s.t.Fatalf("the authenticator answers %d", code)
	}
	return status
}

func postTokenReview(t *testing.T, token string) (authenticationv1.TokenReviewStatus, int) {
	t.Helper()
	body, err := json.Marshal(authenticationv1.TokenReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"},
		Spec:     authenticationv1.TokenReviewSpec{Token: token},
	})
	if err != nil {
		t.Fatal(err)
	}
	code, answer, err := suite.PostToWebhook(t.Context(), "/authenticate", body)
	if err != nil {
		t.Fatal(err)
	}
	var review authenticationv1.TokenReview
	if code == http.StatusOK {
		if err := json.Unmarshal(answer, &review); err != nil {
			t.Fatal(err)
		}
	}
	return review.Status, code
}

// mapped returns a shell of a new IAM user who is mapped in aws-auth and signed in.
func mapped(t *testing.T, name string) (*shell, accessKey) {
	t.Helper()
	setAWSAuth(t, map[string]string{"mapUsers": "- userarn: arn:aws:iam::231144931069:user/" + name + "\n  username: " + name + "\n  groups: [people]\n"})
	user := newUser(t, name)
	s := signIn(t, "")
	user.configure(s)
	becomes(t, s, name, "people")
	return s, user
}

// as returns kubectl's flags to send a token unchanged.
func as(token string) string { return "--token=" + token }

func TestDeactivatedKey(t *testing.T) {
	s, user := mapped(t, "deactivated")
	reused := s.bearerToken("kubedemy")
	if got := s.whoami(as(reused)).Username; got != "deactivated" {
		t.Fatalf("before: %q", got)
	}
	_, err := administrator(t).UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: &user.user, AccessKeyId: &user.id, Status: types.StatusTypeInactive})
	if err != nil {
		t.Fatal(err)
	}
	// A new token is refused at once. Tokens made in the same second are identical,
	// so wait for the next.
	fresh := reused
	eventually(t, watchDelay, "a fresh token", func() bool {
		fresh = s.bearerToken("kubedemy")
		return fresh != reused
	})
	s.refused(as(fresh))
	// A cached token works for as long as all caches together, and no longer.
	bound := tokenCacheTTL + webhookCacheTTL + verificationCacheTTL
	const late = 15 * time.Second // a busy machine
	eventually(t, bound+late, "the reused token refused", func() bool {
		return s.try("kubectl auth whoami "+as(reused)).err != nil
	})
}

func TestTokenOfAnotherCluster(t *testing.T) {
	s, _ := mapped(t, "other-cluster")
	s.refused(as(s.bearerToken("production")))
}

func TestExpiredToken(t *testing.T) {
	s, user := mapped(t, "expired")
	at := func(age time.Duration) string {
		return tokensAt(t, user, func() time.Time { return time.Now().Add(-age) })()
	}
	if got := s.whoami(as(at(14 * time.Minute))).Username; got != "expired" {
		t.Errorf("14 minutes old: %q", got)
	}
	s.refused(as(at(15*time.Minute + time.Second)))
	s.refused(as(at(-16 * time.Minute)))
}

// TestOwnerGetsInBeforeAnySourceIsSynced removes the authenticator's permission to
// read aws-auth and restarts it: it can read nothing, and still the owner signs in,
// while for others it cannot decide.
func TestOwnerGetsInBeforeAnySourceIsSynced(t *testing.T) {
	owner := signIn(t, "--role-arn "+suite.Info().OwnerARN)
	stranger := signIn(t, "")
	if err := suite.DenyAWSAuth(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := suite.AllowAWSAuth(context.Background()); err != nil {
			t.Error(err)
		}
		if err := suite.RestartAuthenticator(context.Background(), true); err != nil {
			t.Error(err)
		}
	})
	if err := suite.RestartAuthenticator(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if user := owner.whoami(""); user.Username != "kubernetes-admin" {
		t.Errorf("the owner is %q", user.Username)
	}
	stranger.refused("")
	if _, code := postTokenReview(t, stranger.bearerToken("kubedemy")); code != http.StatusServiceUnavailable {
		t.Errorf("somebody else is answered %d, want 503", code)
	}
}
