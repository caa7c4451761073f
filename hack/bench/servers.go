package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

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
	address, err := program.FreeAddress()
	if err != nil {
		return nil, err
	}
	env, err := b.environment()
	if err != nil {
		return nil, err
	}
	state := filepath.Join(b.dir, name)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	config, err := b.writeConfig(users)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	command := program.Command{Path: b.peer, Env: env, Args: []string{
		"server", "--config", config, "--address", "127.0.0.1", "--port", port,
		"--state-dir", state, "--generate-kubeconfig", filepath.Join(state, "kubeconfig.yaml"),
	}}
	if name == ours {
		command.Path = b.ours
		command.Args = append(command.Args, "--health-port", "0") // the peer has no such flag
	}
	return program.Serve(b.ctx, name, address, b.dir, command)
}

// serveFloor starts the floor, with or without STS.
func (b *bench) serveFloor(kind string) (*program.Server, error) {
	address, err := program.FreeAddress()
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
	var text strings.Builder
	fmt.Fprintf(&text, "clusterID: %s\nserver:\n  mapUsers:\n", clusterID)
	for user := range users {
		fmt.Fprintf(&text, "  - userarn: %s\n    username: u%d\n    groups: [people]\n", sts.ARN(user), user)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}
