//go:build e2e

// Package readme does what README.md, CONTRIBUTING.md and docs say, command by command.
package readme

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/e2e/internal/document"
	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// A section of a document, or all of it if heading is empty, whose commands are run as typed, one after the other
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
		// clusterOfLab sets the URL of the lab's API server, and writes its CA.
		clusterOfLab = `SERVER=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
kubectl config view --raw --minify --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 --decode > "$HOME/ca.crt"
`
		// logsOfPods prints the logs of authenticators in pods; that of a lab is a program.
		logsOfPods = `kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system logs --selector app.kubernetes.io/name=authenticator \
  --prefix`
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
			document: "docs/learn.md", provider: "envtest",
			instead: []string{"map remove", "map remove --yes", "map rollback", "map rollback --yes"}, // there is no terminal to ask on
			prints: []string{
				`(?m)^USERNAME +kubedemy$`, `/\?Action=GetCallerIdentity`, `dev:EKSGetTokenAuth`, `pods is forbidden`,
				`write arn:aws:iam::231144931069:role/Dev`, `its name is one letter off: Dve instead of Dev`, `WHY +no mapping matches`,
				`mapRoles would no longer parse`, `(?m)^Username +kubernetes-admin$`, `would leave system:nodes`, `is inactive or deleted`, `lab: down`,
			},
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
			document: "docs/signin.md", heading: "Add a cluster", provider: "envtest", inLab: true,
			before:  administrator + clusterOfLab,
			instead: []string{"https://10.0.0.1:6443", `"$SERVER"`, "ca.crt", `"$HOME/ca.crt"`, "--cluster-id my-cluster", "--cluster-id kubedemy"},
			prints:  []string{`(?m)^Username +admin$`},
		},
		{
			document: "docs/mapping.md", heading: "IAMIdentityMappings", provider: "envtest", inLab: true,
			// The second command would fail in the moment in which the API server takes up the definition.
			before: "kubectl apply --filename deploy/kubernetes/components/crd/definition.yaml\nkubectl wait --for condition=established crd --all\n",
			prints: []string{`clusterrole.rbac.authorization.k8s.io/\S+ created`, `No resources found`},
		},
		{
			document: "docs/mapping.md", heading: "Editing aws-auth", provider: "envtest", inLab: true,
			before:  administrator,
			instead: []string{"map rollback", "map rollback --yes"}, // there is no terminal to ask on
			prints:  []string{`role/KubedemyNode`, `(?m)^gains access: role Viewer `, `(?m)^-- rolearn: \S+:role/Viewer$`, `(?m)^loses access: role Viewer `},
		},
		{
			document: "docs/operations.md", heading: "One user cannot sign in", provider: "envtest", inLab: true,
			before: administrator + `authenticator map add role --rolearn arn:aws:iam::111122223333:role/admin --username admin:{{SessionName}} --groups view
` + clusterOfLab + `authenticator kubeconfig --cluster-id kubedemy --server "$SERVER" --certificate-authority "$HOME/ca.crt" --kubeconfig "$HOME/config"
kubectl --kubeconfig "$HOME/config" auth whoami
`,
			instead: []string{"--cluster-id my-cluster", "--cluster-id kubedemy", logsOfPods + " --since 10m --tail=-1", "lab logs authenticator"},
			prints:  []string{`admin:alice`, `(?m)^arn:aws:iam::231144931069:user/`, `access granted.* username=admin `, `"canonicalArn"|user/administrator`},
		},
		{
			document: "docs/operations.md", heading: "From an audit line to a decision", provider: "envtest", inLab: true,
			before: administrator + clusterOfLab + `authenticator kubeconfig --cluster-id kubedemy --server "$SERVER" --certificate-authority "$HOME/ca.crt" --kubeconfig "$HOME/config"
kubectl --kubeconfig "$HOME/config" auth whoami
export KEY="$(aws configure get aws_access_key_id)"
sed "s/AKIATLABCDEFGHIJKLMN/$KEY/" e2e/readme/testdata/audit.log > "$HOME/audit.log"
`,
			instead: []string{"audit.log", `"$HOME/audit.log"`, `"AKIATLABCDEFGHIJKLMN"`, "env.KEY", "AKIATLABCDEFGHIJKLMN", `"$KEY"`, logsOfPods + " --tail=-1", "lab logs authenticator"},
			prints:  []string{`update\talice\t`, `access granted.* username=admin `, `(?m)\tdelete\t/api/v1/namespaces/default/pods/web$`},
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
			before:  administrator + "kubectl apply --filename e2e/readme/testdata/aws-iam-authenticator.yaml\n" + clusterOfLab,
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
			script := document.Commands(read(t, s.document), s.heading)
			if script == "" {
				t.Fatal("no commands")
			}
			script = withErrors(script)
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

// withErrors makes a script fail if a command succeeds whose last line ends in a comment
// that begins with "error".
func withErrors(script string) string {
	var out, command strings.Builder
	for line := range strings.Lines(script) {
		command.WriteString(line)
		if strings.HasSuffix(line, "\\\n") {
			continue
		}
		if text := command.String(); strings.Contains(line, " # error") {
			fmt.Fprintf(&out, "if %sthen echo 'it should fail'; exit 1; fi\n", text)
		} else {
			out.WriteString(text)
		}
		command.Reset()
	}
	return out.String() + command.String()
}

// TestEveryCommandIsRun: whoever adds a command to a section that had none adds the
// section to the list above.
func TestEveryCommandIsRun(t *testing.T) {
	t.Parallel()
	tested := []string{
		"README.md authenticator",                     // by TestDemo
		"docs/operations.md Connections and requests", // they run a test of e2e/faults
	}
	for _, heading := range document.OnNode() { // by TestOperationsOnNode of e2e
		tested = append(tested, "docs/operations.md "+heading)
	}
	for _, s := range sections(t) {
		tested = append(tested, s.document+" "+s.heading)
	}
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("docs has the pages %q, %v", pages, err)
	}
	for i, page := range pages {
		pages[i] = "docs/" + filepath.Base(page)
	}
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md") {
		if page == "docs/localaws.md" {
			continue // TestDocumentedCommands of e2e/clients runs them all
		}
		for _, heading := range document.Headings(read(t, page)) {
			if slices.Contains(tested, page+" ") {
				continue // all of it
			}
			if name := page + " " + heading; document.Commands(read(t, page), heading) != "" && !slices.Contains(tested, name) {
				t.Errorf("no test runs the commands of %q", name)
			}
		}
	}
}

// run runs a script as a user who has built the programs, in a home of its own, and
// returns what it prints. It must succeed.
func run(t *testing.T, script string) string {
	t.Helper()
	return document.Run(t, script, root(t), environment(t))
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
