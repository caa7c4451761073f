package main

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"localaws": main})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("PORT", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			return listener.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready,
			"stop": func(ts *testscript.TestScript, _ bool, _ []string) {
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
