//go:build e2e

// Package readme does what README.md, CONTRIBUTING.md, docs/lab.md and docs/migrating.md say,
// command by command.
package readme

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// A section of a document, whose commands are run as typed, one after the other
// in one shell at the root of the repository.
type section struct {
	document, heading string
	// provider is the one of make e2e that has what the commands need.
	provider string
	// inLab: the commands are for a cluster. It is a lab's.
	inLab bool
	// before is what the reader has done before, in the same shell.
	before string
	// instead of words of the document are the test's.
	instead []string
	// prints are patterns of what the commands print.
	prints []string
}

func sections(t *testing.T) []section {
	t.Helper()
	const (
		role      = "arn:aws:iam::111122223333:role/KubernetesAdmin"
		roleInLab = "arn:aws:iam::231144931069:role/KubernetesAdmin"
		// administrator maps who has the lab's environment.
		administrator = `kubectl --namespace kube-system patch configmap aws-auth --patch '{"data":{"mapUsers":"[{userarn: \"'"$(aws sts get-caller-identity --query Arn --output text)"'\", username: admin}]"}}'
`
	)
	address := freeAddress(t)
	state := t.TempDir()
	return []section{
		{
			document: "README.md", heading: "Quick start", provider: "envtest",
			prints: []string{`(?m)^Username +kubedemy$`, `lab: down`},
		},
		{
			document: "README.md", heading: "With kind", provider: "kind",
			prints: []string{`(?m)^  Username +kubedemy$`, `lab: down`},
		},
		{
			document: "README.md", heading: "Install on a cluster", provider: "envtest", inLab: true,
			before: `aws iam create-role --role-name KubernetesAdmin --assume-role-policy-document \
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"231144931069"},"Action":"sts:AssumeRole"}]}'
`,
			instead: []string{"--cluster-id my-cluster", "--cluster-id kubedemy", "kubernetes-admin@kubernetes", "administrator", role, roleInLab},
			prints:  []string{`daemonset.apps/authenticator created`, `(?m)^Username +admin:`, `(?m)^Groups +\[system:masters `},
		},
		{
			document: "README.md", heading: "Migrating from aws-iam-authenticator", provider: "envtest",
			before: "cd " + filepath.Join(root(t), "e2e", "readme", "testdata") + "\n",
			prints: []string{`(?m)^source MountedFile +mappings: 2, errors: 0, warnings: 0$`},
		},
		{
			document: "README.md", heading: "localaws and lab", provider: "envtest",
			before:  "trap 'kill $!' EXIT\n",
			instead: []string{"serve", "serve --listen " + address + " --state-dir " + state, "localaws env", "localaws env --listen " + address + " --state-dir " + state},
			prints:  []string{`user/administrator`},
		},
		{
			document: "CONTRIBUTING.md", heading: "Build", provider: "envtest",
			prints: []string{`(?m)^  test  `},
		},
		{
			document: "docs/lab.md", heading: "Profiles", provider: "envtest", inLab: true,
			prints: []string{`Added new context ` + lab.ClusterARN},
		},
		{
			document: "docs/lab.md", heading: "Access entries", provider: "envtest", inLab: true,
			before: "PATH=${PATH#*:*:}\n", // without the lab's programs and Debian's AWS CLI, which is too old
			prints: []string{`"principalArn": "arn:aws:iam::231144931069:user/carol"`},
		},
		{
			document: "docs/migrating.md", heading: "Check first", provider: "envtest", inLab: true,
			before: administrator + `kubectl apply --filename e2e/readme/testdata/aws-iam-authenticator.yaml
cd "$HOME"
`,
			prints: []string{`(?m)^source MountedFile +mappings: 2, errors: 0, warnings: 0$`, `(?m)^source AWSAuthFile +mappings: 2, errors: 0, warnings: 0$`},
		},
		{
			document: "docs/migrating.md", heading: "A DaemonSet", provider: "envtest", inLab: true,
			before: administrator + `kubectl apply --filename e2e/readme/testdata/aws-iam-authenticator.yaml
SERVER=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
kubectl config view --raw --minify --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 --decode > "$HOME/ca.crt"
`,
			instead: []string{"https://NODE:6443", `"$SERVER"`, "/etc/kubernetes/pki/ca.crt", `"$HOME/ca.crt"`, "--cluster-id my-cluster", "--cluster-id kubedemy"},
			prints:  []string{`daemonset.apps/aws-iam-authenticator image updated`, `(?m)^Username +admin$`},
		},
		{
			document: "docs/migrating.md", heading: "Go back", provider: "envtest", inLab: true,
			before: "kubectl apply --filename e2e/readme/testdata/aws-iam-authenticator.yaml\n",
			prints: []string{`daemonset.apps/aws-iam-authenticator image updated`},
		},
	}
}

func TestDocumentedCommands(t *testing.T) {
	for _, s := range sections(t) {
		t.Run(strings.ReplaceAll(s.document+" "+s.heading, "/", "-"), func(t *testing.T) {
			skipUnless(t, s.provider)
			script := commands(t, s.document, s.heading)
			if script == "" {
				t.Fatal("no commands")
			}
			script = s.before + strings.NewReplacer(s.instead...).Replace(script)
			if s.inLab {
				dir := t.TempDir()
				run(t, "bin/lab up --admission=false --dir "+dir)
				t.Cleanup(func() { run(t, "bin/lab down --dir "+dir) })
				script = `eval "$(bin/lab env --dir ` + dir + ")\"\n" + script
			}
			output := run(t, script)
			for _, pattern := range s.prints {
				if !regexp.MustCompile(pattern).MatchString(output) {
					t.Errorf("nothing matches %q", pattern)
				}
			}
			if t.Failed() {
				t.Log(output)
			}
		})
	}
}

// TestEveryCommandIsRun: whoever adds a command to a section that had none adds the
// section to the list above.
func TestEveryCommandIsRun(t *testing.T) {
	t.Parallel()
	tested := []string{"README.md authenticator"} // by TestDemo
	for _, s := range sections(t) {
		tested = append(tested, s.document+" "+s.heading)
	}
	for _, document := range []string{"README.md", "CONTRIBUTING.md", "docs/lab.md", "docs/migrating.md"} {
		for _, heading := range headings(read(t, document)) {
			if name := document + " " + heading; commands(t, document, heading) != "" && !slices.Contains(tested, name) {
				t.Errorf("no test runs the commands of %q", name)
			}
		}
	}
}

var (
	headingLine = regexp.MustCompile(`^#+ +(.+)\n$`)
	fence       = regexp.MustCompile("^( *)```(\\w*)\n$")
)

func headings(document string) (found []string) {
	for line := range strings.Lines(document) {
		if match := headingLine.FindStringSubmatch(line); match != nil {
			found = append(found, match[1])
		}
	}
	return found
}

// commands are those of a section, up to the next heading: its blocks of sh. A
// block in a list is indented.
func commands(t *testing.T, document, heading string) string {
	t.Helper()
	var script strings.Builder
	current, language, indentation := "", "", ""
	for line := range strings.Lines(read(t, document)) {
		switch match := fence.FindStringSubmatch(line); {
		case match != nil && language != "":
			language = ""
		case match != nil:
			indentation, language = match[1], cmp.Or(match[2], "none")
		case language == "sh" && current == heading:
			script.WriteString(strings.TrimPrefix(line, indentation))
		case language == "":
			if match := headingLine.FindStringSubmatch(line); match != nil {
				current = match[1]
			}
		}
	}
	return script.String()
}

// run runs a script as a user who has built the programs, in a home of its own, and
// returns what it prints. It must succeed.
func run(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-e", "-c", script)
	command.Dir, command.Env = root(t), environment(t)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts ends with it
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 10 * time.Second
	output, err := command.CombinedOutput()
	if err != nil {
		_ = command.Cancel()
		t.Fatalf("%v\n%s\nprinted\n%s", err, script, output)
	}
	return string(output)
}

// environment has Debian's AWS CLI, and Go's caches in place of new ones in the
// new home.
func environment(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/bin/aws", filepath.Join(bin, "aws")); err != nil {
		t.Fatal(err)
	}
	path := []string{bin, filepath.Join(root(t), "bin"), os.Getenv("PATH")}
	environment := append(os.Environ(),
		"HOME="+home, "XDG_CACHE_HOME="+filepath.Join(home, "cache"), "AWS_PAGER=",
		// Not the make that runs us: it has its own variables.
		"MAKEFLAGS=", "PATH="+strings.Join(path, string(os.PathListSeparator)))
	for _, name := range []string{"GOENV", "GOCACHE", "GOMODCACHE", "GOPATH"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		environment = append(environment, name+"="+strings.TrimSpace(string(value)))
	}
	return environment
}

// skipUnless the tests run with a provider.
func skipUnless(t *testing.T, provider string) {
	t.Helper()
	if got := cmp.Or(os.Getenv("PROVIDER"), "envtest"); got != provider {
		t.Skipf("runs with PROVIDER=%s", provider)
	}
}

func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
