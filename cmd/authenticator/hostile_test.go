package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/encode"
	"github.com/kube-iam/authenticator/internal/explain"
)

// hostile would start a line of its own with FORGED, change the colour and the title of the
// terminal, erase what it shows and turn the direction of the text.
const hostile = "x\r\nFORGED\x1b[31m\x1b]0;t\a\x1b[2J\u009b31m\u202eRTL\u2066\u2028FORGED\u2029FORGED\u0085FORGED\vFORGED\fFORGED\x00\x7f\u200b\U000E0041"

// isHarmless reports a character that can control a terminal, and a line that hostile
// starts.
func isHarmless(t *testing.T, printed string) {
	t.Helper()
	if !utf8.ValidString(printed) {
		t.Errorf("not UTF-8: %q", printed)
	}
	for line := range strings.Lines(printed) {
		line = strings.TrimSuffix(line, "\n")
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }); i >= 0 {
			t.Errorf("%q reaches the terminal, in %q", line[i:min(len(line), i+4)], line)
		}
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			t.Errorf("a forged line, in %q", printed)
		}
	}
}

// hostileOutput runs a command, and returns all that it prints, with its error.
func hostileOutput(ctx context.Context, stdin string, args ...string) (stdout, stderr string) {
	var out, errs bytes.Buffer
	err := run(ctx, args, nil, cli.Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	if err != nil {
		cli.Report(&errs, "authenticator", err, false)
	}
	return out.String(), errs.String()
}

// hostileEntries are denials with hostile and long texts in every field.
func hostileEntries() decisions.List {
	var list decisions.List
	long := hostile + strings.Repeat("A", 20_000) + hostile
	for i, text := range []string{hostile, long} {
		at := time.Date(2026, 11, 30, 0, 0, i, 0, time.UTC)
		claim := &decisions.Claim{AccessKeyID: text, Region: text, Host: text}
		rule := decisions.Rule{Source: text, Section: text, Line: 3}
		for _, outcome := range append(authn.Outcomes(), authn.Outcome(text)) {
			list = append(list,
				decisions.Entry{ID: text, Time: at, Cluster: text, Outcome: outcome, Unverified: claim, Error: text + "SignatureDoesNotMatch"},
				decisions.Entry{ID: text, Time: at, Cluster: text, Outcome: outcome, ARN: text, CanonicalARN: text, AccessKeyID: text, Username: text, Groups: []string{text}, Rule: rule, Error: text})
		}
	}
	return list
}

// TestHostileDecisions checks that no text of a decision controls the terminal: callers
// choose their session names and what their tokens claim.
func TestHostileDecisions(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "authenticator.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entries := hostileEntries()
		if r.FormValue("limit") == "1" {
			entries = entries[:1]
		}
		if r.FormValue("watch") == "" {
			text, _ := encode.JSONLine(map[string]any{"decisions": entries})
			_, _ = w.Write(text)
			return
		}
		for _, e := range entries {
			text, _ := encode.JSONLine(map[string]any{"decision": e})
			_, _ = w.Write(text)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	for _, output := range []string{"table", "wide", "json", "yaml"} {
		for name, args := range map[string][]string{"all": nil, "one": {"--last"}, "by ID": {"AAAAAAAA"}, "watch": {"--watch"}, "by hostile ID": {hostile}, "by hostile ARN": {"--arn", hostile}} {
			t.Run(output+"/"+name, func(t *testing.T) {
				stdout, stderr := hostileOutput(t.Context(), "", append([]string{"why", "--state-dir", dir, "--output", output}, args...)...)
				if !strings.Contains(stdout, "FORGED") {
					t.Errorf("nothing is printed: %s", stderr)
				}
				isHarmless(t, stdout)
				isHarmless(t, stderr)
				if rows := len(hostileEntries()) + 1; output == "table" && name == "all" && strings.Count(stdout, "\n") != rows {
					t.Errorf("%d lines, want %d", strings.Count(stdout, "\n"), rows)
				}
			})
		}
	}
}

// hostileFiles are files that somebody else wrote.
func hostileFiles() map[string]string {
	quoted := "\"" + strings.NewReplacer("\r", `\r`, "\n", `\n`, "\x1b", `\e`, "\a", `\a`, "\u009b", `\x9b`, "\u202e", `\u202e`, "\u2066", `\u2066`, "\u2028", `\L`,
		"\u2029", `\P`, "\u0085", `\N`, "\v", `\v`, "\f", `\f`, "\x00", `\0`, "\x7f", `\x7f`, "\u200b", `\u200b`, "\U000E0041", `\U000E0041`).Replace(hostile)
	in := func(prefix string) string { return `"` + prefix + quoted[1:] + `"` }
	entry := func(arn, rest string) string { return "- userarn: " + arn + "\n" + rest }
	bob := "arn:aws:iam::111122223333:user/"
	entries := entry(bob+"bob", "  username: "+in("")+"\n  groups: ["+in("")+", g]\n  "+in("")+": x\n") +
		entry(in(bob), "  username: x\n") + entry(bob+"carol", "  username: "+in("{{")+"\n") + entry(bob+"dave", "  username: ["+in("")+"]\n") +
		entry(bob+"erin", "  username: x\n  groups: "+in("")+"\n") + entry(bob+"bobb", "  username: "+in("{{a}}")+"\n") +
		"- " + in("") + "\n- " + in("arn:") + "\n" + entry("arn:aws:iam::111122223333:group/x", "  username: x\n  groups: [{rolearn: "+in("")+"}]\n")
	files := map[string]string{
		"mappings":     "mapUsers:\n" + entries + "mapRoles:\n- rolearn: " + in("arn:aws:iam::111122223333:role/") + "\n- sso: {permissionSetName: " + in("") + ", accountID: " + in("") + "}\n- {userarn: " + in("") + "}\nmapAccounts: [" + in("") + ", '111122223333']\n",
		"manifest":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + in("") + ", namespace: " + in("") + "}\ndata:\n  mapUsers: |\n" + indented(entries, "    ") + "  " + in("") + ": x\n  mapUser: x\n",
		"broken":       "mapUsers:\n" + entry(bob+"bob", "  username: 'a\u202eb\n"),
		"broken text":  "mapUsers: |\n  - userarn: " + bob + "bob\n    username: \u202e'a: b: c\n    \u202eFORGED: [\n",
		"control":      "mapUsers:\n" + entry(bob+"bob", "  username: \x1b[31m\n"),
		"no UTF-8":     "mapUsers:\n" + entry(bob+"bob", "  username: \xff\xfe\n"),
		"kind":         "kind: " + in("") + "\ndata: {}\n",
		"list":         "kind: " + in("")[:len(in(""))-1] + "List\"\n",
		"config twice": "clusterID: c\nserver:\n  " + in("") + ": 1\n  " + in("") + ": 2\n",
		"dotted":       "clusterID: c\nserver:\n  " + in("a.") + ": 1\n",
		"clusters":     "clusters:\n- id: c\n  " + in("") + ": 1\n",
		"text":         in(""),
		"empty":        "",
		"dynamic file": `{"mapUsers": [{"userarn": "` + bob + `bob", "username": "\r\nFORGED\u001b[31m\u202e", "groups": ["\r\nFORGED\u009b"]}], "Version": ["\r\nFORGED"]}`,
		"objects":      "apiVersion: iamauthenticator.k8s.aws/v1alpha1\nkind: IAMIdentityMapping\nmetadata: {name: " + in("") + "}\nspec: {arn: " + bob + "bob, username: " + in("") + ", groups: [" + in("") + "]}\n",
		"config":       "clusterID: " + in("") + "\nserver:\n  " + in("") + ": 1\n  port: " + in("") + "\n  partition: " + in("") + "\n  mapUsers:\n" + indented(entries, "  "),
		"kubeconfig": "apiVersion: v1\nkind: Config\nclusters: [{name: " + in("") + ", cluster: {server: " + in("") + "}}]\ncontexts: [{name: " + in("") + ", context: {cluster: " + in("") + ", user: " + in("") + "}}]\nusers:\n- name: " + in("") +
			"\n  user:\n    exec: {apiVersion: " + in("") + ", command: " + in("") + ", args: [" + in("-") + "], env: [{name: " + in("") + ", value: " + in("") + "}], interactiveMode: " + in("") + "}\n",
	}
	return files
}

func indented(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}

// TestHostileFiles checks that no text of a file controls the terminal.
func TestHostileFiles(t *testing.T) {
	const bob = "arn:aws:iam::111122223333:user/bob"
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(good, []byte("mapUsers:\n- userarn: "+bob+"\n  username: bob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, content := range hostileFiles() {
		path := filepath.Join(dir, fmt.Sprint(n, ".yaml"))
		if n++; os.WriteFile(path, []byte(content), 0o600) != nil {
			t.Fatal("no file")
		}
		for _, args := range [][]string{
			{"explain", "-f", path, "--arn", bob}, {"explain", "-f", path, "--arn", bob, "-o", "wide"}, {"explain", "-f", path, "--arn", bob, "-o", "json"}, {"explain", "-f", path, "--arn", bob, "-o", "yaml"},
			{"lint", path}, {"lint", "--eks", path}, {"lint", "-o", "json", path}, {"lint", "-o", "sarif", path}, {"lint", "-o", "github", path}, {"lint", path, path},
			{"diff", good, path}, {"diff", path, good}, {"diff", good, path, "-o", "json"}, {"diff", good, path, "-o", "yaml"},
			{"map", "list", "-f", path}, {"map", "list", "-f", path, "-o", "wide"}, {"map", "list", "-f", path, "-o", "json"}, {"map", "list", "-f", path, "-o", "yaml"}, {"map", "list", "-f", path, "-o", "name"},
			{"map", "get", bob, "-f", path}, {"map", "remove", bob, "-f", path, "--dry-run", "--force"}, {"map", "remove", bob, "-f", path},
			{"map", "add", "user", "--userarn", bob, "--username", "x", "-f", path, "--dry-run", "--force"}, {"map", "apply", good, "-f", path, "--dry-run", "--force"}, {"map", "apply", path, "-f", good, "--dry-run", "--force"},
			{"map", "apply", path, "-f", good, "--dry-run", "--force", "-o", "json"},
			{"map", "convert", "--to", "crd", "-f", path}, {"map", "convert", "--to", "access-entries", "-i", "c", "-f", path},
		} {
			t.Run(name+"/"+strings.Join(args, " "), func(t *testing.T) {
				stdout, stderr := hostileOutput(t.Context(), "", args...)
				if stdout+stderr == "" {
					t.Error("nothing is printed")
				}
				isHarmless(t, stdout)
				isHarmless(t, stderr)
			})
		}
	}
}

// TestHostileAPIServer checks that no text of an API server, or of an explanation that
// came through a socket, controls the terminal.
func TestHostileAPIServer(t *testing.T) {
	e := explain.Explanation{
		Result: explain.Mapped, Outcome: authn.Outcome(hostile), ClusterID: hostile, Sentence: hostile, Command: hostile, EKS: []string{hostile},
		Mappings:   explain.Mappings{From: hostile, Because: hostile, Error: hostile, Sources: []explain.Source{{Name: hostile, Place: hostile}, {Place: hostile, Read: true}}},
		Token:      &explain.Token{AccessKeyID: hostile, Region: hostile, Host: hostile, Problem: hostile, Expires: &time.Time{}},
		Principal:  &explain.Principal{ARN: hostile, CanonicalARN: hostile + "x", Note: hostile},
		User:       &explain.User{Username: hostile, Groups: []string{hostile}},
		Rule:       &explain.Rule{Source: hostile, Section: hostile, For: hostile, Reason: hostile},
		Rules:      []explain.Rule{{Source: hostile, Section: hostile, For: hostile, Reason: hostile}},
		NearMisses: []explain.NearMiss{{Rule: explain.Rule{Section: hostile, For: hostile}, Why: hostile}},
		Problems:   []explain.Problem{{Section: hostile, Line: 1, Message: hostile, Effect: hostile, Fix: hostile}},
	}
	for _, result := range []explain.Result{explain.Mapped, explain.NotMapped, explain.Undecided} {
		e.Result = result
		for _, wide := range []bool{false, true} {
			var out bytes.Buffer
			if err := e.Print(&out, wide); err != nil {
				t.Fatal(err)
			}
			isHarmless(t, out.String())
		}
		for _, answer := range []apiServerAnswer{{Username: hostile, Groups: []string{hostile}, ARN: hostile}, {Error: hostile}} {
			var out bytes.Buffer
			if err := (&whoami{Explanation: e, APIServer: answer}).print(&out); err != nil {
				t.Fatal(err)
			}
			isHarmless(t, out.String())
		}
	}
}
