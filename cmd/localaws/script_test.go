package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"localaws": main})
}

func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("PORT", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each program ends a second later
			return listener.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready,
			"call":  callIdentity,
			"private": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if info.Mode() != 0o600 {
					ts.Fatalf("%s has mode %v", args[0], info.Mode())
				}
			},
			"terminate": func(ts *testscript.TestScript, _ bool, _ []string) {
				for _, command := range ts.BackgroundCmds() {
					ts.Check(command.Process.Signal(syscall.SIGTERM))
				}
			},
		},
	})
}

// ready waits until a local AWS answers on a port.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := client.Get("http://127.0.0.1:" + args[0] + "/_localaws/health")
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			ts.Check(errors.Join(errors.New("no local AWS"), err))
		}
	}
}

// callIdentity has the administrator ask who it is.
func callIdentity(ts *testscript.TestScript, fails bool, args []string) {
	files := localaws.Files{Dir: filepath.Join(ts.Getenv("XDG_CACHE_HOME"), "localaws", "127.0.0.1_"+ts.Getenv("PORT"))}
	key, err := files.Administrator()
	ts.Check(err)
	client := sts.New(sts.Options{
		Region: "eu-west-2", BaseEndpoint: aws.String("http://127.0.0.1:" + ts.Getenv("PORT")), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		HTTPClient:  &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	})
	who, err := client.GetCallerIdentity(context.Background(), nil)
	switch {
	case err == nil && fails:
		ts.Fatalf("%s is answered", *who.Arn)
	case err != nil && !fails:
		ts.Check(err)
	case err != nil && len(args) > 0 && !strings.Contains(err.Error(), args[0]):
		ts.Fatalf("%v, want %q", err, args[0])
	}
}
