package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// TestServerIsLight runs the built server with 1 000 mappings, sends it 800 tokens
// twice, 32 at a time, and limits its peak memory. It only logs the CPU time (go test
// -v), since that differs between machines.
func TestServerIsLight(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	cloud := localawstest.Start(t, localaws.Config{AccountID: "231144931069", Administrator: exampleKey()})
	dir := t.TempDir()
	ports, release, err := freeport.Reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	port := strconv.Itoa(ports[0])
	server := exec.Command(clitest.Build(t), "server", "--cluster-id", "c", "--aws-auth-file", thousandMappings(t, dir),
		"--state-dir", dir, "--generate-kubeconfig", filepath.Join(dir, "kubeconfig.yaml"), "--port", port, "--health-port", "0", "-v", "error")
	server.Env = cloud.Environment()
	var output bytes.Buffer
	server.Stderr = &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() }) // fails if the server has ended, as it should
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 32}}
	defer client.CloseIdleConnections()
	url := "https://127.0.0.1:" + port
	awaitReady(t, client, url)
	idle := clitest.Memory(t, server.Process.Pid, "VmRSS")

	reviews := reviewsOf(t, 800)
	for range 2 { // the second time, they are cached
		ask(t, client, url+"/authenticate", reviews)
	}
	peak := clitest.Memory(t, server.Process.Pid, "VmHWM")
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("%v: %s", err, output.String())
	}
	took := server.ProcessState.UserTime() + server.ProcessState.SystemTime()
	t.Logf("%d KiB idle, %d KiB peak, %s of CPU time for the start and 1 600 decisions", idle, peak, took)
	if peak > 64<<10 {
		t.Errorf("peak memory is %d KiB, want at most %d", peak, 64<<10)
	}
}

func thousandMappings(t *testing.T, dir string) string {
	t.Helper()
	text := "mapUsers:\n- {userarn: 'arn:aws:iam::231144931069:user/administrator', username: administrator}\n"
	for i := range 999 {
		text += fmt.Sprintf("- {userarn: 'arn:aws:iam::231144931069:user/u%d', username: u%d, groups: [people]}\n", i, i)
	}
	file := filepath.Join(dir, "aws-auth.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// reviewsOf returns TokenReviews of count tokens, each signed a second earlier than
// the one before, so that no two are the same.
func reviewsOf(t *testing.T, count int) [][]byte {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": exampleKey().ID, "AWS_SECRET_ACCESS_KEY": exampleKey().Secret,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	var age time.Duration
	now := time.Now()
	presigner, err := presign.New(t.Context(), presign.Config{ClusterID: "c", Region: "eu-west-2", Now: func() time.Time { return now.Add(-age) }})
	if err != nil {
		t.Fatal(err)
	}
	var reviews [][]byte
	for range count {
		made, err := presigner.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		review, err := json.Marshal(authenticationv1.TokenReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"},
			Spec:     authenticationv1.TokenReviewSpec{Token: made.Token},
		})
		if err != nil {
			t.Fatal(err)
		}
		reviews = append(reviews, review)
		age += time.Second
	}
	return reviews
}

// ask sends the reviews, 32 at a time; each must authenticate the administrator.
func ask(t *testing.T, client *http.Client, url string, reviews [][]byte) {
	t.Helper()
	turns := make(chan struct{}, 32)
	var all sync.WaitGroup
	for _, review := range reviews {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			answer, err := client.Post(url, "application/json", bytes.NewReader(review))
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			if body, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(body), `"username":"administrator"`) {
				t.Errorf("%s %s, %v", answer.Status, body, err)
			}
		})
	}
	all.Wait()
}

func awaitReady(t *testing.T, client *http.Client, url string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		if answer, err := client.Get(url + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("the server does not become ready")
		}
	}
}
