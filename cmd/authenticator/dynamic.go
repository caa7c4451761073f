package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/backendmode"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const userIDStrictFlag = "dynamic-file-user-id-strict"

// dynamicOptions are the flags of the files in which a control plane writes access
// entries and the backend mode, as on EKS.
type dynamicOptions struct {
	dynamicFile     string
	userIDStrict    bool
	backendModeFile string
}

func (o *dynamicOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.dynamicFile, "dynamic-file", "", "file of backend DynamicFile: JSON with mapRoles, mapUsers and mapAccounts, watched for changes")
	flags.BoolVar(&o.userIDStrict, userIDStrictFlag, false, "match the entries of backend DynamicFile by their userid, the unique ID of a user or role, and by their ARN too if there is one")
	flags.StringVar(&o.backendModeFile, "dynamic-backend-mode-file", "", "JSON file with backendMode, watched for changes, which replaces --backend-mode while the server runs")
}

// check returns an error for backends that need a flag that is not given. The warnings
// name flags that have no effect.
func (o *dynamicOptions) check(names []string) (warnings []string, err error) {
	isUsed := slices.Contains(names, backendDynamicFile)
	if isUsed && o.dynamicFile == "" {
		return nil, cli.Usagef("backend DynamicFile needs --dynamic-file, or dynamicFilePath in the configuration file")
	}
	if !isUsed && o.backendModeFile == "" && (o.dynamicFile != "" || o.userIDStrict) {
		warnings = append(warnings, "--dynamic-file and --dynamic-file-user-id-strict have no effect: --backend-mode does not name DynamicFile")
	}
	return warnings, nil
}

// newDynamicFile returns the source of backend DynamicFile. The metrics may be nil.
func (o *dynamicOptions) newDynamicFile(ctx context.Context, options awsauth.Options, m *metrics.Metrics, log *slog.Logger) (source.Source, error) {
	options.UserIDs = o.userIDStrict
	c := dynamicfile.Config{Path: o.dynamicFile, Options: options, Log: log}
	if m != nil {
		c.Failed, c.Updated = m.ObserveDynamicFailure(), m.ObserveUpdate(metrics.UpdateDynamicFile, time.Now, log)
	}
	return dynamicfile.New(ctx, c)
}

// withModes returns the options with other backends.
func (o *mappingOptions) withModes(modes []string) *mappingOptions {
	if slices.Equal(modes, o.backendModes) {
		return o
	}
	other := *o
	other.backendModes, other.backendModesGiven = modes, true
	return &other
}

// newBackendMode returns what follows the file of the backend mode; nil if there is none.
// The metrics may be nil.
func (o *mappingOptions) newBackendMode(ctx context.Context, p *program, m *metrics.Metrics, log *slog.Logger) *backendmode.File {
	if o.backendModeFile == "" {
		return nil
	}
	c := backendmode.Config{
		Path: o.backendModeFile, Default: o.backendModes, Log: log,
		Check: func(modes []string) error { _, _, err := o.withModes(modes).sources(p.config); return err },
	}
	if m != nil {
		c.Failed, c.Updated = m.ObserveDynamicFailure(), m.ObserveUpdate(metrics.UpdateBackendMode, time.Now, log)
	}
	return backendmode.New(ctx, c)
}

// presentSources returns the names of the sources that the server starts with, like
// sources. The file of the backend mode may name other backends than the flags.
func (o *mappingOptions) presentSources(p *program, modes *backendmode.File) (names, warnings []string, err error) {
	if _, _, err := o.sources(p.config); err != nil || modes == nil { // they apply without the file
		return o.sources(p.config)
	}
	return o.withModes(modes.Backends()).sources(p.config)
}

// printModes prints the row of the backend mode, if a file names it.
func (s *clusterSettings) printModes(row rowFunc) {
	if s.modes == nil {
		return
	}
	modes, from := strings.Join(s.modes.Backends(), ", "), "from "+s.backendModeFile
	switch isRead, err := s.modes.Err(); {
	case err != nil:
		from = "from --backend-mode, since the file cannot be used: " + err.Error()
	case !isRead:
		from = "from --backend-mode until " + s.backendModeFile + " exists"
	}
	row("backend mode", "%s, %s", modes, from)
}

// followModes returns the function that switches the sources of a cluster when the
// backend mode changes; nil if it never does.
func (s *clusterSettings) followModes(ctx context.Context, a *assembly, reserved map[string][]string) func(context.Context, *cluster.Cluster) {
	if s.modes == nil {
		return nil
	}
	own, options := *s.program, s.mappingOptions // the settings forget the item with the mappings
	p := &own
	create := func(name string) (source.Source, error) {
		made, err := options.newSources(ctx, p, []string{name}, reserved, s.partition, a.metrics, a.log)
		if err != nil {
			return nil, err
		}
		return made[0], nil
	}
	return func(ctx context.Context, c *cluster.Cluster) {
		s.modes.Run(ctx, func(ctx context.Context, modes []string) error {
			names, _, err := options.withModes(modes).sources(p.config)
			if err != nil {
				return err
			}
			return c.Switch(ctx, names, create)
		})
	}
}
