// Package authenticator_test holds the architecture of the whole tree as a
// test: which package may import what, and what no package may do.
package authenticator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kube-iam/authenticator"

// A listed package, as `go list -json` prints it.
type listed struct {
	ImportPath, Name, Dir, Doc string
	GoFiles, Imports, Deps     []string
}

// path is the package's path within the module.
func (p listed) path() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func packages(t *testing.T) []listed {
	t.Helper()
	output, err := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Doc,GoFiles,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var found []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatalf("decoding the list of packages: %v", err)
		}
		if len(p.GoFiles) > 0 {
			found = append(found, p)
		}
	}
}

// leaves may import the standard library and what is named here, nothing else.
// A name that ends in /... includes all packages below it.
func leaves() map[string][]string {
	const yaml = "go.yaml.in/yaml/v3"
	ours := func(paths ...string) []string {
		for i, path := range paths {
			paths[i] = module + "/" + path
		}
		return paths
	}
	return map[string][]string{
		"pkg/partition":           nil,
		"pkg/token":               ours("pkg/partition"),
		"pkg/identity":            nil,
		"pkg/mapper":              ours("pkg/identity"),
		"pkg/mapper/awsauth":      append(ours("internal/spelling", "pkg/identity", "pkg/mapper", "pkg/partition"), yaml),
		"pkg/token/presign/cache": append(ours("internal/file"), "github.com/gofrs/flock"),
		"pkg/mapper/mappertest":   ours("pkg/identity", "pkg/mapper"),
		"pkg/token/verify":        ours("internal/httpclient", "internal/jsonscan", "pkg/identity", "pkg/token"),
		"pkg/localaws":            ours("pkg/localaws/internal/...", "pkg/localaws/policy", "pkg/localaws/proxy", "pkg/localaws/jwt"),
		"pkg/localaws/sigv4":      nil,
		"pkg/localaws/jwt":        nil,
		"pkg/localaws/policy":     ours("pkg/localaws/internal/pattern"),
		"pkg/localaws/proxy":      ours("pkg/localaws/internal/file", "pkg/localaws/internal/httpserver"),
		"internal/source":         ours("pkg/mapper"),
		"internal/file":           {"github.com/fsnotify/fsnotify"},
		"internal/cluster":        ours("internal/authn", "internal/skew", "internal/source", "pkg/identity", "pkg/mapper", "pkg/token", "pkg/token/verify"),
		"internal/backendmode":    ours("internal/file"),
		"internal/decisions":      ours("internal/authn", "internal/skew", "pkg/mapper"),
		"internal/decisions/pods": ours("internal/cli", "internal/decisions"),
		"internal/unixsocket":     ours("internal/file"),
		"internal/deny":           ours("internal/file", "pkg/identity", "pkg/mapper", "pkg/partition"),
		"internal/limit":          ours("pkg/identity", "pkg/token", "pkg/token/verify"),
		"internal/skew":           ours("pkg/token", "pkg/token/verify"),
		"internal/authn":          append(ours("internal/limit", "internal/skew", "pkg/identity", "pkg/mapper", "pkg/token", "pkg/token/verify"), "golang.org/x/time/rate", "k8s.io/apimachinery/pkg/util/cache"),
		"internal/explain":        ours("internal/authn", "internal/cli", "internal/shell", "internal/skew", "internal/source", "internal/spelling", "pkg/identity", "pkg/mapper", "pkg/partition", "pkg/token", "pkg/token/verify"),
		"internal/shell":          nil,
		"internal/stack":          nil,
		"internal/spelling":       nil,
		"internal/rights":         append(ours("internal/spelling", "pkg/identity", "pkg/mapper"), "k8s.io/api/rbac/v1", "k8s.io/component-helpers/auth/rbac/validation"),
		"internal/jsonscan":       nil,
		"internal/delta":          ours("internal/cli", "pkg/mapper"),
		"internal/roots":          append(ours("internal/cli", "internal/file"), "golang.org/x/crypto/x509roots/fallback/bundle"),
		"internal/settings":       append(ours("internal/certificate", "internal/cli", "internal/config", "internal/file", "internal/kubeconfig", "pkg/identity", "pkg/mapper", "pkg/mapper/awsauth", "pkg/partition", "pkg/token"), "github.com/spf13/pflag"),
		"internal/mappings":       ours("internal/config", "internal/file", "internal/lint", "internal/settings", "pkg/mapper", "pkg/mapper/awsauth"),
		"internal/log":            ours("internal/cli"),
		"internal/gobuild":        nil,
		"internal/controlplane":   append(ours("internal/gobuild"), "k8s.io/apimachinery/pkg/util/version", "sigs.k8s.io/yaml"),
		"internal/cli":            append(ours("internal/encode", "internal/spelling"), "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term"),
		"internal/encode":         {yaml, "sigs.k8s.io/yaml"},
		"internal/lockout":        ours("pkg/identity", "pkg/mapper"),
		"internal/admission":      append(ours("internal/history", "internal/kube", "internal/lockout", "pkg/mapper", "pkg/mapper/awsauth"), "k8s.io/apimachinery/...", "sigs.k8s.io/json"),
		"internal/convert":        ours("internal/encode", "internal/shell", "pkg/mapper"),
		"internal/history":        append(ours("internal/kube"), "k8s.io/apimachinery/...", "k8s.io/client-go/dynamic"),
		"internal/freeport":       nil,
		"internal/health":         nil,
		"internal/httpclient":     nil,
		"internal/httpserver":     append(ours("internal/stack"), "golang.org/x/time/rate"),
		"internal/certificate":    ours("internal/file"),
		"internal/lint":           append(ours("internal/cli", "internal/config", "internal/encode", "internal/source/crd", "internal/source/dynamicfile", "internal/source/mountedfile", "internal/spelling", "pkg/identity", "pkg/mapper", "pkg/mapper/awsauth"), yaml, "golang.org/x/text/width", "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"),
		"internal/kubeconfig":     append(ours("internal/file"), "sigs.k8s.io/yaml", yaml),
		"internal/exposition":     nil,
		"internal/metrics":        ours("internal/admission", "internal/authn", "internal/exposition", "internal/httpserver", "internal/limit", "internal/source", "pkg/mapper", "pkg/token/verify"),
		"internal/webhook":        append(ours("internal/admission", "internal/authn", "internal/httpserver", "internal/jsonscan", "internal/metrics"), "k8s.io/api/...", "k8s.io/apimachinery/...", "golang.org/x/time/rate"),
		"internal/cli/clitest":    append(ours("internal/cli", "internal/freeport", "internal/gobuild"), "github.com/spf13/cobra", "github.com/rogpeppe/go-internal/testscript"),
		"internal/ec2names":       append(ours("pkg/mapper"), "github.com/aws/...", "golang.org/x/sync/...", "golang.org/x/time/rate", "k8s.io/apimachinery/pkg/util/cache"),

		"pkg/localaws/internal/file":          nil,
		"pkg/localaws/internal/httpserver":    nil,
		"pkg/localaws/internal/managedpolicy": ours("pkg/localaws/policy"),
		"pkg/localaws/internal/pattern":       nil,
		"pkg/localaws/internal/sshkey":        nil,
		"pkg/localaws/internal/strictjson":    nil,
		"pkg/localaws/internal/qrcode":        {"rsc.io/qr"},
		"pkg/localaws/internal/trail":         nil,
		"pkg/localaws/internal/image":         nil,
		"pkg/localaws/internal/account":       ours("pkg/localaws/internal/pattern", "pkg/localaws/internal/strictjson", "pkg/localaws/policy"),
		"pkg/localaws/internal/api":           ours("pkg/localaws/internal/account"),
		"pkg/localaws/internal/protocol":      ours("pkg/localaws/internal/api", "pkg/localaws/internal/strictjson"),
		"pkg/localaws/internal/gateway": ours("pkg/localaws/internal/account", "pkg/localaws/internal/api", "pkg/localaws/internal/httpserver", "pkg/localaws/internal/pattern",
			"pkg/localaws/internal/strictjson", "pkg/localaws/internal/trail", "pkg/localaws/sigv4"),

		"pkg/mapper/awsauth/edit": append(ours("pkg/mapper", "pkg/mapper/awsauth"), yaml),
	}
}

func TestLeavesImportOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	seen := 0
	rules := leaves()
	for _, p := range packages(t) {
		allowed, isLeaf := rules[p.path()]
		if !isLeaf {
			continue
		}
		seen++
		for _, imported := range p.Imports {
			if !isStandard(imported) && !matchesAny(imported, allowed) {
				t.Errorf("%s imports %s: it may import the standard library and %v", p.path(), imported, allowed)
			}
		}
	}
	if seen != len(rules) {
		t.Errorf("%d of %d leaves are in the tree: the rules name a package that is gone", seen, len(rules))
	}
}

// importers returns the only packages that may import a library, or another of our
// packages.
func importers() map[string][]string {
	return map[string][]string{
		"k8s.io/client-go/...":                {"internal/kube", "internal/history", "internal/source/...", "pkg/lab/...", "cmd/..."},
		"go.yaml.in/yaml/v3":                  {"pkg/mapper/awsauth/...", "internal/config", "internal/encode", "internal/kubeconfig", "internal/lint"},
		"github.com/fsnotify/fsnotify":        {"internal/file"},
		"rsc.io/qr":                           {"pkg/localaws/internal/qrcode"},
		"sigs.k8s.io/yaml":                    {"internal/...", "pkg/lab/...", "cmd/..."},
		"sigs.k8s.io/controller-runtime/...":  {"pkg/lab/internal/provider/envtest"},
		"github.com/aws/aws-sdk-go-v2/...":    {"pkg/token/presign", "internal/ec2names", "pkg/localaws/localawstest", "pkg/lab/...", "cmd/..."},
		module + "/pkg/localaws":              {"pkg/localaws/localawstest", "pkg/lab/...", "cmd/localaws", "cmd/lab"},
		module + "/pkg/localaws/sigv4":        {"pkg/localaws/internal/gateway"},
		module + "/pkg/localaws/policy":       {"pkg/localaws", "pkg/localaws/internal/account", "pkg/localaws/internal/managedpolicy", "pkg/localaws/internal/service/..."},
		module + "/pkg/localaws/jwt":          {"pkg/localaws", "pkg/localaws/internal/service/sts"},
		module + "/pkg/localaws/proxy":        {"pkg/localaws", "pkg/localaws/localawstest", "pkg/lab/...", "cmd/localaws"},
		module + "/pkg/localaws/localawstest": nil,
		module + "/pkg/mapper/mappertest":     {"internal/source/sourcetest"},
		"sigs.k8s.io/kind/...":                {"pkg/lab/internal/provider/kind"},
		module + "/deploy/kind":               {"pkg/lab/..."},
		module + "/pkg/lab":                   {"pkg/lab/labtest", "cmd/lab"},
		module + "/internal/cli":              {"internal/cli/clitest", "internal/access", "internal/answer", "internal/assembly", "internal/decisions/pods", "internal/delta", "internal/explain", "internal/kube", "internal/lint", "internal/log", "internal/mapedit", "internal/place", "internal/roots", "internal/server", "internal/settings", "cmd/...", "hack/build"},
		module + "/internal/gobuild":          {"internal/controlplane", "internal/cli/clitest", "pkg/lab/labtest", "hack/build"},
		module + "/internal/controlplane":     {"pkg/lab/...", "cmd/lab", "hack/build"},
		module + "/internal/story":            {"pkg/lab"},
		module + "/internal/cli/clitest":      nil,
		module + "/pkg/lab/internal/private":  {"pkg/lab/..."},
		module + "/pkg/lab/internal/process":  {"pkg/lab"},
		module + "/pkg/token/presign/cache":   {"pkg/token/presign"},
		module + "/internal/access":           {"cmd/authenticator"},
		module + "/internal/answer":           {"internal/server", "cmd/authenticator"},
		module + "/internal/assembly":         {"internal/answer", "internal/place", "internal/server", "cmd/authenticator"},
		module + "/internal/delta":            {"internal/mapedit", "cmd/authenticator"},
		module + "/internal/mapedit":          {"cmd/authenticator"},
		module + "/internal/mappings":         {"internal/mapedit", "internal/place", "cmd/authenticator"},
		module + "/internal/place":            {"internal/access", "internal/answer", "internal/mapedit", "internal/server", "cmd/authenticator"},
		module + "/internal/roots":            {"internal/answer", "internal/server", "cmd/authenticator"},
		module + "/internal/server":           {"cmd/authenticator"},
		module + "/internal/settings":         {"internal/answer", "internal/assembly", "internal/mappings", "internal/place", "internal/server", "cmd/authenticator"},
		module + "/internal/webhook":          {"internal/server"},
		module + "/internal/httpserver":       {"internal/metrics", "internal/server", "internal/webhook", "cmd/authenticator"},
		module + "/internal/httpclient":       {"pkg/token/verify"},
		module + "/internal/health":           {"internal/server"},
		module + "/internal/jsonscan":         {"pkg/token/verify", "internal/webhook"},
		module + "/internal/certificate":      {"internal/assembly", "internal/server", "internal/settings"},
		module + "/internal/kubeconfig":       {"internal/settings", "cmd/authenticator"},
		module + "/internal/log":              {"cmd/authenticator"},
		module + "/internal/metrics":          {"internal/assembly", "internal/server", "internal/webhook", "cmd/authenticator"},
		module + "/internal/exposition":       {"internal/metrics"},
		module + "/internal/limit":            {"internal/assembly", "internal/authn", "internal/metrics", "internal/server", "cmd/authenticator"},
		module + "/internal/decisions":        {"internal/decisions/pods", "internal/server", "cmd/authenticator"},
		module + "/internal/decisions/pods":   {"cmd/authenticator"},
		module + "/internal/encode":           {"internal/cli", "internal/convert", "internal/lint", "cmd/authenticator"},
		module + "/internal/stack":            {"internal/httpserver", "pkg/token/presign"},
		module + "/internal/shell":            {"internal/convert", "internal/explain", "internal/kube", "internal/place", "pkg/lab", "pkg/lab/internal/provider", "pkg/token/presign", "cmd/..."},
		module + "/internal/unixsocket":       {"internal/server", "pkg/lab", "cmd/authenticator"},
		module + "/internal/authn":            {"internal/answer", "internal/assembly", "internal/cluster", "internal/decisions", "internal/explain", "internal/metrics", "internal/server", "internal/webhook", "cmd/authenticator"},
		module + "/internal/config":           {"internal/assembly", "internal/lint", "internal/mappings", "internal/server", "internal/settings", "cmd/authenticator"},
		module + "/internal/explain":          {"internal/access", "internal/answer", "internal/place", "internal/server", "cmd/authenticator"},
		module + "/internal/lint":             {"internal/mapedit", "internal/mappings", "cmd/authenticator"},
		module + "/internal/deny":             {"internal/assembly"},
		module + "/internal/cluster":          {"internal/access", "internal/answer", "internal/assembly", "internal/server", "cmd/authenticator"},
		module + "/internal/source":           {"internal/assembly", "internal/cluster", "internal/explain", "internal/metrics", "internal/place", "internal/server", "internal/source/...", "cmd/authenticator"},
		module + "/internal/history":          {"internal/admission", "internal/mapedit", "internal/source/configmap", "cmd/authenticator"},
		module + "/internal/lockout":          {"internal/admission", "internal/assembly", "internal/mapedit", "internal/source/configmap", "internal/source/crd", "cmd/authenticator"},
		module + "/internal/admission":        {"internal/assembly", "internal/mapedit", "internal/metrics", "internal/server", "internal/webhook", "cmd/authenticator"},
		module + "/internal/convert":          {"cmd/authenticator"},
		module + "/internal/kube":             {"internal/access", "internal/admission", "internal/assembly", "internal/history", "internal/mapedit", "internal/place", "internal/source/...", "cmd/authenticator"},
		module + "/internal/ec2names":         {"internal/assembly"},
		module + "/internal/rights":           {"internal/access", "internal/kube"},

		module + "/pkg/localaws/internal/gateway":       {"pkg/localaws"},
		module + "/pkg/localaws/internal/managedpolicy": {"pkg/localaws", "pkg/localaws/internal/service/iam"},
		module + "/pkg/localaws/internal/service/...":   {"pkg/localaws"},
		module + "/pkg/localaws/internal/service/toy":   nil,

		module + "/pkg/lab/internal/private/privatetest": nil,
		module + "/internal/source/sourcetest":           nil,
		module + "/internal/controlplane/indextest":      nil,
	}
}

func TestLibrariesAreImportedOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for library, allowed := range importers() {
			for _, imported := range p.Imports {
				if matches(imported, library) && !matchesAny(p.path(), allowed) {
					t.Errorf("%s imports %s: only %v may", p.path(), imported, allowed)
				}
			}
		}
	}
}

// The credential plugin runs at every kubectl call: what registers whole API groups,
// brings all kinds of Kubernetes, parses every public CA or starts collectors has no
// place in its program.
func TestAuthenticatorStartsLight(t *testing.T) {
	t.Parallel()
	all := packages(t)
	i := slices.IndexFunc(all, func(p listed) bool { return p.path() == "cmd/authenticator" })
	if i < 0 {
		t.Fatal("cmd/authenticator is not in the tree")
	}
	for _, dependency := range all[i].Deps {
		if matchesAny(dependency, []string{
			"k8s.io/client-go/kubernetes/...", "k8s.io/api/core/...", "k8s.io/api/admission/...", "k8s.io/api/authentication/...", "sigs.k8s.io/controller-runtime/...", "golang.org/x/crypto/x509roots/fallback",
			"github.com/prometheus/...", "google.golang.org/protobuf/...", "runtime/metrics", "expvar",
		}) {
			t.Errorf("cmd/authenticator links %s", dependency)
		}
	}
	for _, p := range all {
		if p.path() != "cmd/authenticator" && !slices.Contains(all[i].Deps, p.ImportPath) {
			continue
		}
		for _, file := range files(t, p) {
			for _, declaration := range file.syntax.Decls {
				if d, ok := declaration.(*ast.GenDecl); ok && d.Tok == token.VAR {
					for _, spec := range d.Specs {
						value := spec.(*ast.ValueSpec)
						if slices.ContainsFunc(value.Values, func(e ast.Expr) bool { return called(e) == "regexp.MustCompile" }) {
							t.Errorf("%s: %s is compiled at start: use sync.OnceValue", file.position(value), value.Names[0])
						}
					}
				}
			}
		}
	}
}

func TestTokenDependsOnTheStandardLibraryAlone(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if p.path() == "pkg/token" || strings.HasPrefix(p.path(), "pkg/localaws") && p.Name != "localawstest" {
			for _, dependency := range p.Deps {
				// Local AWS draws QR codes with a library, in one package.
				if !isStandard(dependency) && !strings.HasPrefix(dependency, module) && !matchesAny(dependency, []string{"rsc.io/qr/..."}) {
					t.Errorf("%s depends on %s", p.path(), dependency)
				}
			}
		}
	}
}

// A service of local AWS imports no other: what crosses services goes through a
// transaction. So each can be read, moved and replaced alone.
func TestAServiceImportsNoOther(t *testing.T) {
	t.Parallel()
	const internal = module + "/pkg/localaws/internal/"
	allowed := []string{internal + "account", internal + "api", internal + "httpserver", internal + "image", internal + "managedpolicy", internal + "pattern", internal + "protocol", internal + "qrcode", internal + "sshkey", internal + "strictjson", internal + "trail", module + "/pkg/localaws/policy", module + "/pkg/localaws/jwt"}
	seen := 0
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.ImportPath, internal+"service/") {
			continue
		}
		seen++
		for _, imported := range p.Imports {
			if !isStandard(imported) && !matchesAny(imported, allowed) {
				t.Errorf("%s imports %s: a service may import the standard library and %v", p.path(), imported, allowed)
			}
		}
	}
	if seen == 0 {
		t.Error("no service is in the tree")
	}
}

func TestPackagesAreNamedAndDescribed(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc"}, p.Name) {
			t.Errorf("%s: %q says nothing about what is in it", p.path(), p.Name)
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}

// Only who asks AWS can say that AWS has proven an identity.
func TestOnlyVerifyProves(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, p := range packages(t) {
		inspect(t, p, func(position string, node ast.Node) {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok || selector.Sel.Name != "Proven" {
				return
			}
			if calls++; p.path() != "pkg/token/verify" {
				t.Errorf("%s: identity.Proven outside of pkg/token/verify", position)
			}
		})
	}
	if calls != 1 {
		t.Errorf("identity.Proven is used %d times, want once", calls)
	}
}

func TestOnlyMainExits(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		inspect(t, p, func(position string, node ast.Node) {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return
			}
			switch name := callee(call); {
			case name == "os.Exit" || strings.HasPrefix(name, "log.Fatal") || strings.HasPrefix(name, "log.Panic"):
				if !strings.HasSuffix(position, "main.go") {
					t.Errorf("%s: %s outside main", position, name)
				}
			case name == "panic":
				if p.Name != "main" {
					t.Errorf("%s: panic", position)
				}
			}
		})
	}
}

func TestNoInitAndNoMutableGlobals(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, file := range files(t, p) {
			for _, declaration := range file.syntax.Decls {
				switch d := declaration.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil && d.Name.Name == "init" {
						t.Errorf("%s: func init", file.position(d))
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						if value, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR && mutable(value) && (p.Name != "main" || value.Names[0].Name != "version") {
							t.Errorf("%s: package-level variable %s can change", file.position(value), value.Names[0])
						}
					}
				}
			}
		}
	}
}

// mutable reports whether a package-level variable could be changed: all but
// sentinel errors, also those of another package, compiled patterns, what is made once,
// assertions and embedded texts.
func mutable(value *ast.ValueSpec) bool {
	if embedded(value) {
		return false
	}
	for i, name := range value.Names {
		if name.Name == "_" {
			continue
		}
		if i >= len(value.Values) {
			return true
		}
		if other, ok := value.Values[i].(*ast.SelectorExpr); ok && name.Name == other.Sel.Name && strings.HasPrefix(name.Name, "Err") {
			continue
		}
		if slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "pattern.New", "sync.OnceValue"}, called(value.Values[i])) {
			continue
		}
		return true
	}
	return false
}

// embedded reports whether the compiler fills a variable with a file's text, or with
// files that only it can write.
func embedded(value *ast.ValueSpec) bool {
	switch kind := value.Type.(type) {
	case *ast.Ident:
		if kind.Name != "string" {
			return false
		}
	case *ast.SelectorExpr:
		if library, ok := kind.X.(*ast.Ident); !ok || library.Name != "embed" || kind.Sel.Name != "FS" {
			return false
		}
	default:
		return false
	}
	return value.Doc != nil && slices.ContainsFunc(value.Doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

type sourceFile struct {
	set    *token.FileSet
	syntax *ast.File
}

func (f sourceFile) position(node ast.Node) string {
	position := f.set.Position(node.Pos())
	return fmt.Sprintf("%s:%d", position.Filename, position.Line)
}

func files(t *testing.T, p listed) []sourceFile {
	t.Helper()
	var parsed []sourceFile
	for _, name := range p.GoFiles {
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatalf("parsing %s: %v", name, err)
		}
		parsed = append(parsed, sourceFile{set, syntax})
	}
	return parsed
}

func inspect(t *testing.T, p listed, visit func(position string, node ast.Node)) {
	t.Helper()
	for _, file := range files(t, p) {
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			if node != nil {
				visit(strings.Split(file.position(node), ":")[0], node)
			}
			return true
		})
	}
}

// called is the name of what an expression calls; empty if it is no call.
func called(e ast.Expr) string {
	if call, ok := e.(*ast.CallExpr); ok {
		return callee(call)
	}
	return ""
}

// callee is the name of what is called, as it is written: os.Exit, panic.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// isStandard reports whether an import path is the standard library's: its
// first element has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func matchesAny(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(path, pattern) })
}

func matches(path, pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return path == pattern
}
