package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// clusterFlags bind Kubernetes API servers to the names of EKS clusters.
type clusterFlags struct{ endpoints, cas []string }

func (f *clusterFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.endpoints, "cluster-endpoint", nil, "API server of an EKS cluster, as NAME=https://HOST:PORT; requires --cluster-ca for the same name (repeatable)")
	flags.StringArrayVar(&f.cas, "cluster-ca", nil, "file with the CA certificate of the cluster's API server, as NAME=FILE (repeatable)")
}

// An apiServer is the API server of a cluster.
type apiServer struct {
	endpoint string
	ca       []byte
}

// parse returns the API servers by cluster name.
func (f *clusterFlags) parse() (map[string]apiServer, error) {
	endpoints, err := byName("--cluster-endpoint", "NAME=https://HOST:PORT", f.endpoints)
	if err != nil {
		return nil, err
	}
	files, err := byName("--cluster-ca", "NAME=FILE", f.cas)
	if err != nil {
		return nil, err
	}
	servers := map[string]apiServer{}
	for name, endpoint := range endpoints {
		file, ok := files[name]
		if !ok {
			return nil, cli.Usagef("--cluster-endpoint %s=%s requires --cluster-ca %s=FILE", name, endpoint, name)
		}
		ca, err := readCA(file)
		if err != nil {
			return nil, cli.Usagef("--cluster-ca %s: %w", name, err)
		}
		servers[name] = apiServer{endpoint, ca}
	}
	for name, file := range files {
		if _, ok := endpoints[name]; !ok {
			return nil, cli.Usagef("--cluster-ca %s=%s requires --cluster-endpoint %s=https://HOST:PORT", name, file, name)
		}
	}
	return servers, nil
}

// byName parses the values of a flag, NAME=VALUE, into a map.
func byName(flag, form string, texts []string) (map[string]string, error) {
	values := map[string]string{}
	for _, text := range texts {
		name, given, ok := strings.Cut(text, "=")
		if !ok || name == "" || given == "" {
			return nil, cli.Usagef("%s %q: expected %s", flag, text, form)
		}
		if _, twice := values[name]; twice {
			return nil, cli.Usagef("%s is set twice for %s", flag, name)
		}
		values[name] = given
	}
	return values, nil
}

func readCA(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New(file + " contains no PEM certificate")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("reading the certificate in %s: %w", file, err)
		}
		return text, nil
	}
}

// registerClusters registers the clusters in the default region.
func registerClusters(a *localaws.AWS, servers map[string]apiServer) error {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if err := a.RegisterCluster(a.Region(), name, servers[name].endpoint, servers[name].ca); err != nil {
			return err
		}
	}
	return nil
}
