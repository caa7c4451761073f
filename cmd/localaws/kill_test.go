package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

const (
	kills   = 200
	clients = 4
)

// TestNoAcknowledgedWriteIsLost kills a server again and again while clients
// create users, and checks that every acknowledged user exists. The kill comes a
// random time after some acknowledgements, or while the server starts.
func TestNoAcknowledgedWriteIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Parallel()
	dir, program := t.TempDir(), clitest.Build(t)
	random := rand.New(rand.NewPCG(1, 2))
	var acknowledged []string
	begun := 0
	for range kills {
		server := startServer(t, dir, program)
		if random.IntN(10) == 0 { // while it starts, or has just started
			time.Sleep(time.Duration(random.IntN(int(50 * time.Millisecond)))) // no event reports its progress
			server.kill(t)
			continue
		}
		server.ready(t)
		acknowledged = append(acknowledged, server.load(t, &begun, 1+random.IntN(8), time.Duration(random.IntN(int(5*time.Millisecond))))...)
	}
	server := startServer(t, dir, program)
	server.ready(t)
	server.holds(t, acknowledged)
	server.kill(t)
	t.Logf("%d of %d creations were acknowledged", len(acknowledged), begun)
	if len(acknowledged) < kills {
		t.Errorf("only %d creations were acknowledged", len(acknowledged))
	}
}

type killedServer struct {
	process *exec.Cmd
	output  *serverOutput
	ended   chan struct{}
	place
	client *iam.Client
}

// serverOutput keeps the server's output and sends its address to serving.
type serverOutput struct {
	text    bytes.Buffer
	serving chan string
}

func (o *serverOutput) String() string { return o.text.String() }

var servingOn = regexp.MustCompile(`serving account .* on (127\.0\.0\.1:\d+);`)

func (o *serverOutput) Write(text []byte) (int, error) {
	if found := servingOn.FindSubmatch(text); found != nil {
		o.serving <- string(found[1])
	}
	return o.text.Write(text)
}

// startServer starts the program with its state in a directory.
func startServer(t *testing.T, dir, program string) *killedServer {
	t.Helper()
	s := &killedServer{output: &serverOutput{serving: make(chan string, 1)}, ended: make(chan struct{}), place: place{stateDir: dir}}
	s.process = exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--state-dir", dir, "--state", filepath.Join(dir, "state.json"))
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait()
	}()
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		<-s.ended
	})
	return s
}

// ready waits until the server serves.
func (s *killedServer) ready(t *testing.T) {
	t.Helper()
	select {
	case s.listen = <-s.output.serving:
	case <-s.ended:
		t.Fatalf("the server ended while starting: %s", s.output)
	case <-time.After(patience):
		t.Fatalf("the server does not serve within %s", patience)
	}
	key, err := localaws.Files{Dir: s.stateDir}.Administrator()
	if err != nil {
		t.Fatal(err)
	}
	s.client = iam.New(iam.Options{
		Region: "eu-west-2", BaseEndpoint: aws.String("http://" + s.listen), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		HTTPClient:  &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
	})
}

func (s *killedServer) kill(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	<-s.ended
}

func (s *killedServer) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// load creates users, and kills the server some time after a number of
// acknowledgements. It returns the acknowledged users.
func (s *killedServer) load(t *testing.T, begun *int, answers int, after time.Duration) []string {
	t.Helper()
	var mu sync.Mutex
	var created []string
	enough := make(chan struct{})
	var loading sync.WaitGroup
	for range clients {
		loading.Go(func() {
			for {
				mu.Lock()
				*begun++
				name := fmt.Sprintf("user%d", *begun)
				mu.Unlock()
				if _, err := s.client.CreateUser(context.Background(), &iam.CreateUserInput{UserName: &name}); err != nil {
					if s.hasEnded() {
						return
					}
					continue
				}
				mu.Lock()
				created = append(created, name)
				if len(created) == answers {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-s.ended:
		t.Fatalf("the server ended: %s", s.output)
	case <-time.After(patience):
		t.Fatalf("the server does not answer within %s", patience)
	}
	time.Sleep(after) // no event reports the progress of a write
	s.kill(t)
	loading.Wait()
	return created
}

// holds checks that the server has all the users.
func (s *killedServer) holds(t *testing.T, users []string) {
	t.Helper()
	var state struct{ Users map[string]any }
	if err := s.askJSON(t.Context(), http.MethodGet, "state", nil, &state); err != nil {
		t.Fatal(err)
	}
	for _, name := range users {
		if state.Users[name] == nil {
			t.Errorf("%s was created, but is lost", name)
		}
	}
}
