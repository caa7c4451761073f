package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"authenticator": main})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"PORT", "HEALTH"} {
				port, err := freePort()
				if err != nil {
					return err
				}
				env.Setenv(name, strconv.Itoa(port))
			}
			// The credentials are AWS's own example.
			env.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
			env.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
			env.Setenv("AWS_CONFIG_FILE", env.WorkDir+"/none")
			env.Setenv("AWS_SHARED_CREDENTIALS_FILE", env.WorkDir+"/none")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"occupy":  occupy,
			"answers": answers,
			"stop":    stop,
		},
	})
}

// stop sends SIGTERM to what runs in the background, as a supervisor does.
func stop(ts *testscript.TestScript, _ bool, _ []string) {
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(syscall.SIGTERM))
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// occupy listens on a port until the script ends.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", args[0]))
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
}

// answers waits until a URL answers with a status.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := "nothing"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
		ts.Check(err)
		if answer, err := client.Do(request); err == nil {
			_ = answer.Body.Close()
			if last = answer.Status; strings.HasPrefix(last, args[1]) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("%s answers %s, want %s", args[0], last, args[1])
		}
	}
}
