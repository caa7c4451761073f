package token_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/token"
)

const (
	signature    = "5f0e3bd1a7c94c0a3f6b2d8e1a9c7b5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b"
	sessionToken = "IQoJb3JpZ2luX2VjEXAMPLETOKEN%2F%2BA%3D"
)

// signedAt is the time of goodURL.
func signedAt() time.Time { return time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC) }

// goodURL is a presigned URL as the AWS CLI makes it.
func goodURL() string {
	return "https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIATLABCDEFGHIJKLM2%2F20261123%2Feu-west-2%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60" +
		"&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=" + signature
}

// atEndpoint is goodURL of an endpoint, signed for a region.
func atEndpoint(endpoint, region string) string {
	_, query, _ := strings.Cut(goodURL(), "/?")
	return endpoint + "/?" + strings.Replace(query, "eu-west-2", region, 1)
}

func withEndpoint(t testing.TB, endpoint string) token.Hosts {
	t.Helper()
	hosts, err := hostsOf(t, "aws").WithEndpoint(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

func hostsOf(t testing.TB, partition string, regions ...string) token.Hosts {
	t.Helper()
	hosts, err := token.NewHosts(partition, regions...)
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

// replaced is goodURL with one part changed, which must be in it.
func replaced(t testing.TB, old, new string) string {
	t.Helper()
	if strings.Count(goodURL(), old) != 1 {
		t.Fatalf("%q is not in the good URL once", old)
	}
	return strings.Replace(goodURL(), old, new, 1)
}

func TestParse(t *testing.T) {
	bearer := token.Encode(goodURL())
	request, err := token.Parse(bearer, hostsOf(t, "aws"), signedAt())
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]any{
		"String":      {request.String(), bearer},
		"URL":         {request.URL(), goodURL()},
		"Host":        {request.Host(), "sts.eu-west-2.amazonaws.com"},
		"Region":      {request.Region(), "eu-west-2"},
		"AccessKeyID": {request.AccessKeyID(), "AKIATLABCDEFGHIJKLM2"},
		"Time":        {request.Time(), signedAt()},
		"Expires":     {request.Expires(), signedAt().Add(15 * time.Minute)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %v, want %v", what, pair[0], pair[1])
		}
	}
	again, err := token.Parse(bearer, hostsOf(t, "aws"), signedAt())
	if err != nil || again != request {
		t.Errorf("a token parsed twice is two requests (%v)", err)
	}
}

func TestParseAccepts(t *testing.T) {
	for name, url := range map[string]string{
		"a session token":      goodURL() + "&X-Amz-Security-Token=" + sessionToken,
		"parameters reordered": "https://sts.eu-west-2.amazonaws.com/?" + reversed(strings.SplitAfter(goodURL(), "?")[1]),
		"expires 0":            replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=0"),
		"expires 900":          replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=900"),
		"dual stack":           replaced(t, "sts.eu-west-2.amazonaws.com", "sts.eu-west-2.api.aws"),
		"FIPS":                 replaced(t, "sts.eu-west-2.amazonaws.com", "sts-fips.eu-west-2.amazonaws.com"),
		"the global host":      strings.ReplaceAll(replaced(t, "sts.eu-west-2.amazonaws.com", "sts.amazonaws.com"), "eu-west-2", "us-east-1"),
	} {
		t.Run(name, func(t *testing.T) {
			request, err := token.Parse(token.Encode(url), hostsOf(t, "aws"), signedAt())
			if err != nil {
				t.Fatal(err)
			}
			if request.URL() != url {
				t.Errorf("URL = %q", request.URL())
			}
		})
	}
	t.Run("16383 bytes", func(t *testing.T) { // no base64 has 16384
		bearer := longToken(token.MaxLength - 1)
		if len(bearer) != token.MaxLength-1 {
			t.Fatalf("the token has %d bytes", len(bearer))
		}
		if _, err := token.Parse(bearer, hostsOf(t, "aws"), signedAt()); err != nil {
			t.Error(err)
		}
	})
}

// TestEndpoint checks that tokens of the configured endpoint are accepted, as well as
// those of AWS.
func TestEndpoint(t *testing.T) {
	for given, host := range map[string]string{
		"http://127.0.0.1:4566":   "127.0.0.1:4566",
		"http://127.0.0.1:4566/":  "127.0.0.1:4566",
		"http://localhost":        "localhost",
		"http://[::1]:4566":       "[::1]:4566",
		"https://localhost:8443":  "localhost:8443",
		"https://sts.lab.example": "sts.lab.example",
		"https://10.0.0.1":        "10.0.0.1",
	} {
		t.Run(given, func(t *testing.T) {
			hosts := withEndpoint(t, given)
			if want := strings.TrimSuffix(given, "/"); hosts.Endpoint() != want {
				t.Errorf("Endpoint = %q, want %q", hosts.Endpoint(), want)
			}
			for _, region := range []string{"eu-west-2", "us-east-1"} {
				bearer := token.Encode(atEndpoint(strings.TrimSuffix(given, "/"), region))
				request, err := token.Parse(bearer, hosts, signedAt())
				if err != nil {
					t.Fatal(err)
				}
				if request.String() != bearer || request.Host() != host || request.Region() != region || request.AccessKeyID() != "AKIATLABCDEFGHIJKLM2" {
					t.Errorf("%v, URL %q, region %q", request, request.URL(), request.Region())
				}
			}
			if request, err := token.Parse(token.Encode(goodURL()), hosts, signedAt()); err != nil || request.Region() != "eu-west-2" {
				t.Errorf("AWS's own: %v, %v", request, err)
			}
		})
	}
}

// longToken is a good token of n bytes, or of one more where base64 has no such
// length.
func longToken(n int) string {
	url := goodURL() + "&X-Amz-Security-Token=" + strings.Repeat("A", n*3/4-len(goodURL())-64)
	bearer := token.Encode(url)
	for len(bearer) < n {
		url += "A"
		bearer = token.Encode(url)
	}
	return bearer
}

func reversed(query string) string {
	pairs := strings.Split(query, "&")
	for i := range len(pairs) / 2 {
		pairs[i], pairs[len(pairs)-1-i] = pairs[len(pairs)-1-i], pairs[i]
	}
	return strings.Join(pairs, "&")
}

// TestTime walks over both edges of a token's life.
func TestTime(t *testing.T) {
	for offset, want := range map[time.Duration]error{
		-15*time.Minute - time.Second: token.ErrNotYetValid,
		-15 * time.Minute:             nil,
		0:                             nil,
		15 * time.Minute:              nil,
		15*time.Minute + time.Second:  token.ErrExpired,
		365 * 24 * time.Hour:          token.ErrExpired,
		-365 * 24 * time.Hour:         token.ErrNotYetValid,
	} {
		_, err := token.Parse(token.Encode(goodURL()), hostsOf(t, "aws"), signedAt().Add(offset))
		if !errors.Is(err, want) {
			t.Errorf("%s after it was signed: %v, want %v", offset, err, want)
		}
	}
}

// TestPrintingGivesNothingAway prints a request in every way that logs do.
func TestPrintingGivesNothingAway(t *testing.T) {
	url := goodURL() + "&X-Amz-Security-Token=" + sessionToken
	request, err := token.Parse(token.Encode(url), hostsOf(t, "aws"), signedAt())
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("request", "request", request)
	for _, printed := range []string{
		logged.String(), fmt.Sprint(request), fmt.Sprintf("%v %+v %#v %s %q %x %d", request, request, request, request, request, request, request),
		fmt.Sprintf("%v", struct{ R token.Request }{request}), fmt.Errorf("verifying %v", request).Error(),
	} {
		for _, secret := range []string{signature, "EXAMPLETOKEN", base64.RawURLEncoding.EncodeToString([]byte(signature))[:20]} {
			if strings.Contains(printed, secret) {
				t.Errorf("%q gives %q away", printed, secret)
			}
		}
		if !strings.Contains(printed, "AKIATLABCDEFGHIJKLM2") {
			t.Errorf("%q does not say whose token it is", printed)
		}
	}
	if got := fmt.Sprint(token.Request{}); got != "no token" {
		t.Errorf("the zero value prints as %q", got)
	}
}

// FuzzParse checks the promises for every input: no panic, one spelling for each
// request, no part of the token in an error.
func FuzzParse(f *testing.F) {
	f.Add(token.Encode(goodURL()))
	f.Add(token.Encode(goodURL() + "&X-Amz-Security-Token=" + sessionToken))
	f.Add(token.Encode("https://sts.amazonaws.com/?Action=GetCallerIdentity&action=x;b=%zz"))
	f.Add(token.Encode(atEndpoint("http://127.0.0.1:4566", "us-east-1")))
	f.Add("k8s-aws-v1.")
	f.Add("")
	hosts := withEndpoint(f, "http://127.0.0.1:4566")
	f.Fuzz(func(t *testing.T, bearer string) {
		for _, candidate := range []string{bearer, token.Encode(bearer)} {
			request, err := token.Parse(candidate, hosts, signedAt())
			if err == nil && request.String() != candidate {
				t.Errorf("%q parses, and is %q again", candidate, request.String())
			}
			// Whoever sends the request reads the URL as Parse does.
			if u, urlErr := url.Parse(request.URL()); err == nil && (urlErr != nil || u.Host != request.Host() || u.User != nil || u.Path != "/" ||
				!strings.HasPrefix(u.Query().Get("X-Amz-Credential"), request.AccessKeyID()+"/")) {
				t.Errorf("%q is for %q; net/url reads %+v, %v", request.URL(), request.Host(), u, urlErr)
			}
			if err != nil && !isRule(err) {
				t.Errorf("%q: %v is not an error of the package", candidate, err)
			}
			parts, same := token.Inspect(candidate, hosts, signedAt())
			if !errors.Is(same, err) {
				t.Errorf("%q: Inspect returns %v, Parse %v", candidate, same, err)
			}
			if whole := (token.Parts{Host: request.Host(), Region: request.Region(), AccessKeyID: request.AccessKeyID(), Signed: request.Time()}); err == nil && parts != whole {
				t.Errorf("%q: Inspect returns %+v, Parse %+v", candidate, parts, whole)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	hosts := hostsOf(b, "aws")
	for name, text := range map[string]string{
		"key":     goodURL(),
		"session": goodURL() + "&X-Amz-Security-Token=" + strings.Repeat("A", 1000),
	} {
		bearer := token.Encode(text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bearer)))
			for b.Loop() {
				if _, err := token.Parse(bearer, hosts, signedAt()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
