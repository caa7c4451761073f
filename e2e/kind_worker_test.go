//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// kubeletKubeconfig is the kubeconfig with which a kubelet signs in.
const kubeletKubeconfig = "/etc/kubernetes/kubelet.conf"

// TestWorkerJoinsThroughIAM: the worker joins with the role of its EC2 instance, and
// has no other credentials.
func TestWorkerJoinsThroughIAM(t *testing.T) {
	onKind(t)
	worker := worker(t)
	if !worker.ready() {
		t.Errorf("%s is not ready", worker.name)
	}

	if command := worker.run("sh", "-c", `tr '\0' ' ' < /proc/$(pidof kubelet)/cmdline`); !strings.Contains(command, "--kubeconfig="+kubeletKubeconfig+" ") || strings.Contains(command, "--bootstrap-kubeconfig") {
		t.Errorf("the kubelet is started by %s", command)
	}
	var kubeconfig struct {
		Users []struct{ User map[string]any }
	}
	worker.decode(&kubeconfig, "kubectl", "--kubeconfig="+kubeletKubeconfig, "config", "view", "--raw", "--output=json")
	if users := kubeconfig.Users; len(users) != 1 || len(users[0].User) != 1 || users[0].User["exec"] == nil {
		t.Errorf("the kubelet's kubeconfig has more than one exec plugin: %v", users)
	}
	if files := worker.run("ls", "/var/lib/kubelet/pki"); strings.Contains(files, "kubelet-client") {
		t.Errorf("the kubelet has got itself a client certificate: %s", files)
	}

	var review authenticationv1.SelfSubjectReview
	worker.decode(&review, "kubectl", "--kubeconfig="+kubeletKubeconfig, "auth", "whoami", "--output=json")
	user := review.Status.UserInfo
	if user.Username != "system:node:"+worker.name {
		t.Errorf("Username = %q", user.Username)
	}
	if want := []string{"system:bootstrappers", "system:nodes", "system:authenticated"}; !slices.Equal(user.Groups, want) {
		t.Errorf("Groups = %q, want %q", user.Groups, want)
	}
	if want := "arn:aws:sts::231144931069:assumed-role/KubedemyNode/i-"; len(user.Extra["arn"]) != 1 || !strings.HasPrefix(user.Extra["arn"][0], want) {
		t.Errorf("arn = %q, want %s…", user.Extra["arn"], want)
	}
}

// TestPodAsksAWS runs a pod with an authenticator on the worker, and verifies a
// token in it: in the pod, AWS's names resolve to local AWS, which has a certificate
// for them. The pod does not use a proxy.
func TestPodAsksAWS(t *testing.T) {
	onKind(t)
	worker := worker(t)
	const image = "kube-iam/authenticator:whose"
	worker.load(newImage(t, image))
	admin := newShell(t, awsCLIs(t)[0])
	admin.run("kubectl create configmap local-aws --from-file ca.pem=$AWS_CA_BUNDLE --from-literal 'aws-auth=mapUsers: []'")
	t.Cleanup(func() { admin.run("kubectl delete --now --ignore-not-found pod/whose configmap/local-aws") })
	admin.write("pod.yaml", fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata:
  name: whose
spec:
  containers:
  - name: authenticator
    image: %s
    imagePullPolicy: Never
    args: [server, --cluster-id=kubedemy, --aws-auth-file=/local-aws/aws-auth, --state-dir=/state, --generate-kubeconfig=/state/kubeconfig]
    env:
    - {name: AWS_CA_BUNDLE, value: /local-aws/ca.pem}
    volumeMounts:
    - {name: state, mountPath: /state}
    - {name: local-aws, mountPath: /local-aws}
  securityContext: {fsGroup: 10000}
  volumes:
  - {name: state, emptyDir: {}}
  - {name: local-aws, configMap: {name: local-aws}}
`, image))
	admin.run("kubectl apply -f pod.yaml")
	admin.run("kubectl wait --for=condition=Ready pod/whose --timeout=60s")
	if on := admin.run("kubectl get pod whose -o jsonpath={.spec.nodeName}"); on != worker.name {
		t.Errorf("the pod runs on %s", on)
	}
	eventually(t, watchDelay, "a log", func() bool { return strings.Contains(admin.run("kubectl logs whose"), "serving") })

	user := newUser(t, "whose")
	admin.write("token", newTokens(t, user)())
	answer := admin.run("kubectl exec --stdin whose -- /authenticator verify --cluster-id=kubedemy --token=- < token")
	if !strings.Contains(answer, "arn:aws:iam::231144931069:user/whose") {
		t.Errorf("AWS says: %s", answer)
	}
}

// TestNodesFindAWS: on the nodes, and in what runs beside kube-apiserver, AWS's
// names resolve to local AWS. They do not use a proxy.
func TestNodesFindAWS(t *testing.T) {
	onKind(t)
	plane := controlPlane(t)
	for _, name := range []string{"sts", "iam", "sts.eu-west-2", "ec2.eu-west-2", "eks.eu-west-2", "sts.us-east-1"} {
		plane.run("curl", "--silent", "--show-error", "--cacert", "/etc/kubernetes/aws-iam-authenticator/aws-ca.pem", "https://"+name+".amazonaws.com/")
	}
	if environment := plane.run("env"); strings.Contains(strings.ToLower(environment), "_proxy=") {
		t.Errorf("the nodes have a proxy: %s", environment)
	}
}
