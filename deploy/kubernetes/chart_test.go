package kubernetes_test

import (
	"maps"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"sigs.k8s.io/yaml"
)

// TestChartRefuses checks that what is wrong with values is said by name.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ values, says string }{
		{"{}", "clusterID must be set"},
		{"clusterID: 7", "'/clusterID': got number, want string"},
		{"{clusterID: c, clusterId: c}", "'clusterId' not allowed"},
		{"{clusterID: c, clusterOwnerARNs: [ClusterOwner]}", "'/clusterOwnerARNs/0'"},
		{"{clusterID: c, stsRegions: [Europe]}", "'/stsRegions/0'"},
		{"{clusterID: c, stsRegions: ['eu-west-2,eu-west-1']}", "'/stsRegions/0'"},
		{"{clusterID: c, stsRegions: eu-west-2}", "'/stsRegions': got string, want array"},
		{"{clusterID: c, extraArgs: [server]}", "'/extraArgs/0'"},
		{"{clusterID: c, extraEnv: [{value: v}]}", "'/extraEnv/0': missing property 'name'"},
		{"{clusterID: c, aws: {profile: p}}", "'/aws': additional properties 'profile' not allowed"},
		{"{clusterID: c, image: {digest: v1}}", "'/image/digest'"},
		{"{clusterID: c, kind: StatefulSet}", "'/kind': value must be one of 'DaemonSet', 'Deployment'"},
		{"{clusterID: c, deployment: {replicas: 0}}", "'/deployment/replicas': minimum"},
		{"{clusterID: c, deployment: {networkPolicy: {from: [{cidr: 192.0.2.0/24}]}}}", "'/deployment/networkPolicy/from/0'"},
		{"{clusterID: c, deployment: {networkPolicy: {egressPorts: [https]}}}", "'/deployment/networkPolicy/egressPorts/0'"},
		{"{clusterID: c, certificate: {source: file}}", "'/certificate/source'"},
		{"{clusterID: c, certificate: {certManager: {issuerRef: {kind: ClusterIssuer}}}}", "'/certificate/certManager/issuerRef'"},
		{"{clusterID: c, certificate: {certManager: {duration: 90d}}}", "'/certificate/certManager/duration'"},
		{"{clusterID: c, certificate: {source: secret}}", "certificate.secretName must be set"},
		{"{clusterID: c, certificate: {secretName: s}}", "certificate.secretName is set, but certificate.source is host (set secret)"},
		{"{clusterID: c, admission: {enabled: true}}", "admission.caBundle must be set, because admission is enabled and certificate.source is host"},
		{"{clusterID: c, admission: {caBundle: '-----BEGIN'}}", "'/admission/caBundle'"},
		{"{clusterID: c, kind: Deployment}", "certificate.source is host, which only a DaemonSet supports"},
		{"{clusterID: c, resources: {limits: {memory: 64Mi}, requests: null}}", "'/resources': missing property 'requests'"},
		{"{clusterID: c, affinity: {nodeSelector: {}}}", "'/affinity'"},
		{"{clusterID: c, podAnnotations: {a: 1}}", "'/podAnnotations/a'"},
		{"{clusterID: c, monitoring: {podMonitor: {interval: often}}}", "'/monitoring/podMonitor/interval'"},
		{"{clusterID: c, monitoring: {dashboard: {enabled: yes please}}}", "'/monitoring/dashboard/enabled'"},
	} {
		_, err := renderChart(c.values)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s\ngot  %v\nwant %s", c.values, err, c.says)
		}
	}
}

func TestChartIsClean(t *testing.T) {
	t.Parallel()
	for _, values := range []map[string]any{nil, {"clusterID": "c"}} {
		for _, message := range lint.RunAll("chart", values, "kube-system").Messages {
			if message.Severity > support.InfoSev {
				t.Error(message)
			}
		}
	}
}

// TestNotes checks that what is left to do depends on what was chosen.
func TestNotes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values       string
		says, hushes []string
	}{
		{
			"clusterID: c",
			[]string{"serves cluster c", "install -d -o 10000", "daemonset/authenticator", "clusterOwnerARNs is empty", "get-token --cluster-name c", "Set stsRegions"},
			[]string{"get secret"},
		},
		{
			"{clusterID: c, clusterOwnerARNs: ['arn:aws:iam::111122223333:role/R'], stsRegions: [eu-west-2], certificate: {source: cert-manager}}",
			[]string{"get secret authenticator-serving", "server: https://127.0.0.1:21362/authenticate\n"},
			[]string{"install -d", "clusterOwnerARNs", "tls-server-name", "stsRegions"},
		},
		{
			"{clusterID: c, kind: Deployment, deployment: {clusterIP: 10.0.0.9}, certificate: {source: secret, secretName: s}}",
			[]string{"get secret s ", "server: https://10.0.0.9/authenticate\n", "tls-server-name: authenticator.kube-system.svc"},
			[]string{"install -d"},
		},
	} {
		rendered, err := renderChart(c.values)
		if err != nil {
			t.Fatal(err)
		}
		notes := rendered["authenticator/templates/NOTES.txt"]
		for _, words := range c.says {
			if !strings.Contains(notes, words) {
				t.Errorf("%s: the notes do not say %q:\n%s", c.values, words, notes)
			}
		}
		for _, words := range c.hushes {
			if strings.Contains(notes, words) {
				t.Errorf("%s: the notes say %q:\n%s", c.values, words, notes)
			}
		}
	}
}

// TestEveryValueActs takes the values of the file that has them all away, one by
// one: without it something else must be rendered.
func TestEveryValueActs(t *testing.T) {
	t.Parallel()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, "testdata/everything.values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	rendered := func() map[string]string {
		text, err := yaml.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := renderChart(string(text))
		if err != nil {
			return map[string]string{"error": err.Error()}
		}
		return rendered
	}
	all := rendered()
	var without func(in map[string]any, path string)
	without = func(in map[string]any, path string) {
		for key, value := range maps.Clone(in) {
			if inner, ok := value.(map[string]any); ok {
				without(inner, path+key+".")
				continue
			}
			delete(in, key)
			if maps.Equal(all, rendered()) {
				t.Errorf("%s%s changes nothing", path, key)
			}
			in[key] = value
		}
	}
	without(values, "")
}
