package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/unixsocket"
)

// controlSocket is the socket on which a running lab can be asked to restart a part. Only
// its user can connect to it.
const controlSocket = "lab.sock"

// restartPath is the path of the request, with a parameter "part" for each part.
const restartPath = "/restart"

// maxAnswer bounds what a client reads of an error.
const maxAnswer = 64 << 10

// A control serves a running lab's socket.
type control struct {
	server *http.Server
	// end cancels the requests.
	end context.CancelFunc
	// served is closed once the server has ended.
	served chan struct{}
}

// serveControl starts to serve the socket. A lab whose directory has too long a path for
// one does without.
func (l *Lab) serveControl() {
	listener, err := unixsocket.Listen(l.path(controlSocket))
	if err != nil {
		l.progress("lab restart does not work for this lab: %v", err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+restartPath, func(w http.ResponseWriter, r *http.Request) {
		if err := l.Restart(r.Context(), r.URL.Query()["part"]...); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	serving, end := context.WithCancel(context.Background())
	l.control = &control{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return serving }},
		end:    end, served: make(chan struct{}),
	}
	go l.control.serve(listener)
}

func (c *control) serve(listener net.Listener) {
	defer close(c.served)
	_ = c.server.Serve(listener) // it ends with the lab
}

// stop ends the server, and tells the restart that is under way to end.
func (c *control) stop() error {
	c.end()
	err := c.server.Close()
	<-c.served
	return err
}

// Restart restarts parts of the lab's cluster, and starts those that have ended. Without
// parts, it restarts all. Their data stays.
func (l *Lab) Restart(ctx context.Context, parts ...string) error {
	var known []string
	for _, part := range l.info.Parts {
		known = append(known, part.Name)
	}
	if len(parts) == 0 {
		parts = known
	}
	for _, part := range parts {
		if !slices.Contains(known, part) {
			return fmt.Errorf("restarting %s: the lab has no such part (it has %s)", part, strings.Join(known, ", "))
		}
	}
	l.restarting.Lock()
	defer l.restarting.Unlock()
	if ctx.Err() != nil { // perhaps the lab has ended meanwhile
		return context.Cause(ctx)
	}
	l.progress("restarting %s", strings.Join(parts, ", "))
	if err := l.cluster.Restart(ctx, parts...); err != nil {
		l.progress("restarting %s: %v", strings.Join(parts, ", "), err)
		return err
	}
	return nil
}

// RestartIn asks the lab that runs in dir to restart parts, as [Lab.Restart] does.
func RestartIn(ctx context.Context, dir string, parts ...string) error {
	if _, err := Status(dir); err != nil { // of a directory that others can write to, nothing is used
		return err
	}
	client := unixsocket.NewClient(filepath.Join(dir, controlSocket))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, unixsocket.URL+restartPath+"?"+url.Values{"part": parts}.Encode(), nil)
	if err != nil {
		return fmt.Errorf("asking the lab in %s: %w", dir, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the lab in %s: %w", dir, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("asking the lab in %s: %w", dir, err)
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}
