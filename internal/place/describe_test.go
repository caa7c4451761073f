package place_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/place"
	"github.com/kube-iam/authenticator/internal/settings"
)

// TestAdding checks where a principal is mapped, by the sources of a server.
func TestAdding(t *testing.T) {
	t.Parallel()
	kubectl := &kube.Kubectl{Context: "arn:aws:eks:eu-west-2:1:cluster/it's"}
	g := &settings.General{ConfigPath: "/etc/a config.yaml"}
	for _, test := range []struct {
		sources, partition string
		strict             bool
		flags, command     string
	}{
		{"EKSConfigMap", "aws", false, "--context arn:aws:eks:eu-west-2:1:cluster/it's", ""},
		{"CRD EKSConfigMap AWSAuthFile", "aws-cn", false, "--context arn:aws:eks:eu-west-2:1:cluster/it's --partition aws-cn", ""},
		{"MountedFile AWSAuthFile", "aws", false, "-f /etc/aws-auth.yaml", ""},
		{"CRD DynamicFile", "aws", false, "-f /etc/entries.json", ""},
		{"DynamicFile", "aws", true, "", "${EDITOR:-vi} +1 /etc/entries.json"},
		{"DynamicFile CRD", "aws", true, "", `printf %s '{"apiVersion":"iamauthenticator.k8s.aws/v1alpha1","kind":"IAMIdentityMapping","metadata":{"generateName":"mapping-"},` +
			`"spec":{"arn":"arn","groups":["it'\''s"],"username":"{{SessionName}}"}}' | kubectl --context 'arn:aws:eks:eu-west-2:1:cluster/it'\''s' create --filename -`},
		{"MountedFile", "aws", false, "", "${EDITOR:-vi} +1 '/etc/a config.yaml'"},
	} {
		m := &settings.Mapping{AWSAuthFile: "/etc/aws-auth.yaml"}
		m.DynamicFile, m.UserIDStrict = "/etc/entries.json", test.strict
		var facts explain.Facts
		for name := range strings.FieldsSeq(test.sources) {
			facts.Sources = append(facts.Sources, place.Describe(g, m, name, kubectl))
		}
		place.Adding(&facts, m, test.partition, kubectl)
		command := ""
		if facts.Add != nil {
			command = facts.Add("arn", "{{SessionName}}", []string{"it's"})
		}
		if flags := strings.Join(facts.MapFlags, " "); flags != test.flags || command != test.command {
			t.Errorf("%s: flags %s, command %s\nwant %s, %s", test.sources, flags, command, test.flags, test.command)
		}
		if out, err := exec.Command("sh", "-n", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("sh does not read %s: %s", command, out)
		}
	}
}
