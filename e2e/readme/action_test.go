//go:build e2e

package readme

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestAction runs the commands of action.yml as a workflow does, and then a step that
// uses the lab.
func TestAction(t *testing.T) {
	skipUnless(t, "envtest")
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				Shell, Run string
				Env        map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "action.yml")), &action); err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	path, outputs := filepath.Join(files, "path"), filepath.Join(files, "outputs")
	expressions := []string{"${{ github.action_path }}", root(t)}
	for name, input := range action.Inputs {
		expressions = append(expressions, "${{ inputs."+name+" }}", input.Default)
	}
	script := "export GITHUB_PATH=" + path + " GITHUB_OUTPUT=" + outputs + "\ntrap 'lab down' EXIT\n"
	for i, step := range action.Runs.Steps {
		if step.Run == "" { // it uses another action
			continue
		}
		if step.Shell != "bash" {
			t.Errorf("step %d: shell %q, want bash", i+1, step.Shell)
		}
		file := filepath.Join(files, "step"+strconv.Itoa(i))
		if err := os.WriteFile(file, []byte(step.Run), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, value := range step.Env {
			value = strings.NewReplacer(expressions...).Replace(value)
			if strings.Contains(value, "${{") {
				t.Errorf("step %d: the test does not know the expression %s", i+1, value)
			}
			script += name + "='" + value + "' "
		}
		script += "bash -e -o pipefail " + file + "\n"
	}
	script += "PATH=$(cat $GITHUB_PATH):$PATH\neval \"$(lab env)\"\nkubectl auth can-i '*' '*'\ncat $GITHUB_OUTPUT\n"
	output := run(t, script)
	for _, want := range []string{"\nyes\n", "kubeconfig=/"} {
		if !strings.Contains(output, want) {
			t.Errorf("the steps do not print %q:\n%s", want, output)
		}
	}
}
