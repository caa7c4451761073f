//go:build e2e

package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
)

// terraformModules are the directories of testdata/terraform that the test applies.
func terraformModules() []string { return []string{"iam", "cloudtrail", "vpc", "eks"} }

// TestTerraform applies each module, plans it again, changes it, imports what it made,
// and destroys it. Every plan after an apply or an import must be empty.
func TestTerraform(t *testing.T) {
	plugins := os.Getenv("TF_PLUGIN_DIR")
	program, err := exec.LookPath("terraform")
	if err != nil || plugins == "" {
		t.Skipf("nothing tests terraform: it needs terraform on the PATH (%v) and a directory with the AWS provider in TF_PLUGIN_DIR (%q)", err, plugins)
	}
	for _, module := range terraformModules() {
		t.Run(module, func(t *testing.T) {
			tf := newTerraform(t, program, module)
			tf.run("init", "-plugin-dir="+plugins)
			tf.apply("before")
			tf.apply("after")
			tf.importAgain("after")
			tf.run("destroy", "-auto-approve", "-var=change=after")
		})
	}
}

// A terraform is terraform in a directory, led to a local AWS.
type terraform struct {
	t            *testing.T
	program, dir string
	environment  []string
}

func newTerraform(t *testing.T, program, module string) *terraform {
	t.Helper()
	l := start(t, byProxy)
	// Terraform creates this cluster; it becomes ACTIVE because it has an API server.
	l.server.NewCluster(t, "terraform", "https://127.0.0.1:1", l.server.CA())
	if _, err := eks.NewFromConfig(l.server.SDK()).DeleteCluster(t.Context(), &eks.DeleteClusterInput{Name: aws.String("terraform")}); err != nil {
		t.Fatal(err)
	}
	tf := &terraform{t: t, program: program, dir: t.TempDir()}
	settings := filepath.Join(tf.dir, "terraform.rc") // none of this machine's
	source := filepath.Join("testdata", "terraform")
	if err := errors.Join(
		os.WriteFile(settings, nil, 0o600),
		os.CopyFS(tf.dir, os.DirFS(filepath.Join(source, module))),
		os.Link(filepath.Join(source, "provider.tf"), filepath.Join(tf.dir, "provider.tf")),
	); err != nil {
		t.Fatal(err)
	}
	tf.environment = slices.Concat(l.environment, []string{"TF_CLI_CONFIG_FILE=" + settings, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_CLI_ARGS_apply=-no-color", "TF_CLI_ARGS_plan=-no-color", "TF_CLI_ARGS_destroy=-no-color", "CHECKPOINT_DISABLE=1"})
	return tf
}

// apply applies the module with a value of its variable; a plan is then empty.
func (tf *terraform) apply(change string) {
	tf.t.Helper()
	tf.run("apply", "-auto-approve", "-var=change="+change)
	tf.planIsEmpty(change)
}

func (tf *terraform) planIsEmpty(change string) {
	tf.t.Helper()
	tf.run("plan", "-detailed-exitcode", "-var=change="+change) // it exits with 2 if there are changes
}

// importAgain forgets the resources in the module's output "imports", which maps them
// to their IDs, and imports them. Nothing may differ then.
func (tf *terraform) importAgain(change string) {
	tf.t.Helper()
	var ids map[string]string
	if err := json.Unmarshal([]byte(tf.run("output", "-json", "imports")), &ids); err != nil {
		tf.t.Fatal(err)
	}
	var blocks strings.Builder
	forget := []string{"rm"}
	for resource, id := range ids {
		forget = append(forget, resource)
		fmt.Fprintf(&blocks, "import {\n  to = %s\n  id = %q\n}\n", resource, id)
	}
	tf.run("state", forget...)
	if err := os.WriteFile(filepath.Join(tf.dir, "imports.tf"), []byte(blocks.String()), 0o600); err != nil {
		tf.t.Fatal(err)
	}
	output := tf.run("apply", "-auto-approve", "-var=change="+change)
	if want := fmt.Sprintf("Resources: %d imported, 0 added, 0 changed, 0 destroyed.", len(ids)); !strings.Contains(output, want) {
		tf.t.Errorf("nothing says %s\n%s", want, output)
	}
	tf.planIsEmpty(change)
}

// run runs a command, which must succeed, and returns its output.
func (tf *terraform) run(command string, arguments ...string) string {
	tf.t.Helper()
	ctx, cancel := context.WithTimeout(tf.t.Context(), 5*time.Minute)
	defer cancel()
	began := time.Now()
	run := exec.CommandContext(ctx, tf.program, append([]string{command}, arguments...)...)
	run.Dir, run.Env, run.WaitDelay = tf.dir, tf.environment, 10*time.Second
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	output, err := run.CombinedOutput()
	line := "terraform " + command + " " + strings.Join(arguments, " ")
	if err != nil {
		tf.t.Fatalf("%s: %v\n%s", line, err, output)
	}
	tf.t.Logf("%s: %s, %.1f s", line, summary(string(output)), time.Since(began).Seconds())
	return string(output)
}

// summary returns the line of the output that says what happened.
func summary(output string) string {
	for line := range strings.Lines(output) {
		for _, start := range []string{"Apply complete!", "Destroy complete!", "No changes.", "Terraform has been successfully"} {
			if strings.HasPrefix(line, start) {
				return strings.TrimSpace(line)
			}
		}
	}
	return "done"
}
