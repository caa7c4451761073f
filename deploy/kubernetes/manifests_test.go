package kubernetes_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// contentHash is what kustomize puts behind the name of a ConfigMap.
var contentHash = regexp.MustCompile("-[0-9a-z]{10}$")

// TestObjects holds what a flavour is made of, and that nothing else is.
func TestObjects(t *testing.T) {
	t.Parallel()
	const (
		rights     = " Role/authenticator RoleBinding/authenticator"
		account    = " ServiceAccount/authenticator"
		kept       = "ConfigMap/aws-auth-history ConfigMap/aws-auth-last-good "
		daemonSet  = "DaemonSet/authenticator PodDisruptionBudget/authenticator" + rights + account
		issuers    = " Issuer/authenticator Issuer/authenticator-self-signed"
		monitoring = " PodMonitor/authenticator PrometheusRule/authenticator"
		guard      = " ValidatingWebhookConfiguration/authenticator"
	)
	want := map[string]string{
		"static pod":            kept + "Pod/authenticator" + rights,
		"base":                  "ConfigMap/authenticator " + kept + daemonSet,
		"example":               "ConfigMap/authenticator " + kept + daemonSet,
		"every component":       "Certificate/authenticator Certificate/authenticator-ca ConfigMap/authenticator ConfigMap/authenticator-dashboard " + kept + "DaemonSet/authenticator" + issuers + " PodDisruptionBudget/authenticator" + monitoring + rights + account + guard,
		"shared CA":             "ConfigMap/authenticator " + kept + daemonSet,
		"chart":                 kept + daemonSet,
		"chart with a Secret":   kept + daemonSet,
		"chart as a Deployment": "Certificate/authenticator Certificate/authenticator-ca " + kept + "Deployment/authenticator" + issuers + " NetworkPolicy/authenticator PodDisruptionBudget/authenticator" + rights + " Service/authenticator" + account,
		"chart with everything": "Certificate/authenticator ConfigMap/authenticator-dashboard " + kept + "Deployment/authenticator NetworkPolicy/authenticator PodDisruptionBudget/authenticator" + monitoring + rights + " Service/authenticator" + account + guard,
	}
	for _, f := range flavours(t) {
		var got []string
		for _, o := range f.objects {
			got = append(got, kind(o)+"/"+contentHash.ReplaceAllString(o.GetName(), ""))
			if o.GetNamespace() != metav1.NamespaceSystem && kind(o) != "ValidatingWebhookConfiguration" {
				t.Errorf("%s: %s is in namespace %q", f.name, got[len(got)-1], o.GetNamespace())
			}
		}
		slices.Sort(got)
		wanted := strings.Fields(want[f.name])
		slices.Sort(wanted)
		if got := strings.Join(got, " "); got != strings.Join(wanted, " ") {
			t.Errorf("%s:\ngot  %s\nwant %s", f.name, got, want[f.name])
		}
	}
}

func kind(o object) string { return o.GetObjectKind().GroupVersionKind().Kind }

// TestArguments checks that all flavours run the same program in the same way.
func TestArguments(t *testing.T) {
	t.Parallel()
	arguments := func(cluster, owners string, more ...string) []string {
		return append([]string{"server", "--cluster-id=" + cluster, "--cluster-owner-arn=" + owners}, more...)
	}
	onHost := func(more ...string) []string {
		return append([]string{"--backend-mode=EKSConfigMap", "--hostname=127.0.0.1", "--address=127.0.0.1"}, more...)
	}
	fromSecret := []string{"--kubeconfig-pregenerated", "--tls-cert-file=/etc/authenticator/certificate/tls.crt", "--tls-private-key-file=/etc/authenticator/certificate/tls.key"}
	onPodNetwork := func(more ...string) []string {
		return slices.Concat([]string{"--backend-mode=EKSConfigMap", "--hostname=authenticator.kube-system.svc", "--address=$(POD_IP)"}, fromSecret, more)
	}
	const (
		cluster = "my-cluster"
		owner   = "arn:aws:iam::111122223333:role/ClusterOwner"
	)
	unset := arguments("", "", "--sts-region=")
	example := arguments(cluster, owner, "--sts-region=eu-west-2")
	want := map[string][]string{
		"static pod":            slices.Concat(unset, onHost("--kubeconfig=/etc/kubernetes/authenticator.conf")),
		"base":                  slices.Concat(unset, onHost()),
		"example":               slices.Concat(example, onHost()),
		"every component":       slices.Concat(example, onHost(fromSecret...), []string{"--metrics-bind-address=[$(HOST_IP)]:21364"}),
		"shared CA":             slices.Concat(example, onHost("--tls-cert-file=/etc/authenticator/ca/tls.crt", "--tls-private-key-file=/etc/authenticator/ca/tls.key")),
		"chart":                 slices.Concat(arguments(cluster, ""), onHost()),
		"chart with a Secret":   slices.Concat(arguments(cluster, ""), onHost(fromSecret...)),
		"chart as a Deployment": slices.Concat(arguments(cluster, ""), onPodNetwork()),
		"chart with everything": slices.Concat(
			arguments("123", owner+",arn:aws:iam::111122223333:user/root", "--sts-region=eu-west-2,eu-west-1"),
			onPodNetwork("--metrics-bind-address=[$(POD_IP)]:21364", "--log-format=json")),
	}
	for _, f := range flavours(t) {
		if diff := cmp.Diff(want[f.name], podOf(t, f.objects).spec.Containers[0].Args); diff != "" {
			t.Errorf("%s: -want +got:\n%s", f.name, diff)
		}
	}
}

// TestChartAndKustomizeAgree compares whole pods: what is good for one is good
// for the other.
func TestChartAndKustomizeAgree(t *testing.T) {
	t.Parallel()
	const values = "clusterID: my-cluster\nclusterOwnerARNs: [arn:aws:iam::111122223333:role/ClusterOwner]\nstsRegions: [eu-west-2]\n"
	for _, pair := range []struct{ chart, kustomization string }{
		{values, "overlays/example"},
		{values + `
certificate: {source: cert-manager}
aws: {credentialsSecret: authenticator-aws}
monitoring:
  podMonitor: {enabled: true}
  prometheusRule: {enabled: true}
  dashboard: {enabled: true}
admission: {enabled: true}`, "testdata/everything"},
	} {
		charted, kustomized := chart(t, pair.chart), kustomization(t, pair.kustomization)
		if diff := cmp.Diff(podOf(t, kustomized).spec, podOf(t, charted).spec); diff != "" {
			t.Errorf("the pod of %s is -, the chart's is +:\n%s", pair.kustomization, diff)
		}
		for _, o := range kustomized {
			twin := find(charted, kind(o), o.GetName())
			if twin == nil {
				// The arguments' own, which are compared in the pod.
				if !contentHash.MatchString(o.GetName()) {
					t.Errorf("%s has %s %s, and the chart has not", pair.kustomization, kind(o), o.GetName())
				}
				continue
			}
			if diff := cmp.Diff(spec(o), spec(twin)); diff != "" {
				t.Errorf("%s %s of %s is -, the chart's is +:\n%s", kind(o), o.GetName(), pair.kustomization, diff)
			}
		}
	}
}

// TestStaticPodIsTheDaemonSets compares the two but for what a static pod cannot
// have, or has from elsewhere.
func TestStaticPodIsTheDaemonSets(t *testing.T) {
	t.Parallel()
	want, got := podOf(t, flavourOf(t, "base")).spec, podOf(t, flavourOf(t, "static pod")).spec
	want.Affinity, want.Tolerations, want.ServiceAccountName, want.DeprecatedServiceAccount = nil, nil, "", ""
	want.AutomountServiceAccountToken = ptr.To(false)
	want.Priority = ptr.To[int32](2000001000)
	const kubeconfig = "/etc/kubernetes/authenticator.conf"
	container := &want.Containers[0]
	container.Args = append(container.Args, "--kubeconfig="+kubeconfig)
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "kubernetes", MountPath: kubeconfig, ReadOnly: true})
	want.Volumes = append(want.Volumes, corev1.Volume{Name: "kubernetes", VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: kubeconfig, Type: ptr.To(corev1.HostPathFile)},
	}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the DaemonSet's is -, the static pod is +:\n%s", diff)
	}
}

// TestPodsAreConfined holds what no flavour may do.
func TestPodsAreConfined(t *testing.T) {
	t.Parallel()
	for _, f := range flavours(t) {
		p := podOf(t, f.objects).spec
		for what, holds := range confinement(p) {
			if !holds {
				t.Errorf("%s: a pod must have %s", f.name, what)
			}
		}
		for _, volume := range p.Volumes {
			switch {
			case volume.Secret != nil || volume.EmptyDir != nil:
			case volume.HostPath != nil && volume.HostPath.Type != nil && *volume.HostPath.Type != corev1.HostPathUnset:
			default:
				t.Errorf("%s: volume %s is neither a Secret, nor empty, nor a path of the host of a stated type", f.name, volume.Name)
			}
		}
	}
}

func confinement(p corev1.PodSpec) map[string]bool {
	pod, c := p.SecurityContext, p.Containers[0]
	container := c.SecurityContext
	return map[string]bool{
		"one container":                    len(p.Containers) == 1 && len(p.InitContainers) == 0 && len(p.EphemeralContainers) == 0,
		"user and group 10000":             *pod.RunAsNonRoot && *pod.RunAsUser == 10000 && *pod.RunAsGroup == 10000 && container.RunAsUser == nil && container.RunAsGroup == nil && container.RunAsNonRoot == nil,
		"the runtime's seccomp profile":    pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault && container.SeccompProfile == nil,
		"a read-only root":                 *container.ReadOnlyRootFilesystem,
		"no way to more rights":            !*container.AllowPrivilegeEscalation && container.Privileged == nil,
		"no capabilities":                  slices.Equal(container.Capabilities.Drop, []corev1.Capability{"ALL"}) && container.Capabilities.Add == nil,
		"the host's network at most":       !p.HostPID && !p.HostIPC && p.ShareProcessNamespace == nil,
		"requests":                         !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(),
		"no limit of CPU":                  c.Resources.Limits.Cpu().IsZero(),
		"probes":                           probes(c, p.HostNetwork),
		"a priority":                       strings.HasPrefix(p.PriorityClassName, "system-"),
		"no environment of other Services": p.EnableServiceLinks != nil && !*p.EnableServiceLinks,
	}
}

// probes reports whether a kubelet asks where the server answers without TLS.
func probes(c corev1.Container, hostNetwork bool) bool {
	host := ""
	if hostNetwork {
		host = "127.0.0.1"
	}
	for path, probe := range map[string][]*corev1.Probe{"/healthz": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
		for _, probe := range probe {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "health" || probe.HTTPGet.Host != host || probe.HTTPGet.Scheme == corev1.URISchemeHTTPS {
				return false
			}
		}
	}
	return slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return port.Name == "health" && port.ContainerPort == 21363 })
}

// TestKeptConfigMaps checks that applying the manifests again, or upgrading the chart,
// leaves the content alone that the server wrote: kubectl and Helm change only the keys
// that a manifest has, or had before.
func TestKeptConfigMaps(t *testing.T) {
	t.Parallel()
	for _, f := range flavours(t) {
		for _, name := range []string{"aws-auth-last-good", "aws-auth-history"} {
			configMap, ok := find(f.objects, "ConfigMap", name).(*corev1.ConfigMap)
			if !ok {
				t.Errorf("%s: there is no ConfigMap %s", f.name, name)
				continue
			}
			if configMap.Data != nil || configMap.BinaryData != nil || configMap.Immutable != nil {
				t.Errorf("%s: %s has data, which would replace what the server wrote", f.name, name)
			}
			if policy := configMap.Annotations["helm.sh/resource-policy"]; strings.HasPrefix(f.name, "chart") != (policy == "keep") {
				t.Errorf("%s: %s has Helm's policy %q", f.name, name, policy)
			}
		}
	}
}

// TestRights checks that the authenticator may follow one ConfigMap, write Events and
// keep two ConfigMaps, and nobody else may by it.
func TestRights(t *testing.T) {
	t.Parallel()
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"aws-auth"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"aws-auth-last-good", "aws-auth-history"}, Verbs: []string{"get", "update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}},
	}
	for _, f := range flavours(t) {
		account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: podOf(t, f.objects).spec.ServiceAccountName, Namespace: metav1.NamespaceSystem}
		if f.name == "static pod" {
			account = rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "aws-iam-authenticator"}
		}
		for _, o := range f.objects {
			switch o := o.(type) {
			case *rbacv1.Role:
				if diff := cmp.Diff(want, o.Rules); diff != "" {
					t.Errorf("%s: -want +got:\n%s", f.name, diff)
				}
			case *rbacv1.RoleBinding:
				if find(f.objects, o.RoleRef.Kind, o.RoleRef.Name) == nil {
					t.Errorf("%s: there is no %s %s to bind", f.name, o.RoleRef.Kind, o.RoleRef.Name)
				}
				if diff := cmp.Diff([]rbacv1.Subject{account}, o.Subjects); diff != "" {
					t.Errorf("%s: -want +got:\n%s", f.name, diff)
				}
			case *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding:
				t.Errorf("%s: %s %s: nothing is needed of the whole cluster", f.name, kind(o), o.GetName())
			case *corev1.ServiceAccount:
				if o.AutomountServiceAccountToken == nil || *o.AutomountServiceAccountToken {
					t.Errorf("%s: ServiceAccount %s gives its token to every pod", f.name, o.Name)
				}
			}
		}
	}
}

// TestGuard checks that the guard is asked about three ConfigMaps and IAMIdentityMappings only, and
// that a server that does not answer blocks nothing for long. All manifests agree but for
// the address and the CA.
func TestGuard(t *testing.T) {
	t.Parallel()
	found := map[string]admissionregistrationv1.ValidatingWebhook{}
	for _, f := range append(flavours(t), flavour{"kind", file(t, "../kind/manifests/admission.yaml")}) {
		if o, ok := find(f.objects, "ValidatingWebhookConfiguration", "authenticator").(*admissionregistrationv1.ValidatingWebhookConfiguration); ok {
			if len(o.Webhooks) != 1 {
				t.Fatalf("%s: %d webhooks", f.name, len(o.Webhooks))
			}
			found[f.name] = o.Webhooks[0]
		}
	}
	want := found["kind"]
	if *want.FailurePolicy != admissionregistrationv1.Ignore || *want.TimeoutSeconds != 3 || *want.SideEffects != admissionregistrationv1.SideEffectClassNone ||
		want.ObjectSelector != nil || *want.ClientConfig.URL != "https://127.0.0.1:21362/validate" {
		t.Errorf("kind: %+v", want)
	}
	for _, name := range []string{"every component", "chart with everything"} {
		ignore := cmpopts.IgnoreTypes(admissionregistrationv1.WebhookClientConfig{})
		if diff := cmp.Diff(want, found[name], ignore); diff != "" {
			t.Errorf("that of kind is -, that of %s is +:\n%s", name, diff)
		}
	}
	service := found["chart with everything"].ClientConfig.Service
	if service == nil || service.Name != "authenticator" || service.Namespace != metav1.NamespaceSystem || *service.Path != "/validate" {
		t.Errorf("a Deployment's guard is at %+v", service)
	}
}

// TestReferences checks that what is named is there.
func TestReferences(t *testing.T) {
	t.Parallel()
	for _, f := range flavours(t) {
		p := podOf(t, f.objects)
		for _, mount := range p.spec.Containers[0].VolumeMounts {
			if !slices.ContainsFunc(p.spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
				t.Errorf("%s: there is no volume %s to mount", f.name, mount.Name)
			}
		}
		if name := p.spec.ServiceAccountName; name != "" && find(f.objects, "ServiceAccount", name) == nil {
			t.Errorf("%s: there is no ServiceAccount %s", f.name, name)
		}
		for _, o := range f.objects {
			for _, selector := range selectors(t, o) {
				if !selector.Matches(labels.Set(p.labels)) {
					t.Errorf("%s: %s %s selects %s, and the pod is %v", f.name, kind(o), o.GetName(), selector, p.labels)
				}
			}
			for _, port := range ports(o) {
				if !slices.ContainsFunc(p.spec.Containers[0].Ports, func(c corev1.ContainerPort) bool { return c.Name == port }) {
					t.Errorf("%s: %s %s names port %s, which the pod has not", f.name, kind(o), o.GetName(), port)
				}
			}
		}
	}
}

// selectors of pods that an object has.
func selectors(t *testing.T, o object) []labels.Selector {
	t.Helper()
	var of *metav1.LabelSelector
	switch o := o.(type) {
	case *appsv1.DaemonSet:
		of = o.Spec.Selector
	case *appsv1.Deployment:
		of = o.Spec.Selector
	case *policyv1.PodDisruptionBudget:
		of = o.Spec.Selector
	case *networkingv1.NetworkPolicy:
		of = &o.Spec.PodSelector
	case *corev1.Service:
		of = &metav1.LabelSelector{MatchLabels: o.Spec.Selector}
	case *monitoringv1.PodMonitor:
		of = &o.Spec.Selector
	default:
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(of)
	if err != nil || selector.Empty() {
		t.Errorf("%s %s selects nothing, or everything (%v)", kind(o), o.GetName(), err)
	}
	return []labels.Selector{selector}
}

// ports of pods that an object names.
func ports(o object) (names []string) {
	switch o := o.(type) {
	case *corev1.Service:
		for _, port := range o.Spec.Ports {
			names = append(names, port.TargetPort.StrVal)
		}
	case *networkingv1.NetworkPolicy:
		for _, rule := range o.Spec.Ingress {
			for _, port := range rule.Ports {
				names = append(names, port.Port.StrVal)
			}
		}
	case *monitoringv1.PodMonitor:
		for _, endpoint := range o.Spec.PodMetricsEndpoints {
			names = append(names, *endpoint.Port)
		}
	}
	return names
}

// TestOneVersion checks that every flavour runs the image of the same version.
func TestOneVersion(t *testing.T) {
	t.Parallel()
	images := map[string][]string{}
	for _, f := range flavours(t) {
		if f.name != "chart with everything" {
			image := podOf(t, f.objects).spec.Containers[0].Image
			images[image] = append(images[image], f.name)
		}
	}
	if len(images) != 1 {
		t.Errorf("there are %d images: %v", len(images), images)
	}
	for image := range images {
		if name, version, _ := strings.Cut(image, ":"); name != "kube-iam/authenticator" || !strings.HasPrefix(version, "v") {
			t.Errorf("the image is %q", image)
		}
	}
}

// TestServingCertificate checks that cert-manager makes the certificate that the
// pod serves by, for the name that the kube-apiserver is given.
func TestServingCertificate(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"every component", "chart as a Deployment", "chart with everything"} {
		objects := flavourOf(t, name)
		p := podOf(t, objects).spec
		certificate, ok := find(objects, "Certificate", "authenticator").(*certmanagerv1.Certificate)
		if !ok {
			t.Fatalf("%s: there is no Certificate", name)
		}
		files := mountAt(p, path.Dir(argument(p, "--tls-cert-file=")))
		if files.Secret == nil || files.Secret.SecretName != certificate.Spec.SecretName || path.Dir(argument(p, "--tls-private-key-file=")) != path.Dir(argument(p, "--tls-cert-file=")) {
			t.Errorf("%s: the server reads %+v, and the certificate is in %s", name, files, certificate.Spec.SecretName)
		}
		if p.SecurityContext.FSGroup == nil {
			t.Errorf("%s: the key is root's alone", name)
		}
		names := slices.Concat(certificate.Spec.DNSNames, certificate.Spec.IPAddresses)
		for _, argument := range p.Containers[0].Args {
			if host, ok := strings.CutPrefix(argument, "--hostname="); ok && !slices.Contains(names, host) {
				t.Errorf("%s: the certificate is for %v, not for %s", name, names, host)
			}
		}
		if left := certificate.Spec.RenewBefore.Duration; left < 30*24*3600e9 || left >= certificate.Spec.Duration.Duration {
			t.Errorf("%s: it is renewed only %s before it expires", name, left)
		}
	}
}

// argument returns the value of an argument of the pod.
func argument(p corev1.PodSpec, name string) string {
	for _, argument := range p.Containers[0].Args {
		if value, ok := strings.CutPrefix(argument, name); ok {
			return value
		}
	}
	return ""
}

// mountAt returns what is mounted in a directory of the pod.
func mountAt(p corev1.PodSpec, dir string) corev1.VolumeSource {
	for _, mount := range p.Containers[0].VolumeMounts {
		for _, volume := range p.Volumes {
			if mount.MountPath == dir && mount.Name == volume.Name && mount.SubPath == "" {
				return volume.VolumeSource
			}
		}
	}
	return corev1.VolumeSource{}
}

// TestSocket checks that the server can create the socket that authenticator why and
// explain ask.
func TestSocket(t *testing.T) {
	t.Parallel()
	for _, f := range flavours(t) {
		p := podOf(t, f.objects).spec
		if state := mountAt(p, "/var/aws-iam-authenticator"); state.EmptyDir == nil && state.HostPath == nil {
			t.Errorf("%s: the state directory is %+v", f.name, state)
		}
		for _, mount := range p.Containers[0].VolumeMounts {
			if mount.MountPath == "/var/aws-iam-authenticator" && mount.ReadOnly {
				t.Errorf("%s: the state directory is read-only", f.name)
			}
		}
	}
}

// TestSharedAuthority checks that every server signs with the CA of the Secret, follows
// it, and writes its own kubeconfig.
func TestSharedAuthority(t *testing.T) {
	t.Parallel()
	p := podOf(t, flavourOf(t, "shared CA")).spec
	container := p.Containers[0]
	mounts := map[string]corev1.VolumeMount{}
	for _, mount := range container.VolumeMounts {
		mounts[mount.Name] = mount
	}
	ca := mounts["ca"]
	if !slices.Contains(container.Args, "--tls-cert-file="+ca.MountPath+"/tls.crt") {
		t.Errorf("the CA is at %s, the arguments are %v", ca.MountPath, container.Args)
	}
	if slices.Contains(container.Args, "--kubeconfig-pregenerated") || mounts["kubeconfig"].ReadOnly || mounts["state"].ReadOnly {
		t.Errorf("it cannot write its kubeconfig or socket: %v, %v", container.Args, container.VolumeMounts)
	}
	if !ca.ReadOnly || ca.SubPath != "" || p.SecurityContext.FSGroup == nil {
		t.Errorf("the mount is %+v, the group %v", ca, p.SecurityContext.FSGroup)
	}
	for _, volume := range p.Volumes {
		if volume.Name == "ca" && (volume.Secret == nil || volume.Secret.SecretName != "authenticator-ca") {
			t.Errorf("the CA comes from %+v", volume)
		}
	}
}

// A pod is a pod, or the template of pods.
type pod struct {
	labels map[string]string
	spec   corev1.PodSpec
}

// podOf is the one pod among objects, with the values from ConfigMaps and of its
// environment filled into its arguments, as a kubelet does.
func podOf(t *testing.T, objects []object) pod {
	t.Helper()
	var found []pod
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Pod:
			found = append(found, pod{o.Labels, o.Spec})
		case *appsv1.DaemonSet:
			found = append(found, pod{o.Spec.Template.Labels, o.Spec.Template.Spec})
		case *appsv1.Deployment:
			found = append(found, pod{o.Spec.Template.Labels, o.Spec.Template.Spec})
		}
	}
	if len(found) != 1 {
		t.Fatalf("there are %d pods, not one", len(found))
	}
	container := &found[0].spec.Containers[0]
	var left []corev1.EnvVar
	for _, variable := range container.Env {
		value, used := variable.Value, false
		if from := variable.ValueFrom; from != nil && from.ConfigMapKeyRef != nil {
			configMap, ok := find(objects, "ConfigMap", from.ConfigMapKeyRef.Name).(*corev1.ConfigMap)
			if !ok {
				t.Fatalf("there is no ConfigMap %s", from.ConfigMapKeyRef.Name)
			}
			if value, ok = configMap.Data[from.ConfigMapKeyRef.Key]; !ok {
				t.Fatalf("ConfigMap %s has no %s", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
			}
		} else if from != nil {
			left = append(left, variable)
			continue
		}
		for i, argument := range container.Args {
			reference := fmt.Sprintf("$(%s)", variable.Name)
			used = used || strings.Contains(argument, reference)
			container.Args[i] = strings.ReplaceAll(argument, reference, value)
		}
		if !used {
			left = append(left, variable)
		}
	}
	container.Env = left
	return found[0]
}

func flavourOf(t *testing.T, name string) []object {
	t.Helper()
	for _, f := range flavours(t) {
		if f.name == name {
			return f.objects
		}
	}
	t.Fatalf("there is no flavour %q", name)
	return nil
}

// find an object, or nil.
func find(objects []object, ofKind, name string) object {
	for _, o := range objects {
		if kind(o) == ofKind && o.GetName() == name {
			return o
		}
	}
	return nil
}

// spec is what an object says beside its name and labels, which a chart has more
// of; and the labels in selectors.
func spec(o object) any {
	switch o := o.(type) {
	case *appsv1.DaemonSet:
		return o.Spec.UpdateStrategy // the pods are compared apart
	case *policyv1.PodDisruptionBudget:
		s := o.Spec.DeepCopy()
		s.Selector = nil
		return *s
	case *rbacv1.Role:
		return o.Rules
	case *rbacv1.RoleBinding:
		return append([]rbacv1.Subject{{Kind: o.RoleRef.Kind, Name: o.RoleRef.Name}}, o.Subjects...)
	case *corev1.ServiceAccount:
		return o.AutomountServiceAccountToken
	case *certmanagerv1.Certificate:
		return o.Spec
	case *certmanagerv1.Issuer:
		return o.Spec
	case *monitoringv1.PodMonitor:
		s := o.Spec.DeepCopy()
		s.Selector = metav1.LabelSelector{}
		return *s
	case *monitoringv1.PrometheusRule:
		return o.Spec
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		return []any{o.Annotations, o.Webhooks}
	case *corev1.ConfigMap:
		return []any{o.Data, o.Labels["grafana_dashboard"]}
	}
	return o
}
