package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kube-iam/authenticator/pkg/token"
)

// cloudCalls is the key of a script's value that counts the calls to sessions.
type cloudCalls struct{}

// sessions serves what starts sessions until the script ends: STS, the portal of IAM
// Identity Center, which accepts the access token "logged-in", and the services from
// which containers and instances get credentials. The session token names the call:
// assume-ROLE, web-ROLE, sso-ROLE, container-AUTHORIZATION or instance-ROLE, and then the caller's own session
// token or key, so that a chain shows. $SESSIONS is its URL.
func sessions(ts *testscript.TestScript, _ bool, _ []string) {
	calls := ts.Value(cloudCalls{}).(*atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		switch {
		case r.URL.Path == "/federation/credentials":
			portal(w, r)
			return
		case r.URL.Path == "/v1/token":
			renewLogin(w, r)
			return
		case r.URL.Path == "/container":
			fmt.Fprintf(w, machineCredentials, "container-"+r.Header.Get("Authorization"))
			return
		case strings.HasPrefix(r.URL.Path, "/latest/"):
			instanceMetadata(w, r)
			return
		}
		switch action := r.FormValue("Action"); action {
		case "AssumeRole":
			issue(w, action, "assume-"+path.Base(r.FormValue("RoleArn"))+"-"+caller(r), r.FormValue("DurationSeconds"))
		case "AssumeRoleWithWebIdentity":
			issue(w, action, "web-"+path.Base(r.FormValue("RoleArn"))+"-"+strings.TrimSpace(r.FormValue("WebIdentityToken")), r.FormValue("DurationSeconds"))
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv("SESSIONS", server.URL)
}

// caller returns the session token of a request, or the access key ID.
func caller(r *http.Request) string {
	if session := r.Header.Get("X-Amz-Security-Token"); session != "" {
		return session
	}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(credential, "/")
	return id
}

func issue(w http.ResponseWriter, action, session, duration string) {
	seconds, err := strconv.Atoi(duration)
	if err != nil {
		seconds = 3600
	}
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(session))
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"+
		"<SessionToken>%[2]s</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>",
		action, escaped.String(), time.Now().Add(time.Duration(seconds)*time.Second).UTC().Format(time.RFC3339))
}

func portal(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Sso_bearer_token") != "logged-in" {
		w.Header().Set("X-Amzn-Errortype", "UnauthorizedException")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"Session token not found or invalid"}`)
		return
	}
	fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"s","sessionToken":"sso-%s","expiration":%d}}`,
		r.FormValue("role_name"), time.Now().Add(time.Hour).UnixMilli())
}

// renewLogin renews the credentials of aws login.
func renewLogin(w http.ResponseWriter, r *http.Request) {
	var asked struct{ RefreshToken string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.RefreshToken != "logged-in" {
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"TOKEN_EXPIRED","message":"the token has expired"}`)
		return
	}
	fmt.Fprint(w, `{"accessToken":{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"s","sessionToken":"login-renewed"},"tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"logged-in"}`)
}

// machineCredentials are what a container or an instance receives, with a session token.
const machineCredentials = `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"s","Token":%q,"Expiration":"2099-01-01T00:00:00Z","LastUpdated":"2026-01-01T00:00:00Z"}`

// instanceMetadata serves version 2 of the instance metadata service of an instance with
// the role "node".
func instanceMetadata(w http.ResponseWriter, r *http.Request) {
	const session, role = "imds-session", "/latest/meta-data/iam/security-credentials/"
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		fmt.Fprint(w, session)
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != session:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == role:
		fmt.Fprint(w, "node")
	case r.URL.Path == role+"node":
		fmt.Fprintf(w, machineCredentials, "instance-node")
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// calls checks how many calls sessions has received: calls COUNT.
func calls(ts *testscript.TestScript, _ bool, args []string) {
	if got := ts.Value(cloudCalls{}).(*atomic.Int64).Load(); strconv.FormatInt(got, 10) != args[0] {
		ts.Fatalf("%d calls, want %s", got, args[0])
	}
}

// signedby checks with which session the token in a file was signed; for a long-term
// key it is the access key ID: signedby FILE SESSION.
func signedby(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.TrimSpace(ts.ReadFile(args[0]))
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, token.Prefix))
	ts.Check(err)
	parsed, err := url.Parse(string(decoded))
	ts.Check(err)
	got := parsed.Query().Get("X-Amz-Security-Token")
	if got == "" {
		got, _, _ = strings.Cut(parsed.Query().Get("X-Amz-Credential"), "/")
	}
	if got != args[1] {
		ts.Fatalf("signed by %s, want %s", got, args[1])
	}
}
