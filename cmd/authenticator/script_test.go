package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/token"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"authenticator": scripted, pluginFile: main, completionFile: main})
}

// scripted is main, but a command that asks a running server finds that of the script, and
// not one that runs on this machine.
func scripted() {
	if len(os.Args) < 2 || !slices.Contains([]string{"explain", "whoami", "why"}, os.Args[1]) {
		main()
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	kube.LogToDefault()
	os.Exit(cli.Main("authenticator", func(ctx context.Context, args []string, env cli.Environment, streams cli.Streams) error {
		root := newRoot(env, streams)
		for _, command := range root.Commands() {
			if flag := command.Flags().Lookup("state-dir"); flag != nil {
				_ = flag.Value.Set(env.Get("WORK") + "/running") // its default
			}
		}
		return execute(ctx, root, args, streams)
	}))
}

func TestScript(t *testing.T) {
	// A process that nohup started ignores SIGHUP, and so would the programs of the scripts.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	clitest.Scripts(t, testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Setenv("AWS_ACCESS_KEY_ID", exampleKey().ID)
			env.Setenv("AWS_SECRET_ACCESS_KEY", exampleKey().Secret)
			env.Setenv("AWS_CONFIG_FILE", env.WorkDir+"/none")
			env.Setenv("AWS_SHARED_CREDENTIALS_FILE", env.WorkDir+"/none")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Values[silentKey{}] = new(silentServer)
			env.Values[cloudCalls{}] = new(atomic.Int64)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"occupy":      occupy,
			"answers":     answers,
			"makecert":    makeCert,
			"connects":    connects,
			"serves":      serves,
			"concat":      concat,
			"awsauth":     awsAuthServer,
			"localaws":    localAWS,
			"makerole":    makeRole,
			"kubeapi":     kubeAPI,
			"mapapi":      mapAPI,
			"fetch":       fetch,
			"presign":     presignToken,
			"mfasts":      mfaSTS,
			"sessions":    sessions,
			"calls":       calls,
			"signedby":    signedby,
			"review":      review,
			"tlssts":      tlsSTS,
			"silent":      silent,
			"contacted":   contacted,
			"hangup":      hangup,
			"logs":        logs,
			"opened":      opened,
			"ended":       ended,
			"holdrequest": holdRequest,
			"stopping":    stopping,
			"documented":  documented,
		},
	}, "PORT", "HEALTH", "METRICS", "OTHER")
}

func TestCommands(t *testing.T) {
	clitest.Commands(t, func() *cobra.Command { return newRoot(nil, cli.Streams{}) })
}

// exampleKey returns the example key of AWS's documentation.
func exampleKey() localaws.AccessKey {
	return localaws.AccessKey{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
}

// localAWS serves a local AWS until the script ends, with the script's key as its
// administrator's; $AWS is its URL, and $ADDRESS the host and port of the URL. The URL is
// that of a proxy too, with the CA in the file aws-ca.pem. Its clock can be ahead of that
// of this machine: localaws [DURATION].
func localAWS(ts *testscript.TestScript, _ bool, args []string) {
	a, err := localaws.New(localaws.Config{AccountID: "231144931069", Administrator: exampleKey()})
	ts.Check(err)
	a.Clock().Advance(duration(ts, args))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, listener, nil) }()
	ts.Defer(func() {
		cancel()
		if err := <-ended; err != nil {
			ts.Logf("the local AWS: %v", err)
		}
	})
	ts.Check(os.WriteFile(ts.MkAbs("aws-ca.pem"), a.CA(), 0o600))
	ts.Setenv("AWS", "http://"+listener.Addr().String())
	ts.Setenv("ADDRESS", listener.Addr().String())
}

// makeRole creates a role in the local AWS that everybody in the account may assume:
// makerole NAME.
func makeRole(ts *testscript.TestScript, _ bool, args []string) {
	client := iam.New(iam.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(ts.Getenv("AWS")),
		Credentials: credentials.NewStaticCredentialsProvider(exampleKey().ID, exampleKey().Secret, ""),
	})
	_, err := client.CreateRole(context.Background(), &iam.CreateRoleInput{RoleName: &args[0], AssumeRolePolicyDocument: aws.String(
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "231144931069"}, "Action": "sts:AssumeRole"}]}`)})
	ts.Check(err)
}

// duration returns the duration in the only argument; 0 if there is none.
func duration(ts *testscript.TestScript, args []string) time.Duration {
	if len(args) == 0 {
		return 0
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	return d
}

// mfaSTS serves an STS until the script ends. AssumeRole requires the MFA code 123456
// of device arn:aws:iam::231144931069:mfa/bob; $STS is its URL.
func mfaSTS(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("SerialNumber") != "arn:aws:iam::231144931069:mfa/bob" || r.FormValue("TokenCode") != "123456" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not without MFA</Message></Error></ErrorResponse>")
			return
		}
		fmt.Fprintf(w, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"+
			"<SessionToken>of%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
			path.Base(r.FormValue("RoleArn")), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	ts.Defer(server.Close)
	ts.Setenv("STS", server.URL)
}

// tlsSTS serves over TLS until the script ends, with a certificate of an unknown CA;
// $STS is its URL.
func tlsSTS(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	ts.Defer(server.Close)
	ts.Setenv("STS", server.URL)
}

// presignToken writes a token as aws-sdk-go-v2 makes it from the script's key for an
// endpoint, on a machine whose clock may be ahead: presign ENDPOINT CLUSTER FILE [AHEAD].
func presignToken(ts *testscript.TestScript, _ bool, args []string) {
	request, err := http.NewRequest(http.MethodGet, args[0]+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", http.NoBody)
	ts.Check(err)
	request.Header.Set(token.ClusterIDHeader, args[1])
	key := aws.Credentials{AccessKeyID: exampleKey().ID, SecretAccessKey: exampleKey().Secret}
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), key, request, emptyHash, "sts", "us-east-1", time.Now().Add(duration(ts, args[3:])))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(token.Encode(signed)), 0o600))
}

// documented writes the first commands below a heading of a page in docs, with this
// server's ports: documented PAGE HEADING FILE.
func documented(ts *testscript.TestScript, _ bool, args []string) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", args[0]))
	ts.Check(err)
	_, section, _ := strings.Cut(string(page), "\n## "+args[1]+"\n")
	_, block, ok := strings.Cut(section, "\n```sh\n")
	if !ok {
		ts.Fatalf("%s has no commands below %q", args[0], args[1])
	}
	commands, _, _ := strings.Cut(block, "```\n")
	commands = strings.NewReplacer(":21362", ":"+ts.Getenv("PORT"), ":21363", ":"+ts.Getenv("HEALTH")).Replace(commands)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(commands), 0o600))
}

// occupy listens on a free port until the script ends, and sets a variable to it.
// It does not take the script's own port: a process that another script is starting
// may still hold the socket that found it.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// review sends a server a TokenReview of the token in a file, and checks the status of the
// answer, and its body if there is a pattern: review URL FILE STATUS [PATTERN].
func review(ts *testscript.TestScript, _ bool, args []string) {
	body := fmt.Sprintf(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":%q}}`, ts.ReadFile(args[1]))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	answer, err := client.Post(args[0], "application/json", strings.NewReader(body))
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if pattern := regexp.MustCompile(strings.Join(args[3:], "")); !strings.HasPrefix(answer.Status, args[2]) || !pattern.Match(text) {
		ts.Fatalf("%s responds %s %s, want %s", args[0], answer.Status, text, strings.Join(args[2:], " with "))
	}
}

// answers waits until a URL responds with a status, and with a body that matches a
// pattern if one is given: answers URL STATUS [PATTERN].
func answers(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(strings.Join(args[2:], ""))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	last := "nothing"
	await(ts, patience, func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
		ts.Check(err)
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		last = answer.Status
		return err == nil && strings.HasPrefix(last, args[1]) && pattern.Match(body)
	}, func() { ts.Fatalf("%s responds %s, want %s", args[0], last, strings.Join(args[1:], " with ")) })
}

// patience is how long a script waits for something: a slow and busy machine needs
// seconds to start a program.
const patience = time.Minute

// await calls ask until it returns true, or calls fail when the time is up.
func await(ts *testscript.TestScript, atMost time.Duration, ask func(context.Context) bool, fail func()) {
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ask(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			fail()
		}
	}
}
