package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/authn"
)

// ask has the webhook read a body. It returns the token that was decided about.
func ask(t testing.TB, body string) (token string, status int, answer string) {
	t.Helper()
	h := handler(t, func(_ context.Context, bearer string) *authn.Decision {
		token = bearer
		return &authn.Decision{Outcome: authn.Malformed}
	})
	w := post(h, "application/json", body)
	return token, w.Code, w.Body.String()
}

// TestReviewsAreReadAsJSON reads what a client may write in more than one way.
func TestReviewsAreReadAsJSON(t *testing.T) {
	const v1 = `"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview"`
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, test := range map[string]struct {
		body, token string
		status      int
	}{
		"as a kube-apiserver writes it": {`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1","metadata":{"creationTimestamp":null},"spec":{"token":"abc","audiences":["a","b"]},"status":{"user":{}}}` + "\n", "abc", 200},
		"the token first":               {`{"spec":{"audiences":null,"token":"abc"},` + v1 + `}`, "abc", 200},
		"white space":                   {" {\n\t" + v1 + ` , "spec" : { "token" : "abc" } } ` + "\r\n", "abc", 200},
		"an escaped token":              {`{` + v1 + `,"spec":{"token":"a\u0062\"\\c"}}`, `ab"\c`, 200},
		"an escaped name":               {`{` + v1 + `,"spec":{"t\u006fken":"abc"}}`, "abc", 200},
		"a token beyond ASCII":          {`{` + v1 + `,"spec":{"token":"é\u00e9"}}`, "éé", 200},
		"a token that is not UTF-8":     {`{` + v1 + `,"spec":{"token":"` + "\xff" + `"}}`, "\ufffd", 200},
		"other values":                  {`{` + v1 + `,"x":[1,-2.5e+3,true,false,null,{},[],"\n",{"y":"z"}],"spec":{"token":"abc"}}`, "abc", 200},
		"no spec":                       {`{` + v1 + `}`, "", 200},
		"a spec of null":                {`{` + v1 + `,"spec":null}`, "", 200},
		"a token of null":               {`{` + v1 + `,"spec":{"token":null}}`, "", 200},
		"a token of the next level":     {`{` + v1 + `,"spec":{"x":{"token":"no"}},"token":"no"}`, "", 200},
		"names in capitals":             {`{` + v1 + `,"spec":{"Token":"no"},"Spec":{"token":"no"}}`, "", 200},
		"a depth of 31":                 {`{` + v1 + `,"x":` + deep(31) + `,"spec":{"token":"abc"}}`, "abc", 200},
		"a depth of 32":                 {`{` + v1 + `,"x":` + deep(32) + `,"spec":{"token":"abc"}}`, "", 400},
		"as deep as it gets":            {`{` + v1 + `,"x":` + deep(30_000) + `,"spec":{"token":"abc"}}`, "", 400},
		"two tokens":                    {`{` + v1 + `,"spec":{"token":"abc","token":"abc"}}`, "", 400},
		"two tokens, one null":          {`{` + v1 + `,"spec":{"token":null,"token":"abc"}}`, "", 400},
		"two tokens, one escaped":       {`{` + v1 + `,"spec":{"token":"abc","t\u006fken":"def"}}`, "", 400},
		"two specs":                     {`{` + v1 + `,"spec":{"token":"abc"},"spec":{}}`, "", 400},
		"two kinds":                     {`{` + v1 + `,"kind":"TokenReview"}`, "", 400},
		"two versions":                  {`{` + v1 + `,"apiVersion":"authentication.k8s.io/v1"}`, "", 400},
		"a token of an object":          {`{` + v1 + `,"spec":{"token":{}}}`, "", 400},
		"a spec of text":                {`{` + v1 + `,"spec":"abc"}`, "", 400},
		"a list":                        {`[{` + v1 + `}]`, "", 400},
		"a comma too many":              {`{` + v1 + `,}`, "", 400},
		"a comma too few":               {`{` + v1 + `"spec":{}}`, "", 400},
		"no colon":                      {`{` + v1 + `,"spec"{}}`, "", 400},
		"a line break in a text":        {`{` + v1 + `,"spec":{"token":"a` + "\n" + `"}}`, "", 400},
		"a bad escape":                  {`{` + v1 + `,"spec":{"token":"\x"}}`, "", 400},
		"a text without an end":         {`{` + v1 + `,"spec":{"token":"abc`, "", 400},
		"an escape at the end":          {`{` + v1 + `,"spec":{"token":"abc\`, "", 400},
		"a bad number":                  {`{` + v1 + `,"x":01}`, "", 400},
		"a bad word":                    {`{` + v1 + `,"x":nil}`, "", 400},
		"null and more":                 {`{` + v1 + `,"spec":nullify}`, "", 400},
		"brackets that do not match":    {`{` + v1 + `,"x":[}`, "", 400},
		"a NUL at the end":              {`{` + v1 + "}\x00", "", 400},
	} {
		if token, status, _ := ask(t, test.body); token != test.token || status != test.status {
			t.Errorf("%s: token %q, HTTP %d; want %q, %d", name, token, status, test.token, test.status)
		}
	}
}

// FuzzReview checks that reading has the same result as encoding/json.
func FuzzReview(f *testing.F) {
	f.Add(review("v1", "k8s-aws-v1.abc"))
	f.Add(`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"\u00e9","x":[1,{"y":null}]}}`)
	f.Add(`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1","spec":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		token, status, answer := ask(t, body)
		want, accepted := readByEncodingJSON(body)
		switch {
		case status == http.StatusOK && (!accepted || token != want):
			t.Errorf("token %q is read of %q, in which encoding/json finds %q, %t", token, body, want, accepted)
		case status != http.StatusOK && accepted && len(body) <= 64<<10 &&
			!strings.Contains(answer, "a field occurs twice") && !strings.Contains(answer, "nested too deep"):
			t.Errorf("%q is rejected: %s", body, answer)
		}
	})
}

// readByEncodingJSON reads a TokenReview into maps, whose keys are matched exactly.
func readByEncodingJSON(body string) (token string, ok bool) {
	var fields map[string]any
	if json.Unmarshal([]byte(body), &fields) != nil {
		return "", false
	}
	text := func(value any) (string, bool) { t, ok := value.(string); return t, ok || value == nil }
	kind, isKind := text(fields["kind"])
	version, isVersion := text(fields["apiVersion"])
	spec, isSpec := fields["spec"].(map[string]any)
	token, isToken := text(spec["token"])
	return token, isKind && kind == "TokenReview" && isToken && (isSpec || fields["spec"] == nil) &&
		isVersion && (version == "authentication.k8s.io/v1" || version == "authentication.k8s.io/v1beta1")
}

// FuzzToken has whatever a client of Go's writes read as it was meant.
func FuzzToken(f *testing.F) {
	f.Add("k8s-aws-v1.abc", "sts.amazonaws.com")
	f.Add("\"\\<>&\x00\x7f\u2028é", "")
	f.Fuzz(func(t *testing.T, token, audience string) {
		body, err := json.Marshal(authenticationv1.TokenReview{
			TypeMeta: metav1.TypeMeta{Kind: "TokenReview", APIVersion: "authentication.k8s.io/v1"},
			Spec:     authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{audience}},
		})
		if err != nil || len(body) > 64<<10 {
			t.Skip()
		}
		var want string
		quoted, err := json.Marshal(token)
		if err != nil || json.Unmarshal(quoted, &want) != nil { // it mends what is not UTF-8
			t.Skip()
		}
		if got, status, _ := ask(t, string(body)); got != want || status != http.StatusOK {
			t.Errorf("%s is read as %q, HTTP %d", body, got, status)
		}
	})
}

// FuzzAnswer checks that the answer has the same bytes as from encoding/json.
func FuzzAnswer(f *testing.F) {
	f.Add("bob", "uid", "people", "arn", "arn:aws:iam::231144931069:user/bob", "because", 3)
	f.Add("<b>&\u2028\xff", "", "\"", "\\", "\x00", "é\x7f", 2)
	f.Add("", "", "", "", "", "", 0)
	f.Fuzz(func(t *testing.T, username, uid, group, key, value, reason string, count int) {
		user := authn.User{Username: username, UID: uid}
		info := authenticationv1.UserInfo{Username: username, UID: uid, Extra: map[string]authenticationv1.ExtraValue{}}
		for n := range max(0, count) % 4 {
			user.Groups = append(user.Groups, fmt.Sprint(group, n))
			extra := authn.Extra{Key: fmt.Sprint(key, n), Value: fmt.Sprint(value, n)}
			user.Extra = append(user.Extra, extra)
			info.Extra[extra.Key] = []string{extra.Value}
		}
		info.Groups = user.Groups
		for _, outcome := range authn.Outcomes() {
			decision := &authn.Decision{Outcome: outcome, User: user, Reason: reason}
			want := authenticationv1.TokenReview{TypeMeta: metav1.TypeMeta{Kind: "TokenReview", APIVersion: "authentication.k8s.io/v1"}}
			switch outcome.Verdict() {
			case authn.Yes:
				want.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: info}
			case authn.No:
				want.Status = authenticationv1.TokenReviewStatus{Error: reason}
			default:
				continue
			}
			h := handler(t, func(context.Context, string) *authn.Decision { return decision })
			got := post(h, "application/json", review("v1", "abc")).Body.String()
			if wanted, err := json.Marshal(want); err != nil || got != string(wanted)+"\n" {
				t.Errorf("%s: answered\n%swant\n%s", outcome, got, wanted)
			}
		}
	})
}
