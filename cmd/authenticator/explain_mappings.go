package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// explainMappings are the flags that name the mappings of explain: the server's flags,
// with a file or a kubeconfig of the user.
type explainMappings struct {
	mappingOptions
	filename string
	cluster  clusterFlags
	// lenient makes a missing kubeconfig no error: the mappings are then unread.
	lenient bool
	socketOptions
}

// excludeOtherMappings makes -f the only mappings.
func excludeOtherMappings(command *cobra.Command) {
	command.MarkFlagsMutuallyExclusive("filename", "backend-mode")
	command.MarkFlagsMutuallyExclusive("filename", "aws-auth-file")
	command.MarkFlagsMutuallyExclusive("filename", "dynamic-file")
}

func (o *explainMappings) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.filename, "filename", "f", "", "file of mappings: aws-auth, a DynamicFile or IAMIdentityMappings; - reads standard input")
	o.socketOptions.addFlags(flags)
	o.cluster.addFlags(flags)
	o.addSourceFlags(flags)
}

// mappings are what the flags name, read once.
type mappings struct {
	denies   mapper.Denies
	owner    mapper.Mapper
	sources  []source.Source
	reserved map[string][]string
	facts    explain.Facts
}

// fixedSource is a source that was read once.
type fixedSource struct {
	name     string
	snapshot source.Snapshot
}

func (s *fixedSource) Name() string             { return s.name }
func (s *fixedSource) Run(context.Context)      {}
func (s *fixedSource) Current() source.Snapshot { return s.snapshot }

// read reads the mappings.
func (o *explainMappings) read(ctx context.Context, p *program, partition string) (m mappings, err error) {
	var warnings []string
	denied, err := o.denied(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return m, err
	}
	m.denies = denies(denied)
	if m.owner, warnings, err = o.owner(partition); err != nil {
		return m, err
	}
	names, more, err := o.names(ctx, p)
	if err != nil {
		return m, err
	}
	warnings = append(warnings, more...)
	if m.reserved, more, err = reservedPrefixes(p, names); err != nil {
		return m, err
	}
	for _, warning := range append(warnings, more...) {
		fmt.Fprintln(p.err, "authenticator: warning:", warning)
	}
	for _, name := range names {
		if err := o.add(ctx, p, &m, name, partition); err != nil {
			return m, err
		}
	}
	return m, nil
}

// names returns the names of the sources. Without a flag or a configuration that names
// one, the source is the cluster's aws-auth.
func (o *explainMappings) names(ctx context.Context, p *program) (names, warnings []string, err error) {
	if o.filename != "" {
		return []string{sourceAWSAuthFile}, nil, nil
	}
	modes := o.newBackendMode(ctx, p, nil, slog.New(slog.DiscardHandler))
	if !o.backendModesGiven && !p.config.HasMappings && o.awsAuthFile == "" && modes == nil {
		return []string{backendEKSConfigMap}, nil, nil
	}
	return o.presentSources(p, modes)
}

// add reads the mappings of a source.
func (o *explainMappings) add(ctx context.Context, p *program, m *mappings, name, partition string) error {
	options, err := p.readingOptions(name, partition, o.rolePaths)
	if err != nil {
		return err
	}
	var read source.Source
	facts := o.describe(p, name)
	switch {
	case name == backendEKSConfigMap:
		facts.Edit = o.cluster.edit
		read, err = o.readConfigMap(ctx, p, options, m)
	case name == backendCRD:
		read, err = o.readCRD(ctx, p, options, m)
	case o.filename == stdin:
		facts.Place, facts.Edit = "standard input", nil
		m.facts.From, m.facts.Because = facts.Place, "-f"
		read, err = o.readFile(ctx, p, options)
	case o.filename != "":
		facts.Place, facts.Edit = o.filename, editFile(o.filename)
		m.facts.From, m.facts.Because, m.facts.MapFlags = "file "+o.filename, "-f", []string{"-f", o.filename}
		read, err = o.readFile(ctx, p, options)
	default:
		m.facts.From, m.facts.Because = "file "+facts.Place, "--config"
		if name == sourceAWSAuthFile {
			m.facts.Because, m.facts.MapFlags = "--aws-auth-file", []string{"-f", o.awsAuthFile}
		}
		if name == backendDynamicFile {
			m.facts.Because = "--dynamic-file"
		}
		read, err = o.readServerFile(ctx, p, name, partition)
	}
	if err != nil {
		return err
	}
	facts.Snapshot = read.Current()
	m.sources = append(m.sources, read)
	m.facts.Sources = append(m.facts.Sources, facts)
	return nil
}

// editFile returns the command that edits a line of a file.
func editFile(path string) func(line int) string {
	return func(line int) string {
		return fmt.Sprintf("${EDITOR:-vi} +%d %s", max(line, 1), shell.Quote(path))
	}
}

// readServerFile reads a file as the server does.
func (o *explainMappings) readServerFile(ctx context.Context, p *program, name, partition string) (source.Source, error) {
	made, err := o.newSources(ctx, p, []string{name}, nil, partition, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return made[0], nil
}

// readFile reads the file of -f once.
func (o *explainMappings) readFile(ctx context.Context, p *program, options awsauth.Options) (source.Source, error) {
	options.UserIDs = o.userIDStrict
	result, err := p.readMappings(ctx, o.filename, nil, options)
	if err != nil {
		return nil, err
	}
	return &fixedSource{options.Source, source.Snapshot{Table: result.Table, Problems: result.Problems}}, nil
}

// readConfigMap reads aws-auth from the cluster of a kubeconfig once. If that fails, the
// source is one that was not read yet: an owner signs in all the same.
func (o *explainMappings) readConfigMap(ctx context.Context, p *program, options awsauth.Options, m *mappings) (source.Source, error) {
	m.facts.MapFlags = o.cluster.words()
	var configMap *unstructured.Unstructured
	asked, err := o.ask(ctx, p, m, func(ctx context.Context, client dynamic.Interface) (err error) {
		configMap, err = awsAuth(ctx, client)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !asked {
		reason := m.facts.Unreadable
		m.facts.Forbidden = apierrors.IsForbidden(reason) || apierrors.IsUnauthorized(reason)
		return &fixedSource{name: options.Source}, nil
	}
	if configMap == nil {
		return &fixedSource{options.Source, source.Snapshot{Table: mapper.NewTable(nil, nil, options.RolePaths)}}, nil
	}
	data, err := kube.Data(configMap)
	if err != nil {
		return nil, err
	}
	result := awsauth.Parse(data, nil, options)
	return &fixedSource{options.Source, source.Snapshot{Table: result.Table, Problems: slices.Clone(result.Problems)}}, nil
}

// ask asks the API server of the kubeconfig, and reports whether it answered. If it did
// not, the facts say why.
func (o *explainMappings) ask(ctx context.Context, p *program, m *mappings, question func(context.Context, dynamic.Interface) error) (answered bool, err error) {
	m.facts.From, m.facts.Because = "the cluster of the kubeconfig", o.cluster.because(o.noServer)
	client, err := o.cluster.client(p)
	if err != nil {
		if o.lenient {
			m.facts.Unreadable, err = err, nil
		}
		return false, err
	}
	done := cli.Waiting(p.err, "authenticator: waiting for the API server")
	defer done()
	if err := question(ctx, client); err != nil {
		m.facts.Unreadable = err
		return false, nil
	}
	return true, nil
}
