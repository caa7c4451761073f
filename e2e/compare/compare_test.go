//go:build e2e

// Package compare shows that the authenticator and aws-iam-authenticator, its peer,
// return the same users for the same inputs, except where docs say that they differ.
package compare

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

// patience is how long a server may take to read its mappings.
const patience = time.Minute

// An answer is what a TokenReview says.
type answer struct {
	Outcome review.Answer
	User    authenticationv1.UserInfo
}

func (a answer) String() string {
	if a.Outcome != review.Yes {
		return a.Outcome.String()
	}
	user, err := json.Marshal(a.User)
	if err != nil {
		return err.Error()
	}
	return string(user)
}

// read returns the answer in an HTTP response. The order of groups means nothing.
func read(t *testing.T, status int, body []byte) answer {
	t.Helper()
	a := answer{Outcome: review.Read(status, body)}
	if a.Outcome != review.Yes {
		return a
	}
	var decoded authenticationv1.TokenReview
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatalf("reading a TokenReview: %v: %s", err, body)
	}
	a.User = decoded.Status.User
	slices.Sort(a.User.Groups)
	if len(a.User.Groups) == 0 {
		a.User.Groups = nil
	}
	return a
}

// TestEqualUsers runs both servers on the inputs of each file in testdata.
func TestEqualUsers(t *testing.T) {
	if os.Getenv("PROVIDER") == "kind" {
		t.Skip("PROVIDER=envtest compares")
	}
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	f := newFixture(t)
	documented := differences(t)
	used := map[string]bool{}
	for _, path := range paths {
		c := readCase(t, path)
		for i := range c.identities {
			c.identities[i].key = f.newKey(c.identities[i].Identity)
		}
		for _, b := range c.backends {
			t.Run(c.name+"/"+b.name, func(t *testing.T) {
				f.compare(t, c, b, documented, used)
			})
		}
	}
	if pairs := f.pairs; pairs < 100 {
		t.Errorf("only %d answers were compared", pairs)
	}
	t.Logf("%d answers compared, %d documented differences seen", f.pairs, len(used))
}

// compare asks both servers about every identity of a case.
func (f *fixture) compare(t *testing.T, c *testCase, b backend, documented []string, used map[string]bool) {
	config := f.put(t, b)
	ours, peer := f.serve(t, ours, b, config), f.serve(t, peer, b, config)
	ours.awaitMappings(t, f.token(c.identities[0].key))
	if c.rejected == "" {
		peer.awaitMappings(t, f.token(c.identities[0].key))
	} else {
		peer.awaitLog(t, c.rejected)
	}
	for _, identity := range c.identities {
		token := f.token(identity.key)
		row := c.differs[b.name+" "+identity.name]
		var we, they answer
		equal := row != ""
		// The peer reads some objects later than the first one.
		for end := time.Now().Add(patience); equal == (row != "") && time.Now().Before(end); {
			we, they = ours.ask(t, token), peer.ask(t, token)
			equal = cmp.Equal(they, we)
		}
		f.pairs++
		switch {
		case row == "" && !equal:
			t.Errorf("%s %s (%s):\nours: %s\npeer: %s", b.name, identity.name, identity.ARN, we, they)
		case row != "" && equal:
			t.Errorf("%s %s: the answers are equal, but the case expects a difference: %s", b.name, identity.name, row)
		case row != "":
			if !slices.ContainsFunc(documented, func(d string) bool { return strings.HasPrefix(d, row) }) {
				t.Errorf("%s %s: no row of the tables of differences begins with %q", b.name, identity.name, row)
			}
			used[row] = true
		}
	}
}

// differences returns the first cells of the tables of differences in docs.
func differences(t *testing.T) []string {
	t.Helper()
	var rows []string
	for _, name := range []string{"mapping.md", "protocol.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		_, section, found := strings.Cut(string(text), "\n## Differences\n")
		if !found {
			t.Fatalf("%s has no table of differences", name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for line := range strings.Lines(section) {
			if cells := strings.Split(line, " | "); len(cells) >= 3 {
				rows = append(rows, strings.TrimPrefix(cells[0], "| "))
			}
		}
	}
	return rows
}

// awaitMappings waits until a server has read its mappings: the peer is never said to
// be ready, so it is asked about an identity that it maps.
func (s *server) awaitMappings(t *testing.T, token string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.ask(t, token).Outcome != review.Yes {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s does not map the first identity; its log:\n%s", s.name, s.logged(t))
		}
	}
}

// ask sends a TokenReview with a token.
func (s *server) ask(t *testing.T, token string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/authenticate", bytes.NewReader(review.Body(token)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatalf("asking %s: %v", s.name, err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return read(t, response.StatusCode, body.Bytes())
}

func (f *fixture) token(key string) string {
	return f.reviews.Token(key, sts.Host(sts.Region), sts.Region, 0)
}
