// Package kubernetes_test renders all that stands here as its users would, and
// holds it to what it promises.
package kubernetes_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	sigsyaml "sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Helm logs the chart's symbolic link each time
	os.Exit(m.Run())
}

// An object is any Kubernetes object.
type object interface {
	runtime.Object
	metav1.Object
}

// A flavour is one way to deploy the authenticator.
type flavour struct {
	name    string
	objects []object
}

// flavours are the ways that differ in more than a value.
func flavours(t *testing.T) []flavour {
	t.Helper()
	return []flavour{
		{"static pod", slices.Concat(file(t, "static-pod/authenticator.yaml"), file(t, "static-pod/configmaps.yaml"), file(t, "static-pod/rbac.yaml"))},
		{"base", kustomization(t, "base")},
		{"example", kustomization(t, "overlays/example")},
		{"every component", kustomization(t, "testdata/everything")},
		{"shared CA", kustomization(t, "testdata/shared-ca")},
		{"chart", chart(t, "clusterID: my-cluster")},
		{"chart with a Secret", chart(t, `{clusterID: my-cluster, certificate: {source: secret, secretName: serving}}`)},
		{"chart as a Deployment", chart(t, `{clusterID: my-cluster, kind: Deployment, certificate: {source: cert-manager}}`)},
		{"chart with everything", chart(t, read(t, "testdata/everything.values.yaml"))},
	}
}

// chart renders the chart as `helm install authenticator --namespace kube-system`.
func chart(t *testing.T, values string) []object {
	t.Helper()
	rendered, err := renderChart(values)
	if err != nil {
		t.Fatal(err)
	}
	var objects []object
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(name, ".yaml") {
			objects = append(objects, decode(t, name, []byte(rendered[name]))...)
		}
	}
	return objects
}

func renderChart(values string) (map[string]string, error) {
	loaded, err := loader.Load("chart")
	if err != nil {
		return nil, err
	}
	given, err := common.ReadValues([]byte(values))
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "authenticator", Namespace: metav1.NamespaceSystem, IsInstall: true}
	all, err := util.ToRenderValues(loaded, given, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(loaded, all)
}

// kustomization builds a directory as `kubectl kustomize`.
func kustomization(t *testing.T, dir string) []object {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, dir, text)
}

func file(t *testing.T, path string) []object {
	t.Helper()
	return decode(t, path, []byte(read(t, path)))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// decode reads objects into their own types. A field that the type does not have,
// or has twice, is an error, and so is an object of no known type.
func decode(t *testing.T, name string, text []byte) []object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistrationv1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme,
		certmanagerv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []object
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var content any
		if err := sigsyaml.Unmarshal(document, &content); err == nil && content == nil {
			continue // comments alone
		}
		decoded, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, document)
		}
		o, ok := decoded.(object)
		if !ok {
			t.Fatalf("%s: %s is no object", name, kind)
		}
		decoded.GetObjectKind().SetGroupVersionKind(*kind)
		objects = append(objects, o)
	}
}
