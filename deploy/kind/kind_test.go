package kind_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/kube-iam/authenticator/deploy/kind"
	"github.com/kube-iam/authenticator/internal/gobuild"
	"github.com/kube-iam/authenticator/internal/story"
)

// stateDir is where a node has what is in run.
const stateDir = "/etc/kubernetes/aws-iam-authenticator"

// TestMounts: what the cluster mounts is in the repository, or made by the README.
func TestMounts(t *testing.T) {
	t.Parallel()
	cluster := decode[v1alpha4.Cluster](t, kind.Cluster)
	if cluster.Name != "kubedemy" || len(cluster.Nodes) != 1 {
		t.Fatalf("cluster %s has %d nodes", cluster.Name, len(cluster.Nodes))
	}
	want := map[string]string{"run": stateDir, "manifests/authenticator.yaml": "/etc/kubernetes/manifests/aws-iam-authenticator.yaml"}
	for _, mount := range cluster.Nodes[0].ExtraMounts {
		if want[mount.HostPath] != mount.ContainerPath || !mount.Readonly {
			t.Errorf("%s is mounted as %s, read-only %t", mount.HostPath, mount.ContainerPath, mount.Readonly)
		}
		delete(want, mount.HostPath)
	}
	for path := range want {
		t.Errorf("%s is not mounted", path)
	}
	if embedded := read(t, "manifests/authenticator.yaml"); embedded != kind.Authenticator {
		t.Error("the static pod is another than in manifests/authenticator.yaml")
	}
	contains(t, command(t, "authenticator init"), "mkdir -m 700 deploy/kind/run\n")
}

// TestKubeAPIServer checks that kube-apiserver's flag names a file that it sees and
// that the README's commands create.
func TestKubeAPIServer(t *testing.T) {
	t.Parallel()
	patch := decode[struct {
		Kind      string
		APIServer struct {
			ExtraArgs    map[string]string `yaml:"extraArgs"`
			ExtraVolumes []map[string]any  `yaml:"extraVolumes"`
		} `yaml:"apiServer"`
	}](t, decode[v1alpha4.Cluster](t, kind.Cluster).KubeadmConfigPatches[0])
	if patch.Kind != "ClusterConfiguration" || len(patch.APIServer.ExtraVolumes) != 1 {
		t.Fatalf("the patch is %+v", patch)
	}
	if volume := patch.APIServer.ExtraVolumes[0]; volume["hostPath"] != stateDir || volume["mountPath"] != stateDir || volume["readOnly"] != true {
		t.Errorf("kube-apiserver has the volume %v", volume)
	}
	arguments := patch.APIServer.ExtraArgs
	inRun(t, arguments["authentication-token-webhook-config-file"], command(t, "authenticator init"))
	if version := arguments["authentication-token-webhook-version"]; version != "v1" {
		t.Errorf("kube-apiserver speaks %s with its webhook", version)
	}
}

// TestStaticPod: the pod reads what the README puts into run, as a user who may.
func TestStaticPod(t *testing.T) {
	t.Parallel()
	authenticator := pod(t, kind.Authenticator)
	container := authenticator.Spec.Containers[0]
	if volume, mount := authenticator.Spec.Volumes[0], container.VolumeMounts[0]; volume.HostPath.Path != stateDir || mount.Name != volume.Name || mount.MountPath != stateDir || !mount.ReadOnly {
		t.Errorf("the volume is %+v, mounted as %+v", volume, mount)
	}
	// The server reads its certificate in its default state directory, and makes its
	// socket there.
	const served = "/var/aws-iam-authenticator"
	mounted := map[string]string{}
	for _, mount := range container.VolumeMounts {
		i := slices.IndexFunc(authenticator.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		switch volume := authenticator.Spec.Volumes[i]; {
		case volume.EmptyDir != nil && !mount.ReadOnly:
			mounted[mount.MountPath] = "empty"
		case volume.HostPath != nil && mount.ReadOnly:
			mounted[mount.MountPath] = volume.HostPath.Path
		}
	}
	want := map[string]string{
		stateDir: stateDir, served: "empty", served + "/cert.pem": stateDir + "/cert.pem", served + "/key.pem": stateDir + "/key.pem",
	}
	if !maps.Equal(mounted, want) || slices.ContainsFunc(container.Args, func(argument string) bool { return strings.HasPrefix(argument, "--state-dir") }) {
		t.Errorf("mounted are %v, want %v, with %q", mounted, want, container.Args)
	}
	inRun(t, argument(t, container.Args, "--kubeconfig"), command(t, "kubeadm kubeconfig user"))
	files := map[string]string{}
	for _, variable := range container.Env {
		files[variable.Name] = variable.Value
	}
	inRun(t, files["AWS_CA_BUNDLE"], command(t, "$AWS_CA_BUNDLE"))
	if want := stateDir + "/aws-credentials"; files["AWS_SHARED_CREDENTIALS_FILE"] != want {
		t.Errorf("AWS credentials are in %s", files["AWS_SHARED_CREDENTIALS_FILE"])
	}
	contains(t, readme(t), "`run/aws-credentials`")
	// What the README says to leave out is there.
	_, leftOut, _ := strings.Cut(readme(t), "\n```yaml\n")
	leftOut, _, _ = strings.Cut(leftOut, "```")
	if !strings.Contains(leftOut, "AWS_CA_BUNDLE") {
		t.Errorf("the README has left out %q", leftOut)
	}
	contains(t, kind.Authenticator, leftOut)

	// The image that is loaded, and no other, whoever has its name on a registry.
	tag, ok := strings.CutPrefix(container.Image, "kube-iam/authenticator:")
	if !ok || container.ImagePullPolicy != corev1.PullNever {
		t.Errorf("the image is %s, pulled %s", container.Image, container.ImagePullPolicy)
	}
	contains(t, command(t, "make build image"), "make build image VERSION="+tag+" ")
	contains(t, command(t, "kind load"), "kind load image-archive bin/images/authenticator.tar --name kubedemy\n")

	user := authenticator.Spec.SecurityContext
	owner := strconv.FormatInt(*user.RunAsUser, 10) + ":" + strconv.FormatInt(*user.RunAsGroup, 10)
	contains(t, command(t, "chown"), "chown -R "+owner+" deploy/kind/run\n")
	if !authenticator.Spec.HostNetwork {
		t.Error("the pod is not on the network of kube-apiserver")
	}
}

// TestInit: kube-apiserver finds the static pod by what the README's command makes.
func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build(t, dir)
	if err := os.MkdirAll(filepath.Join(dir, "deploy", "kind"), 0o700); err != nil {
		t.Fatal(err)
	}
	script(t, dir, command(t, "authenticator init"))
	var made []string
	entries, err := os.ReadDir(filepath.Join(dir, "deploy", "kind", "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		made = append(made, entry.Name())
	}
	if want := []string{"cert.pem", "key.pem", "webhook.yaml"}; !slices.Equal(made, want) {
		t.Errorf("init makes %q, want %q", made, want)
	}
	webhook, err := clientcmd.LoadFromFile(filepath.Join(dir, "deploy", "kind", "run", "webhook.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const server = "https://127.0.0.1:21362/authenticate"
	if got := webhook.Clusters[webhook.Contexts[webhook.CurrentContext].Cluster].Server; got != server {
		t.Errorf("kube-apiserver asks %s, want %s", got, server)
	}
	contains(t, kind.Authenticator, server)

	// And there it is, by the same flags.
	container := pod(t, kind.Authenticator).Spec.Containers[0]
	words := strings.Fields(command(t, "authenticator init"))
	for _, flag := range []string{"--cluster-id", "--hostname"} {
		if got, want := argument(t, container.Args, flag), words[slices.Index(words, flag)+1]; got != want {
			t.Errorf("the pod has %s=%s, and init %s", flag, got, want)
		}
	}
	for _, flag := range []string{"--port", "--address", "--health-port"} {
		if slices.ContainsFunc(append(container.Args, words...), func(word string) bool { return strings.HasPrefix(word, flag) }) {
			t.Errorf("%s is given, and what is said of ports is not true", flag)
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		if probe.HTTPGet.Host != "127.0.0.1" || probe.HTTPGet.Port.IntValue() != 21363 {
			t.Errorf("a probe asks %s:%s", probe.HTTPGet.Host, probe.HTTPGet.Port.String())
		}
	}
}

// TestOrdinaryUser: whoever is not root has the pod run as themselves.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	manifest := filepath.Join(dir, "deploy", "kind", "manifests", "authenticator.yaml")
	if err := os.MkdirAll(filepath.Dir(manifest), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte(kind.Authenticator), 0o600); err != nil {
		t.Fatal(err)
	}
	script(t, dir, command(t, "sed -i"))
	got := pod(t, read(t, manifest)).Spec.SecurityContext
	if *got.RunAsUser != int64(os.Getuid()) || *got.RunAsGroup != int64(os.Getgid()) {
		t.Errorf("the pod runs as %d:%d, and we are %d:%d", *got.RunAsUser, *got.RunAsGroup, os.Getuid(), os.Getgid())
	}
}

// inRun checks that commands make, in run, the file that a node has at path.
func inRun(t *testing.T, path, commands string) {
	t.Helper()
	name, ok := strings.CutPrefix(path, stateDir+"/")
	if !ok {
		t.Errorf("%q is not in %s", path, stateDir)
	}
	contains(t, commands, " deploy/kind/run/"+name+"\n")
}

// argument is the value of a flag, NAME=VALUE.
func argument(t *testing.T, arguments []string, flag string) string {
	t.Helper()
	for _, a := range arguments {
		if value, ok := strings.CutPrefix(a, flag+"="); ok {
			return value
		}
	}
	t.Fatalf("there is no %s in %q", flag, arguments)
	return ""
}

// command is the block of the README's commands that has one in it.
func command(t *testing.T, part string) string {
	t.Helper()
	for _, block := range strings.Split(readme(t), "\n```sh\n")[1:] {
		if commands, _, _ := strings.Cut(block, "```\n"); strings.Contains(commands, part) {
			return commands
		}
	}
	t.Fatalf("README.md has no command %q", part)
	return ""
}

func readme(t *testing.T) string { return read(t, "README.md") }

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("there is no %q in:\n%s", part, text)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// decode YAML as kind does: the type has every field.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// pod is the one in a manifest, read as the kubelet reads it but for what it lets pass.
func pod(t *testing.T, manifest string) *corev1.Pod {
	t.Helper()
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	object, _, err := strict.Decode([]byte(manifest), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return object.(*corev1.Pod)
}

// build the authenticator into a directory, as `make build` does.
func build(t *testing.T, dir string) {
	t.Helper()
	command := exec.Command("go", slices.Concat([]string{"build", "-buildvcs=false"}, gobuild.ProgramFlags(), []string{"-o", dir, "../../cmd/authenticator"})...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building the authenticator: %v\n%s", err, output)
	}
}

// script runs commands in a directory whose programs come first.
func script(t *testing.T, dir, commands string) {
	t.Helper()
	command := exec.Command("sh", "-e", "-c", commands)
	command.Dir = dir
	command.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// TestStory checks that the README tells the story of the tour: the same steps in the
// same order, the same policy, and the commands that need no other words here.
func TestStory(t *testing.T) {
	t.Parallel()
	text := readme(t)
	next := func(part string) {
		t.Helper()
		_, after, found := strings.Cut(text, part)
		if !found {
			t.Fatalf("README.md lacks %q, or has it in another place", part)
		}
		text = after
	}
	for i, step := range story.Steps() {
		next(fmt.Sprintf("# %d. %s", i+1, step.Title))
		if i == 1 {
			next(strings.TrimSpace(story.Policy))
		}
		for _, command := range step.Commands {
			if strings.HasPrefix(command, "aws eks") || strings.HasPrefix(command, "aws iam create-user") || strings.HasPrefix(command, "kubectl auth") {
				next(command + "\n")
			}
		}
	}
}
