package kind

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// testCluster returns a cluster that does not run.
func testCluster(t *testing.T, config Config, workers int) *Cluster {
	t.Helper()
	dir := privatetest.Path(t)
	config.Workers = Instances("kubedemy", dir, workers, "Node")
	c := newCluster(provider.Spec{
		Dir: privatetest.Open(t, dir), Cluster: "kubedemy", Region: "eu-west-2", Authenticator: "/bin/authenticator",
		Owner: "arn:aws:iam::231144931069:role/Owner", Progress: func(string, ...any) {},
	}, config)
	c.network.metadata = "http://172.18.0.1:1234/"
	return c
}

// TestClusterConfig checks that kind mounts nothing into nodes but the lab's files and
// the authenticator, read-only, whatever deploy/kind has.
func TestClusterConfig(t *testing.T) {
	t.Parallel()
	k := testCluster(t, Config{ControlPlanes: 2}, 2)
	k.spec.WebhookCacheTTL = 2 * time.Second
	config, err := k.clusterConfig()
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, node := range config.Nodes {
		roles = append(roles, string(node.Role))
		for _, mount := range node.ExtraMounts {
			inside, ok := strings.CutPrefix(mount.HostPath, k.spec.Path()+"/")
			if !ok && mount.HostPath != k.spec.Authenticator {
				t.Errorf("a node mounts %s, which is not the lab's", mount.HostPath)
			}
			if !mount.Readonly {
				t.Errorf("a node may write to %s", inside)
			}
		}
	}
	if want := []string{"control-plane", "control-plane", "worker", "worker"}; !slices.Equal(roles, want) {
		t.Errorf("nodes are %q, want %q", roles, want)
	}
	if !mounts(config.Nodes[0], "/etc/kubernetes/pki/ca.key") || mounts(config.Nodes[1], "/etc/kubernetes/pki/ca.key") {
		t.Error("the CA must be mounted into the first control plane alone: kind copies it to the others")
	}
	if patches := strings.Join(config.KubeadmConfigPatches, ""); !strings.Contains(patches, "authentication-token-webhook-cache-ttl: 2s") {
		t.Errorf("the TTL of the webhook's cache is not set: %s", patches)
	}
	if got := k.internalEndpoint(); got != "https://"+k.name+"-external-load-balancer:6443" {
		t.Errorf("nodes find the API server at %s", got)
	}
}

func mounts(node v1alpha4.Node, path string) bool {
	return slices.ContainsFunc(node.ExtraMounts, func(m v1alpha4.Mount) bool { return m.ContainerPath == path })
}

func TestStaticPod(t *testing.T) {
	t.Parallel()
	k := testCluster(t, Config{}, 0)
	k.spec.VerificationCacheTTL = 3 * time.Second
	k.spec.TrustEndpoint, k.spec.Endpoint = true, "http://127.0.0.1:4566"
	if err := k.writeStaticPod("kube-iam/authenticator:v1"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(k.spec.Path(Dir, "authenticator.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(text, &pod); err != nil {
		t.Fatal(err)
	}
	container := pod.Spec.Containers[0]
	if pod.Name != authenticatorPod || container.Image != "kube-iam/authenticator:v1" {
		t.Errorf("pod %s runs %s", pod.Name, container.Image)
	}
	for _, want := range []string{
		"--cluster-id=kubedemy", "--cluster-owner-arn=" + k.spec.Owner,
		"--verification-cache-ttl=3s", "--sts-endpoint=http://127.0.0.1:4566", "--sts-endpoint-dial=" + k.relayName() + ":" + relayPort,
	} {
		if !slices.Contains(container.Args, want) {
			t.Errorf("the authenticator's flags lack %s: %q", want, container.Args)
		}
	}
}

func TestNodeNames(t *testing.T) {
	t.Parallel()
	k := testCluster(t, Config{}, 3)
	want := []string{k.name + "-worker", k.name + "-worker2", k.name + "-worker3"}
	if got := k.workers(); !slices.Equal(got, want) {
		t.Errorf("workers are %q, want %q", got, want)
	}
	if got := k.controlPlanes(); !slices.Equal(got, []string{k.name + "-control-plane"}) {
		t.Errorf("control planes are %q", got)
	}
	ids := map[string]bool{}
	for i, instance := range k.config.Workers {
		ids[instance.ID] = true
		if instance.PrivateDNSName != want[i] { // otherwise kube-apiserver takes it for another node
			t.Errorf("the instance of node %s has the name %s", want[i], instance.PrivateDNSName)
		}
	}
	if len(ids) != 3 {
		t.Errorf("the instances have IDs %v", ids)
	}
}

// TestNameIsOfTheDirectory checks that a directory always gives the same name,
// with which Down finds what a killed lab left.
func TestNameIsOfTheDirectory(t *testing.T) {
	t.Parallel()
	first := name("kubedemy", "/a")
	if again, other := name("kubedemy", "/a"), name("kubedemy", "/b"); again != first || other == first {
		t.Errorf("/a is %s and %s, /b is %s", first, again, other)
	}
}

func TestClusterCA(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ca, err := newClusterCA(now)
	if err != nil {
		t.Fatal(err)
	}
	certificate, _, err := ca.client("somebody", now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.certificatePEM())
	block, _ := pem.Decode(certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if leaf.Subject.CommonName != "somebody" || len(leaf.Subject.Organization) != 0 {
		t.Errorf("the certificate is for %s", leaf.Subject)
	}
}

func TestImageName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, content, want, refused string
	}{
		"as docker save writes it": {file: "manifest.json", content: `[{"RepoTags":["a/b:v1"]}]`, want: "a/b:v1"},
		"an OCI layout":            {file: "index.json", content: "{}", refused: "it has no manifest.json"},
		"two images":               {file: "manifest.json", content: `[{"RepoTags":["a:1"]},{"RepoTags":["b:1"]}]`, refused: "one image"},
		"without a name":           {file: "manifest.json", content: `[{}]`, refused: "exactly one image, with a name"},
		"not JSON":                 {file: "manifest.json", content: `[`, refused: "reading manifest.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "image.tar")
			writeArchive(t, path, test.file, test.content)
			image, err := readImage(path)
			if test.refused == "" {
				if err != nil || image.name != test.want {
					t.Errorf("readImage = %q, %v, want %q", image.name, err, test.want)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), path) {
				t.Errorf("readImage = %q, %v, want it to say %q of %s", image.name, err, test.refused, path)
			}
		})
	}
	if _, err := readImage("/no/such.tar"); err == nil || !strings.Contains(err.Error(), "make image builds it") {
		t.Errorf("without an archive: %v", err)
	}
}

func writeArchive(t *testing.T, path, name, content string) {
	t.Helper()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path, archive.String(), 0o600)
}

// TestEnvironmentForKind checks that kind sees no variables of proxies: it would copy
// them into the nodes, where kubelets could not reach their instance metadata.
func TestEnvironmentForKind(t *testing.T) {
	proxies := []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "NO_PROXY", "KIND_EXPERIMENTAL_PROVIDER"}
	for _, name := range proxies {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	t.Setenv("KIND_EXPERIMENTAL_DOCKER_NETWORK", "")
	_ = os.Unsetenv("KIND_EXPERIMENTAL_DOCKER_NETWORK")
	restore := environmentForKind("the-network")
	for _, name := range proxies {
		if value, ok := os.LookupEnv(name); ok {
			t.Errorf("kind sees %s=%s", name, value)
		}
	}
	if got := os.Getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"); got != "the-network" {
		t.Errorf("kind's network is %q", got)
	}
	restore()
	for _, name := range proxies {
		if got := os.Getenv(name); got != "http://127.0.0.1:1" {
			t.Errorf("%s is %q afterwards", name, got)
		}
	}
	if value, ok := os.LookupEnv("KIND_EXPERIMENTAL_DOCKER_NETWORK"); ok {
		t.Errorf("kind's network is still %q", value)
	}
}

// standIn replaces the docker command by a script.
func standIn(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "docker"), "#!/bin/sh\n"+script, 0o700)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestNodeImage checks which image the nodes get, and that one that cannot be pulled is an
// error with the command that builds one.
func TestNodeImage(t *testing.T) {
	for name, test := range map[string]struct {
		config            Config
		environment, has  string
		built, want, says string
	}{
		"kind's own":          {has: defaults.Image, want: defaults.Image},
		"one that was built":  {has: "kube-iam/kind-node:v1.36.3", built: "kube-iam/kind-node:v1.36.3", want: "kube-iam/kind-node:v1.36.3"},
		"of the environment":  {environment: "mine:1", has: "mine:1", want: "mine:1"},
		"of a version":        {config: Config{KubernetesVersion: "v1.35.1"}, environment: "mine:1", has: "kube-iam/kind-node:v1.35.1", want: "kube-iam/kind-node:v1.35.1"},
		"of the flag":         {config: Config{NodeImage: "flag:1"}, environment: "mine:1", has: "flag:1", want: "flag:1"},
		"none, no registry":   {says: "pulling image " + defaults.Image + ": "},
		"missing, of a flag":  {config: Config{NodeImage: "flag:1"}, has: "mine:1", says: "pulling image flag:1: "},
		"another was built":   {config: Config{KubernetesVersion: "v1.35.1"}, has: "kube-iam/kind-node:v1.36.3", says: "pulling image kindest/node:v1.35.1: "},
		"missing in its env.": {environment: "mine:1", says: "pulling image mine:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KIND_NODE_IMAGE", test.environment)
			standIn(t, `case "$*" in
"image inspect"*"}} `+test.has+`") echo sha256:1 ;;
"image ls"*) echo '`+test.built+`' ;;
"image inspect"*|pull*) echo "no such host" >&2; exit 1 ;;
esac`)
			k := testCluster(t, test.config, 0)
			err := k.findNodeImage(t.Context())
			if test.says != "" {
				says(t, err, test.says, "no such host", "make -C authenticator kind-node-image", "KIND_NODE_IMAGE")
				return
			}
			if err != nil || k.config.NodeImage != test.want {
				t.Errorf("image %q, %v, want %q", k.config.NodeImage, err, test.want)
			}
		})
	}
}

// TestUnusableEngine checks that one sentence says what is wrong and what to do.
func TestUnusableEngine(t *testing.T) {
	docker := func(t *testing.T, stderr string) {
		t.Helper()
		standIn(t, "cat >&2 <<'END'\n"+stderr+"\nEND\nexit 1\n")
	}
	t.Run("no command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		says(t, engine{}.check(t.Context()), "the docker command is not on PATH: install Docker")
	})
	t.Run("nobody answers", func(t *testing.T) {
		docker(t, "Cannot connect to the Docker daemon")
		says(t, engine{}.check(t.Context()), "no Docker engine answers: start one, or set DOCKER_HOST")
	})
	t.Run("not for this user", func(t *testing.T) {
		docker(t, "permission denied while trying to connect")
		says(t, engine{}.check(t.Context()), "this user is not allowed to use the Docker engine: join the group docker")
	})
	t.Run("without privileges", func(t *testing.T) {
		docker(t, "unable to apply caps: operation not permitted\n\nRun 'docker run --help' for more information")
		says(t, engine{}.checkPrivileges(t.Context(), "image"), "cannot run a privileged container of image, as kind's nodes are", "unable to apply caps")
	})
	t.Run("given up", func(t *testing.T) {
		why := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if err := (engine{}).check(ctx); !errors.Is(err, why) {
			t.Errorf("check = %v, want %v", err, why)
		}
	})
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %v, want it to say %q", err, word)
		}
	}
}

// TestLeftover checks that a lab's record of what it has in an engine exists from
// before anything is created until after all is removed.
func TestLeftover(t *testing.T) {
	k := testCluster(t, Config{}, 0)
	k.dockerHost = "unix:///somewhere.sock"
	if _, ok, err := leftoverOf(k.spec.Dir); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	if err := k.declare(); err != nil {
		t.Fatal(err)
	}
	left, ok, err := leftoverOf(k.spec.Dir)
	if want := (leftover{Name: k.name, DockerHost: "unix:///somewhere.sock"}); err != nil || !ok || !reflect.DeepEqual(left, want) {
		t.Errorf("leftoverOf = %+v, %v, %v, want %+v", left, ok, err, want)
	}
	write(t, k.spec.Path(leftoverFile), "{", 0o600)
	if _, _, err := leftoverOf(k.spec.Dir); err == nil {
		t.Error("an incomplete file is accepted")
	}
}

// TestEngineThatStopsBeforeTheLab checks that what a lab left in an engine that stopped
// before it stays recorded until it is removed.
func TestEngineThatStopsBeforeTheLab(t *testing.T) {
	k := testCluster(t, Config{}, 0)
	if err := k.declare(); err != nil {
		t.Fatal(err)
	}
	standIn(t, "echo Cannot connect to the Docker daemon >&2; exit 1")
	says(t, k.Stop(false), "removing cluster "+k.name, "Cannot connect")
	if _, ok, err := leftoverOf(k.spec.Dir); !ok || err != nil {
		t.Errorf("the record of what is left: %v, %v", ok, err)
	}
	standIn(t, "exit 0")
	if err := RemoveLeftovers(t.Context(), k.spec.Dir, k.spec.Progress); err != nil {
		t.Error(err)
	}
	if _, ok, err := leftoverOf(k.spec.Dir); ok || err != nil {
		t.Errorf("afterwards: %v, %v", ok, err)
	}
}

// TestNetworkOfAnother checks that another lab's network with our name stays.
func TestNetworkOfAnother(t *testing.T) {
	k := testCluster(t, Config{}, 0)
	removed := filepath.Join(t.TempDir(), "removed")
	standIn(t, `case "$*" in
*rm*) echo "$*" >> `+removed+` ;;
"network create"*) echo "Error response from daemon: network with name x already exists" >&2; exit 1 ;;
*) echo 1234 ;;
esac`)
	says(t, k.makeNetwork(t.Context()), "network "+k.name+" exists already", "docker network rm "+k.name)
	if err := k.Stop(true); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(removed); err == nil {
		t.Errorf("it ran docker %s", text)
	}
	if _, ok, err := leftoverOf(k.spec.Dir); ok || err != nil {
		t.Errorf("it is recorded as ours: %v, %v", ok, err)
	}
}

// TestInstanceAt checks that a node gets its own instance, and that a request from
// outside the network does not run docker.
func TestInstanceAt(t *testing.T) {
	k := testCluster(t, Config{}, 2)
	k.network.subnet = netip.MustParsePrefix("172.18.0.0/16")
	asked := filepath.Join(t.TempDir(), "asked")
	standIn(t, "echo >> "+asked+"\nprintf '/%s 172.18.0.3\n/%s 172.18.0.4\n' "+strings.Join(k.workers(), " "))
	for remote, want := range map[string]string{
		"172.18.0.3:1": k.workers()[0], "172.18.0.4:1": k.workers()[1], "[::ffff:172.18.0.4]:1": k.workers()[1], "172.18.0.5:1": "",
	} {
		if got, err := k.instanceAt(t.Context(), remote); got.PrivateDNSName != want || (err == nil) != (want != "") {
			t.Errorf("at %s is %q, %v, want %q", remote, got.PrivateDNSName, err, want)
		}
	}
	if err := os.Remove(asked); err != nil {
		t.Fatal(err)
	}
	for _, remote := range []string{"172.19.0.3:1", "10.0.0.1:1", "127.0.0.1:1"} {
		_, err := k.instanceAt(t.Context(), remote)
		says(t, err, "no instance has the address ")
	}
	if _, err := os.Stat(asked); err == nil {
		t.Error("docker was run for strangers")
	}
}

func TestAWSNamesAreAWSs(t *testing.T) {
	t.Parallel()
	names := awsNames("eu-west-2")
	for _, want := range []string{"sts.eu-west-2.amazonaws.com", "ec2.eu-west-2.amazonaws.com", "sts.amazonaws.com"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s does not resolve to the relay", want)
		}
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
