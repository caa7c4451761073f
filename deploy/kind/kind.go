// Package kind holds the files of a kind cluster that people sign in to with AWS
// IAM, for programs that make one. README.md explains them.
package kind

import _ "embed"

var (
	// Cluster is kind's configuration of the cluster, cluster.yaml.
	//
	//go:embed cluster.yaml
	Cluster string
	// Authenticator is the authenticator's static pod.
	//
	//go:embed manifests/authenticator.yaml
	Authenticator string
	// RBAC is the Role of the authenticator's user and its RoleBinding, in this order.
	//
	//go:embed manifests/rbac.yaml
	RBAC string
	// ConfigMaps are the ConfigMaps that the authenticator fills.
	//
	//go:embed manifests/configmaps.yaml
	ConfigMaps string
	// Admission is the guard on aws-auth, without the CA to trust.
	//
	//go:embed manifests/admission.yaml
	Admission string
)
