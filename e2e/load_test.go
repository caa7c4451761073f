//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// A bearer is a client that sends a new token with each request.
type bearer struct {
	tokens func() string
	client kubernetes.Interface
}

func newBearer(t *testing.T, user accessKey) *bearer {
	t.Helper()
	return newBearerOf(t, suite.Info().Kubeconfig, newTokens(t, user))
}

// newBearerOf returns a client of a kubeconfig's cluster.
func newBearerOf(t *testing.T, kubeconfig string, tokens func() string) *bearer {
	t.Helper()
	b := &bearer{tokens: tokens}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config = rest.AnonymousClientConfig(config)
	config.QPS, config.Burst = 40, 1 // requests per second, few enough that no token is sent twice
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &bearerTransport{b, next} })
	if b.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return b
}

type bearerTransport struct {
	*bearer
	next http.RoundTripper
}

func (b *bearerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+b.tokens())
	return b.next.RoundTrip(request)
}

// signIn asks who is calling.
func (b *bearer) signIn(ctx context.Context) error {
	_, err := b.whoami(ctx)
	return err
}

// signsIn signs in all the time, with some clients at once, while f runs; signedIn counts
// how often. Nobody may be refused.
func (b *bearer) signsIn(t *testing.T, clients int, f func(signedIn *atomic.Int64)) {
	t.Helper()
	var working sync.WaitGroup
	defer working.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var signedIn atomic.Int64
	for range clients {
		working.Go(func() {
			for ctx.Err() == nil {
				if err := b.signIn(t.Context()); err != nil {
					t.Errorf("after %d sign-ins: %v", signedIn.Load(), err)
					return
				}
				signedIn.Add(1)
			}
		})
	}
	f(&signedIn)
}

// whoami returns who is calling.
func (b *bearer) whoami(ctx context.Context) (authenticationv1.UserInfo, error) {
	review, err := b.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// TestLoadWhileAWSAuthChanges edits aws-auth repeatedly while people sign in with a
// new token at each request. A user who stays mapped is never refused; one who comes
// and goes is let in or refused and nothing else; one who is removed stays out.
func TestLoadWhileAWSAuthChanges(t *testing.T) {
	const (
		lasts   = 10 * time.Second // and until there was a load
		atMost  = 2 * time.Minute
		clients = 4
	)
	keepAWSAuth(t)
	stays, comesAndGoes := newUser(t, "stays"), newUser(t, "comes-and-goes")
	entry := func(user string) string {
		return "- userarn: arn:aws:iam::231144931069:user/" + user + "\n  username: " + user + "\n"
	}
	edit := func(n int, users string) {
		others := lab.NodesMapping()
		for i := range n % 50 {
			others += fmt.Sprintf("- rolearn: arn:aws:iam::231144931069:role/Other%d\n  username: other:{{SessionName}}\n", i)
		}
		if n%50 == 49 {
			others += "- rolearn: {{typo}}\n" // the section stays as it was
		}
		putAWSAuth(t, nil, map[string]string{"mapRoles": others, "mapUsers": users})
	}
	edit(0, entry("stays")+entry("comes-and-goes"))
	staying, going := newBearer(t, stays), newBearer(t, comesAndGoes)
	eventually(t, watchDelay+webhookCacheTTL, "both signed in", func() bool {
		return staying.signIn(t.Context()) == nil && going.signIn(t.Context()) == nil
	})
	person := signIn(t, "")
	stays.configure(person)
	plugins()[1].use(person)

	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	var served, typed, refused atomic.Int64
	edits, began := 0, time.Now()
	isLoad := func() bool { return edits >= 20 && served.Load() >= 50 && typed.Load() >= 5 && refused.Load() > 0 }
	var working sync.WaitGroup
	for i := range clients {
		working.Go(func() {
			for ctx.Err() == nil {
				if err := staying.signIn(t.Context()); err != nil {
					t.Errorf("who stays mapped is answered: %v", err)
					return
				}
				served.Add(1)
			}
		})
		if i > 0 {
			continue
		}
		working.Go(func() {
			for ctx.Err() == nil {
				switch err := going.signIn(t.Context()); {
				case err == nil:
				case apierrors.IsUnauthorized(err):
					refused.Add(1)
				default:
					t.Errorf("who comes and goes is answered: %v", err)
					return
				}
			}
		})
	}
	working.Go(func() {
		for ctx.Err() == nil {
			if r := person.try("kubectl auth whoami"); r.err != nil {
				t.Errorf("kubectl of who stays mapped: %v: %s", r.err, r.stderr)
				return
			}
			typed.Add(1)
		}
	})
	for ctx.Err() == nil && !t.Failed() && (time.Since(began) < lasts || !isLoad()) {
		edits++
		users := entry("stays")
		if edits%2 == 0 {
			users = entry("comes-and-goes") + users
		}
		edit(edits, users)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	cancel()
	working.Wait()
	t.Logf("%d edits; %d signed in, and %d by kubectl; who comes and goes was refused %d times", edits, served.Load(), typed.Load(), refused.Load())
	if !isLoad() {
		t.Error("that is no load")
	}

	edit(edits, entry("stays"))
	eventually(t, watchDelay, "who is gone refused", func() bool { return apierrors.IsUnauthorized(going.signIn(t.Context())) })
	for range 10 {
		if err := going.signIn(t.Context()); !apierrors.IsUnauthorized(err) {
			t.Errorf("who is gone is answered: %v", err)
		}
	}
	if err := staying.signIn(t.Context()); err != nil {
		t.Errorf("who stays mapped is answered at last: %v", err)
	}
}
