package eks

import (
	"net/http"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
)

// An addonKind is an add-on that clusters can have.
type addonKind struct {
	name, kind, namespace string
	// versions are for every version of Kubernetes, the newest first; the last is the
	// default. A missing patch is that of Kubernetes.
	versions []string
	// role reports that it needs permissions in AWS.
	role bool
}

// catalog returns the add-ons, by name.
func catalog() []addonKind {
	return []addonKind{
		{"amazon-cloudwatch-observability", "observability", "amazon-cloudwatch", []string{"v4.7.0-eksbuild.1", "v4.5.0-eksbuild.1"}, true},
		{"aws-ebs-csi-driver", "storage", "kube-system", []string{"v1.52.1-eksbuild.1", "v1.48.0-eksbuild.2"}, true},
		{"aws-efs-csi-driver", "storage", "kube-system", []string{"v2.1.13-eksbuild.1", "v2.1.8-eksbuild.1"}, true},
		{"aws-mountpoint-s3-csi-driver", "storage", "kube-system", []string{"v2.2.0-eksbuild.1", "v1.15.0-eksbuild.1"}, true},
		{"coredns", "networking", "kube-system", []string{"v1.12.4-eksbuild.1", "v1.12.1-eksbuild.2"}, false},
		{"eks-node-monitoring-agent", "observability", "kube-system", []string{"v1.4.2-eksbuild.1", "v1.4.0-eksbuild.2"}, false},
		{"eks-pod-identity-agent", "security", "kube-system", []string{"v1.3.9-eksbuild.5", "v1.3.4-eksbuild.1"}, false},
		{"kube-proxy", "networking", "kube-system", []string{"-eksbuild.2", "-eksbuild.1"}, false},
		{"metrics-server", "observability", "kube-system", []string{"v0.8.0-eksbuild.2", "v0.7.2-eksbuild.3"}, false},
		{"snapshot-controller", "storage", "kube-system", []string{"v8.3.0-eksbuild.1", "v8.2.0-eksbuild.1"}, false},
		{"vpc-cni", "networking", "kube-system", []string{"v1.20.4-eksbuild.2", "v1.19.2-eksbuild.1"}, true},
	}
}

func addonNamed(name string) (addonKind, bool) {
	at := slices.IndexFunc(catalog(), func(a addonKind) bool { return a.name == name })
	if at < 0 {
		return addonKind{}, false
	}
	return catalog()[at], true
}

// versionsFor returns the versions of an add-on for a version of Kubernetes.
func (a addonKind) versionsFor(kubernetes version) []string {
	all := slices.Clone(a.versions)
	for i := range all {
		if strings.HasPrefix(all[i], "-") {
			all[i] = "v" + image.Patch(kubernetes.name) + all[i]
		}
	}
	return all
}

func (a addonKind) defaultFor(kubernetes version) string {
	return a.versionsFor(kubernetes)[len(a.versions)-1]
}

func addonVersionOperations() []api.Operation {
	return []api.Operation{
		on(anything, "GET /addons/supported-versions", "DescribeAddonVersions", describeAddonVersions,
			"addonName", "kubernetesVersion", "maxResults", "nextToken", "owners.N", "publishers.N", "types.N"),
		on(anything, "GET /addons/configuration-schemas", "DescribeAddonConfiguration", describeAddonConfiguration, "addonName", "addonVersion"),
	}
}

func describeAddonVersions(_ *account.Tx, _ none, in request[none]) (any, error) {
	query := in.Query
	supported := versions()
	if name := query.Get("kubernetesVersion"); name != "" {
		v, ok := versionOf(name)
		if !ok {
			return nil, unsupportedVersion(name)
		}
		supported = []version{v}
	}
	if name := query.Get("addonName"); name != "" {
		if _, ok := addonNamed(name); !ok {
			return nil, unknownAddon(name)
		}
	}
	selects := func(parameter, value string) bool {
		return !query.Has(parameter) || slices.Contains(query[parameter], value)
	}
	var found []addonKind
	for _, a := range catalog() {
		if selects("addonName", a.name) && selects("types", a.kind) && selects("owners", "aws") && selects("publishers", "eks") {
			found = append(found, a)
		}
	}
	page, next, err := page(in.Input, found, func(a addonKind) string { return a.name })
	if err != nil {
		return nil, err
	}
	described := make([]any, len(page))
	for i, a := range page {
		described[i] = a.describe(supported)
	}
	return paged("addons", described, next), nil
}

func (a addonKind) describe(supported []version) any {
	type compatibility struct {
		Cluster   string   `json:"clusterVersion"`
		Platforms []string `json:"platformVersions"`
		Default   bool     `json:"defaultVersion"`
	}
	compatible := map[string][]compatibility{}
	var order []string
	for _, kubernetes := range slices.Backward(supported) { // the newest first
		for _, name := range a.versionsFor(kubernetes) {
			if !slices.Contains(order, name) {
				order = append(order, name)
			}
			compatible[name] = append(compatible[name], compatibility{kubernetes.name, []string{"*"}, name == a.defaultFor(kubernetes)})
		}
	}
	described := make([]any, len(order))
	for i, name := range order {
		described[i] = map[string]any{
			"addonVersion": name, "architecture": []string{"amd64", "arm64"}, "computeTypes": []string{"ec2", "hybrid"},
			"compatibilities": compatible[name], "requiresConfiguration": false, "requiresIamPermissions": a.role,
		}
	}
	return map[string]any{
		"addonName": a.name, "type": a.kind, "owner": "aws", "publisher": "eks", "defaultNamespace": a.namespace, "addonVersions": described,
	}
}

// describeAddonConfiguration returns a schema that every object fits: localaws has no
// add-on's own.
func describeAddonConfiguration(_ *account.Tx, _ none, in request[none]) (any, error) {
	name, wanted := in.Query.Get("addonName"), in.Query.Get("addonVersion")
	a, ok := addonNamed(name)
	if !ok {
		return nil, unknownAddon(name)
	}
	var all []string
	for _, v := range versions() {
		all = append(all, a.versionsFor(v)...)
	}
	if !slices.Contains(all, wanted) {
		return nil, unsupportedAddonVersion(wanted, all)
	}
	return map[string]any{
		"addonName": name, "addonVersion": wanted, "configurationSchema": `{"$schema":"http://json-schema.org/draft-06/schema#","type":"object"}`,
		"podIdentityConfiguration": []any{},
	}, nil
}

// unknownAddon lists the add-ons, since localaws has not all of AWS's.
func unknownAddon(name string) error {
	var names []string
	for _, a := range catalog() {
		names = append(names, a.name)
	}
	return api.Refuse(http.StatusNotFound, "ResourceNotFoundException", "localaws has no add-on "+name+" (supported: "+strings.Join(names, ", ")+")")
}

// unsupportedAddonVersion lists the versions, since localaws has not all of AWS's.
func unsupportedAddonVersion(name string, supported []string) error {
	supported = slices.Compact(slices.Sorted(slices.Values(supported)))
	return unsupported("Addon version specified is not supported: " + name + " (localaws has " + strings.Join(supported, ", ") + ")")
}
