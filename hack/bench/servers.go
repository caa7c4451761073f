package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	clusterID = "bench"

	ours    = "ours"
	peer    = "peer"
	onFloor = "floor"

	// floorCommand is the argument that makes this program serve the floor; the
	// address follows, and withSTS or anything else.
	floorCommand = "floor"
	withSTS      = "sts"
	withoutSTS   = "fixed"
)

// environment returns the environment of a program that reaches STS through its own
// proxy. It has nothing of the caller's: no credentials, no proxy, no CA.
func (b *bench) environment() ([]string, error) {
	proxy, err := b.sts.Proxy()
	if err != nil {
		return nil, err
	}
	return append(b.bareEnvironment(), "HTTPS_PROXY="+proxy, "SSL_CERT_FILE="+b.caFile(), "SSL_CERT_DIR="+b.dir), nil
}

func (b *bench) bareEnvironment() []string {
	return []string{
		"HOME=" + b.dir, "PATH=" + os.Getenv("PATH"), "AWS_REGION=" + sts.Region,
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// serve starts ours or the peer with a number of mapped users, on the same
// configuration.
func (b *bench) serve(name string, users int) (*program.Server, error) {
	config, err := b.writeConfig(users)
	if err != nil {
		return nil, err
	}
	return b.start(name, config)
}

// serveFollowing starts ours or the peer, which follow the aws-auth of an API server.
func (b *bench) serveFollowing(name string, kubeconfig []byte) (*program.Server, error) {
	config, err := b.writeConfig(0)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, "kubeconfig-"+name+".yaml")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return b.start(name, config, "--backend-mode", "EKSConfigMap", "--kubeconfig", path)
}

func (b *bench) start(name, config string, args ...string) (*program.Server, error) {
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	env, err := b.environment()
	if err != nil {
		return nil, err
	}
	// The logs are elsewhere: ours watches the directory of its configuration.
	dir := filepath.Join(b.dir, name)
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	command := program.Command{Path: b.peer, Env: env, Args: append([]string{
		"server", "--config", config, "--address", "127.0.0.1", "--port", port,
		"--state-dir", state, "--generate-kubeconfig", filepath.Join(state, "kubeconfig.yaml"),
	}, args...)}
	if name == ours {
		command.Path = b.ours
		command.Args = append(command.Args, "--health-port", "0") // the peer has no such flag
	}
	return program.Serve(b.ctx, name, address, dir, command)
}

// serveFloor starts the floor, with or without STS.
func (b *bench) serveFloor(kind string) (*program.Server, error) {
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	env, err := b.environment()
	if err != nil {
		return nil, err
	}
	return program.Serve(b.ctx, onFloor, address, b.dir, program.Command{Path: b.self, Args: []string{floorCommand, address, kind}, Env: env})
}

// writeConfig writes the configuration file, which both programs read.
func (b *bench) writeConfig(users int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("config-%d.yaml", users))
	mapUsers := mapUsers(users, func(user int) string { return fmt.Sprintf("u%d", user) })
	text := fmt.Sprintf("clusterID: %s\nserver:\n  mapUsers:\n%s", clusterID, mapUsers)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}

// mapUsers returns the mappings of users, in YAML.
func mapUsers(users int, username func(user int) string) string {
	var text strings.Builder
	for user := range users {
		fmt.Fprintf(&text, "  - userarn: %s\n    username: %s\n    groups: [people]\n", sts.ARN(user), username(user))
	}
	return text.String()
}
