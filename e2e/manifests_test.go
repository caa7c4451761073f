//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// deployment is the directory of what an operator applies to a cluster.
const deployment = "deploy/kubernetes"

func manifest(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(filepath.Join("..", deployment, path))
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

// TestManifests has the kube-apiserver validate everything that an operator applies.
func TestManifests(t *testing.T) {
	s := newShell(t, awsCLIs(t)[0])
	for _, printed := range []string{
		"kubectl kustomize " + manifest(t, "base"),
		"kubectl kustomize " + manifest(t, "overlays/example"),
		"kubectl kustomize " + manifest(t, "testdata/crd"),
		"cat " + manifest(t, "static-pod/authenticator.yaml"),
		"cat " + manifest(t, "static-pod/rbac.yaml"),
		"cat " + manifest(t, "static-pod/configmaps.yaml"),
		"cat " + manifest(t, "overlays/example/aws-auth.yaml"),
	} {
		s.run(printed + " | kubectl apply --dry-run=server --validate=strict --filename -")
	}
}

// TestExampleOfAWSAuth reads the example as the server does.
func TestExampleOfAWSAuth(t *testing.T) {
	text, err := os.ReadFile(manifest(t, "overlays/example/aws-auth.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &configMap); err != nil {
		t.Fatal(err)
	}
	result := awsauth.Parse(configMap.Data, nil, awsauth.Options{Partition: "aws", RolePaths: mapper.RolePathsIgnore})
	for _, problem := range result.Problems {
		t.Error(problem)
	}
}

// TestRightsOfTheManifests runs the authenticator with the arguments and the
// ServiceAccount of the manifests: its permissions suffice to follow aws-auth and to
// report on it, and allow nothing more.
func TestRightsOfTheManifests(t *testing.T) {
	s := newShell(t, awsCLIs(t)[0])
	kubeconfig := accountOfTheManifests(s)
	for asked, want := range map[string]string{
		"list configmaps/aws-auth":             "yes",
		"watch configmaps/aws-auth":            "yes",
		"create events":                        "yes",
		"get configmaps/aws-auth-last-good":    "yes",
		"update configmaps/aws-auth-last-good": "yes",
		"update configmaps/aws-auth-history":   "yes",
		"create configmaps":                    "no",
		"delete configmaps/aws-auth-last-good": "no",
		"list configmaps":                      "no",
		"update configmaps/aws-auth":           "no",
		"get secrets":                          "no",
	} {
		if answer := s.try("kubectl auth can-i --namespace kube-system --kubeconfig " + kubeconfig + " " + asked); strings.TrimSpace(answer.stdout) != want {
			t.Errorf("may it %s? %s%s, and it should be %s", asked, answer.stdout, answer.stderr, want)
		}
	}

	serve(s, append(argumentsOfTheManifests(s), "--kubeconfig="+kubeconfig)...)
	setAWSAuth(t, map[string]string{"mapAccounts": "nobody"})
	version := s.run("kubectl get configmap aws-auth --namespace kube-system --output 'jsonpath={.metadata.resourceVersion}'")
	eventually(t, watchDelay+eventDelay, "reported by both the lab's server and this one", func() bool {
		return len(strings.Fields(s.run("kubectl get events --namespace kube-system --output name --field-selector reason=SectionNotList,involvedObject.resourceVersion="+version))) == 2
	})
}

// accountOfTheManifests creates the ServiceAccount of the manifests with its rights, and
// returns a kubeconfig for it.
func accountOfTheManifests(s *shell) string {
	s.t.Helper()
	rights := manifest(s.t, "base/rbac.yaml")
	s.run("kubectl apply --namespace kube-system --filename " + rights)
	s.t.Cleanup(func() { s.run("kubectl delete --namespace kube-system --filename " + rights) })
	kubeconfig := s.write("of-the-account", s.run("kubectl config view --raw"))
	s.run("kubectl config set-credentials authenticator --token \"$(kubectl create token authenticator --namespace kube-system)\" --kubeconfig " + kubeconfig)
	s.run("kubectl config set-context --current --user authenticator --kubeconfig " + kubeconfig)
	return kubeconfig
}

// eventDelay is how long an Event may wait for earlier ones: the server writes five
// per second, and another story's edits may have left 64.
const eventDelay = 15 * time.Second

// argumentsOfTheManifests returns the container's arguments, with its environment
// expanded.
func argumentsOfTheManifests(s *shell) []string {
	s.t.Helper()
	var list struct{ Items []json.RawMessage }
	s.decode("kubectl kustomize "+manifest(s.t, "overlays/example")+" | kubectl apply --dry-run=server --output json --filename -", &list)
	values, arguments := map[string]string{}, []string(nil)
	for _, item := range list.Items {
		var object struct {
			metav1.TypeMeta
			Data map[string]string
			Spec struct{ Template corev1.PodTemplateSpec }
		}
		if err := json.Unmarshal(item, &object); err != nil {
			s.t.Fatal(err)
		}
		switch object.Kind {
		case "ConfigMap":
			for key, value := range object.Data {
				values["$("+strings.ToUpper(strings.ReplaceAll(key, "-", "_"))+")"] = value
			}
		case "DaemonSet":
			arguments = object.Spec.Template.Spec.Containers[0].Args
		}
	}
	for i, argument := range arguments {
		for reference, value := range values {
			argument = strings.ReplaceAll(argument, reference, value)
		}
		arguments[i] = argument
	}
	return arguments
}
