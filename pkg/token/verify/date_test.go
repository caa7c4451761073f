package verify_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestDate checks that the time of STS is taken from its answers, but not from those of
// something in its place.
func TestDate(t *testing.T) {
	date := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
	refusal := `{"Error":{"Code":"SignatureDoesNotMatch"}}`
	for name, test := range map[string]struct {
		status     int
		date, body string
		want       time.Time
	}{
		"an identity":        {200, date.Format(http.TimeFormat), jsonAnswer, date},
		"a refusal":          {403, date.Format(http.TimeFormat), refusal, date},
		"throttling":         {400, date.Format(http.TimeFormat), `{"Error":{"Code":"Throttling"}}`, date},
		"a page of a proxy":  {403, date.Format(http.TimeFormat), "<html>", time.Time{}},
		"a failure":          {500, date.Format(http.TimeFormat), "", time.Time{}},
		"a date that is not": {403, "yesterday", refusal, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			transport := sts(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", test.date)
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			var observed verify.Observation
			_, err := verifier(t, transport, func(o verify.Observation) { observed = o }).Verify(t.Context(), "kubedemy", request(t))
			if !observed.Date.Equal(test.want) {
				t.Errorf("observed %s, want %s", observed.Date, test.want)
			}
			if refused, ok := errors.AsType[*verify.RefusedError](err); ok && !refused.Date.Equal(test.want) {
				t.Errorf("refused at %s, want %s", refused.Date, test.want)
			}
		})
	}
}

// TestAskForDate checks that STS can be asked for its time without a token.
func TestAskForDate(t *testing.T) {
	var date string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked %s with %v", r.RequestURI, r.Header)
		}
		w.Header()["Date"] = []string{date}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	v := verifier(t, server.Client().Transport, nil)
	first := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
	for _, want := range []time.Time{first, first, first.Add(time.Second), first} {
		date = want.Format(http.TimeFormat)
		if got, err := v.Date(t.Context(), server.URL); err != nil || !got.Equal(want) {
			t.Errorf("%s, %v, want %s", got, err, date)
		}
	}
	date = "soon"
	if _, err := v.Date(t.Context(), server.URL); err == nil || err.Error() != "asking STS for its time: the answer has no date" {
		t.Errorf("without a date: %v", err)
	}
	server.Close()
	if _, err := v.Date(t.Context(), server.URL); err == nil || !strings.HasPrefix(err.Error(), "asking STS for its time: ") {
		t.Errorf("without a server: %v", err)
	}
}
