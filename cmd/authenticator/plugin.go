package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

// The names of the program's file as a plugin of kubectl, and as what kubectl runs to
// complete the plugin's arguments.
const (
	pluginFile     = "kubectl-iam"
	completionFile = "kubectl_complete-iam"
	pluginName     = "kubectl iam"
)

// calledAs returns the program for the name of its file, and its name in messages.
func calledAs(path string) (string, cli.Program) {
	switch strings.TrimSuffix(filepath.Base(path), ".exe") {
	case pluginFile:
		return pluginName, runPlugin
	case completionFile:
		return pluginName, func(ctx context.Context, args []string, env cli.Environment, streams cli.Streams) error {
			return runPlugin(ctx, append([]string{cobra.ShellCompRequestCmd}, args...), env, streams)
		}
	}
	return "authenticator", run
}

func runPlugin(ctx context.Context, args []string, env cli.Environment, streams cli.Streams) error {
	root := newRoot(env, streams)
	asPlugin(root)
	return execute(ctx, root, args, streams)
}

// asPlugin makes the help of a command name the plugin.
func asPlugin(command *cobra.Command) {
	if !command.HasParent() {
		command.Use = pluginFile
		command.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: pluginName}
	}
	command.Example = strings.ReplaceAll(command.Example, "authenticator ", pluginName+" ")
	command.Long = strings.ReplaceAll(command.Long, `"authenticator `, `"`+pluginName+" ")
	for _, child := range command.Commands() {
		asPlugin(child)
	}
}
