//go:build e2e

// Package clients tests which unmodified AWS clients work against a local AWS alone,
// and with which configuration. These tests verify the table in docs/localaws.md.
package clients

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// goClient in the environment makes this program the client of aws-sdk-go-v2.
const goClient = "LOCALAWS_GO_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(goClient) == "" {
		if os.Getenv("PROVIDER") == "kind" {
			fmt.Println("PROVIDER=envtest runs it: it needs no cluster")
			return
		}
		os.Exit(m.Run())
	}
	made := callAll
	if os.Args[1] == "--calls" {
		made = func(ctx context.Context, _ []string, out io.Writer) error { return callEach(ctx, os.Stdin, out) }
	}
	if err := made(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The ways to direct a client to a local AWS.
const (
	byProxy    = iota // HTTPS_PROXY and AWS_CA_BUNDLE, as in `localaws env`
	byVariable        // AWS_ENDPOINT_URL
	byOption          // --endpoint-url, or the library's equivalent
	ways
)

// The outcome for a client, and the identity of its tokens.
const (
	works         = "works"
	ignored       = "ignored: it calls AWS"
	namesAWS      = "AWS"
	namesEndpoint = "the endpoint"
)

// A client is an unmodified program on this machine.
type client struct {
	// name in docs/localaws.md, and the prefix of the client's version.
	name, version string
	// programs are its candidates; the script is an interpreter's first argument.
	programs []string
	script   []string
	// node says that the script is that of the AWS SDK for JavaScript.
	node  bool
	calls func(user string, option ...string) [][]string
	// outcome of each way.
	outcome [ways]string
	// token is the host in the tokens of `aws eks get-token`, for each way; empty
	// for a client that makes none.
	token [ways]string
}

func clients(t *testing.T) []client {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	clis := []string{"/usr/bin/aws", "aws"}
	return []client{
		{
			name: "AWS CLI 2.9.19", version: "aws-cli/2.9.19", programs: clis, calls: cliCalls,
			outcome: [ways]string{works, ignored, works}, token: [ways]string{namesAWS, namesAWS, namesAWS},
		},
		{
			name: "AWS CLI 1.45.11", version: "aws-cli/1.45.11", programs: clis, calls: cliCalls,
			outcome: [ways]string{works, works, works}, token: [ways]string{namesAWS, namesEndpoint, namesAWS},
		},
		{
			name: "boto3 1.26.27", version: "boto3/1.26.27", programs: []string{"/usr/bin/python3"}, script: []string{"testdata/calls.py"}, calls: programCalls,
			outcome: [ways]string{works, ignored, works},
		},
		{
			name: "aws-sdk-go-v2", version: "aws-sdk-go-v2/", programs: []string{self}, calls: programCalls,
			outcome: [ways]string{works, works, works},
		},
		{
			name: "AWS SDK for JavaScript v3", version: "aws-sdk-js/3.", programs: []string{nodeProgram()}, node: true, calls: programCalls,
			outcome: [ways]string{ignored, works, works},
		},
	}
}

// cliCalls are the calls as typed.
func cliCalls(user string, option ...string) [][]string {
	calls := [][]string{
		{"sts", "get-caller-identity"},
		{"iam", "create-user", "--user-name", user},
		{"eks", "list-clusters"},
		{"ec2", "describe-instances"},
	}
	for i, call := range calls {
		for _, url := range option {
			calls[i] = append(call, "--endpoint-url", url)
		}
	}
	return calls
}

// programCalls is one run of a program that makes the same calls.
func programCalls(user string, option ...string) [][]string {
	return [][]string{append([]string{user}, option...)}
}

// find returns the client's program; it skips the test if there is none.
func (c *client) find(t *testing.T) string {
	t.Helper()
	if c.node {
		c.script = []string{filepath.Join(nodeDir(t), nodeScript)}
	}
	for _, program := range c.programs {
		command := exec.Command(program, append(slices.Clone(c.script), "--version")...)
		command.Env = append(os.Environ(), goClient+"=1")
		if output, err := command.Output(); err == nil && strings.HasPrefix(string(output), c.version) {
			return program
		}
	}
	t.Skipf("%s is not on this machine", c.name)
	return ""
}

func TestClients(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "localaws.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clients(t) {
		t.Run(c.name, func(t *testing.T) {
			row := fmt.Sprintf("| %s | %s | %s | %s |", c.name, c.outcome[byProxy], c.outcome[byVariable], c.outcome[byOption])
			if !strings.Contains(string(document), row) {
				t.Errorf("docs/localaws.md lacks the row\n%s", row)
			}
			program := c.find(t)
			for way, name := range []string{"HTTPS_PROXY", "AWS_ENDPOINT_URL", "endpoint-url"} {
				t.Run(name, func(t *testing.T) {
					l := start(t, way)
					l.call(c, program)
					if c.token[way] != "" {
						l.getToken(c, program)
					}
				})
			}
		})
	}
}

// A led client has an environment, and perhaps an option, that direct it to a local
// AWS. Where that does not use a proxy, a proxy blocks the way to the real AWS.
type led struct {
	t           *testing.T
	way         int
	server      *localawstest.Server
	environment []string
	url         string
	option      []string

	mu     sync.Mutex
	strays []string // AWS hosts that the client called
}

// start starts a local AWS and returns a client that uses it.
func start(t *testing.T, way int) *led {
	t.Helper()
	server := localawstest.Start(t, localaws.Config{
		AccountID: "231144931069", Region: "eu-west-2",
		Instances: []localaws.Instance{{ID: "i-0123456789abcdef0", PrivateDNSName: "ip-10-0-1-23.eu-west-2.compute.internal"}},
	})
	l := &led{t: t, way: way, server: server, url: server.URL()}
	l.environment = server.Environment()
	if way != byProxy {
		guard := httptest.NewServer(http.HandlerFunc(l.stray))
		t.Cleanup(guard.Close)
		l.environment = slices.DeleteFunc(l.environment, func(variable string) bool { return strings.HasPrefix(variable, "AWS_CA_BUNDLE=") })
		l.environment = append(l.environment, "HTTPS_PROXY="+guard.URL, "https_proxy="+guard.URL)
	}
	switch way {
	case byVariable:
		l.environment = append(l.environment, "AWS_ENDPOINT_URL="+l.url)
	case byOption:
		l.option = []string{l.url}
	}
	l.environment = append(l.environment, goClient+"=1", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "HOME="+t.TempDir())
	return l
}

// stray records the hosts that a client called besides the local AWS.
func (l *led) stray(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strays = append(l.strays, r.Host)
	http.Error(w, "no way to AWS", http.StatusForbidden)
}

func (l *led) strayed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.strays)
}

func (l *led) run(c client, program string, arguments ...string) (string, error) {
	return l.runWith("", c, program, arguments...)
}

// runWith runs a client with a text as its standard input.
func (l *led) runWith(input string, c client, program string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, append(slices.Clone(c.script), arguments...)...)
	command.Env = l.environment
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(arguments, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// call makes the client's calls. They succeed, or they go to AWS.
func (l *led) call(c client, program string) {
	l.t.Helper()
	calls := c.calls("kubedemy", l.option...)
	if c.outcome[l.way] == ignored {
		_, err := l.run(c, program, calls[0]...)
		strays := l.strayed()
		called := err != nil && strings.Contains(err.Error(), "called sts.eu-west-2.amazonaws.com") // by a client that ignores the guard, too
		if err == nil || !called && (len(strays) == 0 || !strings.HasSuffix(strays[0], "amazonaws.com:443")) {
			l.t.Errorf("%s called %q (%v), want AWS", calls[0], strays, err)
		}
		return
	}
	var output strings.Builder
	for _, call := range calls {
		said, err := l.run(c, program, call...)
		if err != nil {
			l.t.Error(err)
		}
		output.WriteString(said)
	}
	for _, want := range []string{"arn:aws:iam::231144931069:user/administrator", "arn:aws:iam::231144931069:user/kubedemy", "[]", "i-0123456789abcdef0"} {
		if !strings.Contains(output.String(), want) {
			l.t.Errorf("nothing says %q: %s", want, output.String())
		}
	}
	if strays := l.strayed(); strays != nil {
		l.t.Errorf("it called %q", strays)
	}
}

// getToken checks the host in the token that the client makes.
func (l *led) getToken(c client, program string) {
	l.t.Helper()
	arguments := []string{"eks", "get-token", "--cluster-name", "kubedemy"}
	for _, url := range l.option {
		arguments = append(arguments, "--endpoint-url", url)
	}
	output, err := l.run(c, program, arguments...)
	if err != nil {
		l.t.Fatal(err)
	}
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal([]byte(output), &credential); err != nil {
		l.t.Fatal(err)
	}
	signed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(credential.Status.Token, "k8s-aws-v1."))
	if err != nil {
		l.t.Fatal(err)
	}
	want := "https://sts.eu-west-2.amazonaws.com/?"
	if c.token[l.way] == namesEndpoint {
		want = l.url + "/?"
	}
	if !strings.HasPrefix(string(signed), want) {
		l.t.Errorf("the token names another endpoint than %s", want)
	}
}
