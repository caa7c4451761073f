package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestEventsAreFollowed checks that events --follow prints new events until the
// server ends.
func TestEventsAreFollowed(t *testing.T) {
	ports, release, err := freeport.Reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	address, dir := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	logs, log := io.Pipe()
	served := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"serve", "--listen", address, "--state-dir", dir}, nil, cli.Streams{Out: io.Discard, Err: log})
		served <- errors.Join(err, log.Close())
	}()
	says(t, logs, "serving account")
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	call := func(action string) {
		t.Helper()
		answer, err := client.Post("http://"+address+"/?Action="+action, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	call("One%1b[31m")
	events, out := io.Pipe()
	followed := make(chan error, 1)
	go func() {
		err := run(t.Context(), []string{"events", "--follow", "--listen", address, "--state-dir", dir}, nil, cli.Streams{Out: out, Err: io.Discard})
		followed <- errors.Join(err, out.Close())
	}()
	lines := bufio.NewScanner(events)
	for _, want := range []string{"TIME", "unknown:", "unknown:"} {
		if !lines.Scan() || !strings.Contains(lines.Text(), want) || strings.Contains(lines.Text(), "\x1b") {
			t.Fatalf("%q, want %q; %v", lines.Text(), want, lines.Err())
		}
		call("Two")
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := io.Copy(io.Discard, events); err != nil {
		t.Error(err)
	}
	if err := <-followed; err != nil {
		t.Errorf("events: %v", err)
	}
}

// says waits for a line in a log, then discards the rest.
func says(t *testing.T, log io.Reader, want string) {
	t.Helper()
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return
		}
	}
	t.Fatalf("the log ended without %q", want)
}

func TestWho(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:user/bob"
	for _, test := range []struct {
		caller    localaws.UserIdentity
		one, many string
	}{
		{localaws.UserIdentity{Type: "IAMUser", ARN: arn, AccountID: "111122223333", UserName: "bob"}, "user/bob", "111122223333:user/bob"},
		{localaws.UserIdentity{Type: "WebIdentityUser", UserName: "user/bob"}, "web-identity/user/bob", "web-identity/user/bob"},
		{localaws.UserIdentity{Type: "AWSAccount", AccountID: "111122223333"}, "account 111122223333", "account 111122223333"},
		{localaws.UserIdentity{Type: "Unknown", AccessKeyID: "AKIA"}, "unknown", "unknown"},
	} {
		if one, many := who(test.caller, false), who(test.caller, true); one != test.one || many != test.many {
			t.Errorf("%+v: %q and %q", test.caller, one, many)
		}
	}
}

// TestHostileEvents checks that no text of an event controls the terminal: callers choose
// their user agents, and what they ask for.
func TestHostileEvents(t *testing.T) {
	const hostile = "x\\r\\nFORGED\\u001b[31m\u009b31m\u007f\u202eRTL\u2028FORGED"
	event := fmt.Sprintf(`{"eventSource":"%[1]s","eventName":"%[1]s","userAgent":"%[1]s","sourceIPAddress":"%[1]s","errorCode":"%[1]s","errorMessage":"%[1]s","userIdentity":{"arn":"a:a:a:a:a:%[1]s","accessKeyId":"%[1]s"}}`, hostile)
	for format, print := range printers(true) {
		var out strings.Builder
		if err := print(&out, strings.NewReader(event+"\n"+event+"\n")); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(out.String(), "\n")
		isHidden := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }
		if strings.ContainsFunc(out.String(), isHidden) || !strings.Contains(out.String(), "FORGED") || lines > 3 {
			t.Errorf("%s: %q", format, out.String())
		}
	}
}
