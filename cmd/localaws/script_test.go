package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"localaws": main})
}

func TestScript(t *testing.T) {
	t.Parallel()
	clitest.Scripts(t, testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":    ready,
			"call":     callIdentity,
			"byname":   callByName,
			"metadata": askMetadata,
			"private": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if info.Mode() != 0o600 {
					ts.Fatalf("%s has mode %v", args[0], info.Mode())
				}
			},
		},
	}, "PORT", "TLS", "METADATA", "RELAY", "RELAY2", "SPARE")
}

func TestCommands(t *testing.T) {
	clitest.Commands(t, func() *cobra.Command { return newRoot(nil) })
}

// ready waits until a local AWS serves a port.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(ts, func() error {
		answer, err := client.Get("http://127.0.0.1:" + args[0] + "/_localaws/health")
		if err != nil {
			return fmt.Errorf("no local AWS: %w", err)
		}
		return answer.Body.Close()
	})
}

// patience is how long a test waits for something: a slow and busy machine needs
// seconds to start a program.
const patience = time.Minute

// eventually retries until the call succeeds.
func eventually(ts *testscript.TestScript, try func() error) {
	limit := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			ts.Check(err)
		}
	}
}

// callIdentity calls GetCallerIdentity as the administrator.
func callIdentity(ts *testscript.TestScript, fails bool, args []string) {
	client := administrator(ts, &http.Transport{}, aws.String("http://127.0.0.1:"+ts.Getenv("PORT")))
	who, err := client.GetCallerIdentity(context.Background(), nil)
	switch {
	case err == nil && fails:
		ts.Fatalf("the call as %s succeeded", *who.Arn)
	case err != nil && !fails:
		ts.Check(err)
	case err != nil && len(args) > 0 && !strings.Contains(err.Error(), args[0]):
		ts.Fatalf("%v, want %q", err, args[0])
	}
}

// callByName calls AWS by its own hostname as the administrator, with every name
// resolved to a port on loopback.
func callByName(ts *testscript.TestScript, _ bool, args []string) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ts.ReadFile(files(ts).CA())))
	client := administrator(ts, &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+args[0])
		},
		TLSClientConfig: &tls.Config{RootCAs: pool},
	}, nil)
	eventually(ts, func() error {
		_, err := client.GetCallerIdentity(context.Background(), nil)
		return err
	})
}

// administrator returns a client with the administrator's key.
func administrator(ts *testscript.TestScript, transport *http.Transport, endpoint *string) *sts.Client {
	key, err := files(ts).Administrator()
	ts.Check(err)
	transport.DisableKeepAlives = true
	return sts.New(sts.Options{
		Region: "eu-west-2", BaseEndpoint: endpoint, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		HTTPClient:  &http.Client{Timeout: patience, Transport: transport},
	})
}

func files(ts *testscript.TestScript) localaws.Files {
	return localaws.Files{Dir: filepath.Join(ts.Getenv("XDG_CACHE_HOME"), "localaws", "127.0.0.1_"+ts.Getenv("PORT"))}
}

// askMetadata checks the instance ID that the metadata service on a port returns.
func askMetadata(ts *testscript.TestScript, _ bool, args []string) {
	client := imds.New(imds.Options{
		Endpoint: "http://127.0.0.1:" + args[0], ClientEnableState: imds.ClientEnabled, Retryer: aws.NopRetryer{},
		HTTPClient: &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}},
	})
	eventually(ts, func() error {
		document, err := client.GetInstanceIdentityDocument(context.Background(), nil)
		if err == nil && document.InstanceID != args[1] {
			ts.Fatalf("the instance is %s, want %s", document.InstanceID, args[1])
		}
		return err
	})
}
