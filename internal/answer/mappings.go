package answer

import (
	"context"
	"io"
	"log/slog"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/mappings"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Place is where the mappings of a question are: the server's settings, with a file or a
// kubeconfig of the user.
type Place struct {
	*settings.General
	*settings.Mapping
	// Filename is a file of mappings, the only ones then; empty for none.
	Filename string
	// Kubectl names the cluster that is asked.
	Kubectl *kube.Kubectl
	// NoServer says why no running server is asked.
	NoServer string
	// Lenient makes a missing kubeconfig no error: the mappings are then unread.
	Lenient bool
	Files   mappings.Reader
	// Err says what is waited for.
	Err io.Writer
}

// Mappings are those of a place, read once.
type Mappings struct {
	Denies   mapper.Denies
	Owner    mapper.Mapper
	Sources  []source.Source
	Reserved map[string][]string
	Facts    explain.Facts
}

// fixedSource is a source that was read once.
type fixedSource struct {
	name     string
	snapshot source.Snapshot
}

func (s *fixedSource) Name() string             { return s.name }
func (s *fixedSource) Run(context.Context)      {}
func (s *fixedSource) Current() source.Snapshot { return s.snapshot }

// Read reads the mappings.
func (p *Place) Read(ctx context.Context, partition string) (m Mappings, err error) {
	var warnings []string
	making := assembly.Sources{General: p.General, Mapping: p.Mapping, Partition: partition, Log: slog.New(slog.DiscardHandler)}
	denied, err := assembly.Denied(ctx, p.Mapping, making.Log)
	if err != nil {
		return m, err
	}
	m.Denies = assembly.Denies(denied)
	if m.Owner, warnings, err = p.Owner(partition); err != nil {
		return m, err
	}
	names, more, err := p.names(ctx, making)
	if err != nil {
		return m, err
	}
	warnings = append(warnings, more...)
	if m.Reserved, more, err = p.ReservedPrefixes(names); err != nil {
		return m, err
	}
	for _, warning := range append(warnings, more...) {
		p.Files.Warn(warning)
	}
	for _, name := range names {
		if err := p.add(ctx, &m, making, name); err != nil {
			return m, err
		}
	}
	return m, nil
}

// names returns the names of the sources. Without a flag or a configuration that names
// one, the source is the cluster's aws-auth.
func (p *Place) names(ctx context.Context, making assembly.Sources) (names, warnings []string, err error) {
	if p.Filename != "" {
		return []string{settings.SourceAWSAuthFile}, nil, nil
	}
	modes := making.Modes(ctx)
	if !p.BackendModesGiven && !p.File.HasMappings && p.AWSAuthFile == "" && modes == nil {
		return []string{settings.BackendEKSConfigMap}, nil, nil
	}
	return making.Names(modes)
}

// add reads the mappings of a source.
func (p *Place) add(ctx context.Context, m *Mappings, making assembly.Sources, name string) error {
	options, err := p.Reading(name, making.Partition, p.RolePaths)
	if err != nil {
		return err
	}
	var read source.Source
	facts := Describe(p.General, p.Mapping, name)
	switch {
	case name == settings.BackendEKSConfigMap:
		facts.Edit = editAWSAuth(p.Kubectl)
		read, err = p.readConfigMap(ctx, options, m)
	case name == settings.BackendCRD:
		read, err = p.readCRD(ctx, options, m)
	case p.Filename == file.Stdin:
		facts.Place, facts.Edit = "standard input", nil
		m.Facts.From, m.Facts.Because = facts.Place, "-f"
		read, err = p.readFile(ctx, options)
	case p.Filename != "":
		facts.Place, facts.Edit = p.Filename, editFile(p.Filename)
		m.Facts.From, m.Facts.Because, m.Facts.MapFlags = "file "+p.Filename, "-f", []string{"-f", p.Filename}
		read, err = p.readFile(ctx, options)
	default:
		m.Facts.From, m.Facts.Because = "file "+facts.Place, "--config"
		if name == settings.SourceAWSAuthFile {
			m.Facts.Because, m.Facts.MapFlags = "--aws-auth-file", []string{"-f", p.AWSAuthFile}
		}
		if name == settings.BackendDynamicFile {
			m.Facts.Because = "--dynamic-file"
		}
		read, err = making.New(ctx, name)
	}
	if err != nil {
		return err
	}
	facts.Snapshot = read.Current()
	m.Sources = append(m.Sources, read)
	m.Facts.Sources = append(m.Facts.Sources, facts)
	return nil
}

// readFile reads the file of the user once.
func (p *Place) readFile(ctx context.Context, options awsauth.Options) (source.Source, error) {
	options.UserIDs = p.UserIDStrict
	result, err := p.Files.Read(ctx, p.Filename, nil, options)
	if err != nil {
		return nil, err
	}
	return &fixedSource{options.Source, source.Snapshot{Table: result.Table, Problems: result.Problems}}, nil
}

// readConfigMap reads aws-auth from the cluster of a kubeconfig once. If that fails, the
// source is one that was not read yet: an owner signs in all the same.
func (p *Place) readConfigMap(ctx context.Context, options awsauth.Options, m *Mappings) (source.Source, error) {
	m.Facts.MapFlags = p.Kubectl.Flags()
	var configMap *unstructured.Unstructured
	asked, err := p.ask(ctx, m, func(ctx context.Context, client kube.Client) (err error) {
		configMap, err = kube.GetAWSAuth(ctx, client)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !asked {
		reason := m.Facts.Unreadable
		m.Facts.Forbidden = apierrors.IsForbidden(reason) || apierrors.IsUnauthorized(reason)
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

// readCRD reads the IAMIdentityMappings from the cluster of a kubeconfig once. If that
// fails, the source is one that was not read yet.
func (p *Place) readCRD(ctx context.Context, options awsauth.Options, m *Mappings) (source.Source, error) {
	read := &fixedSource{name: options.Source}
	_, err := p.ask(ctx, m, func(ctx context.Context, client kube.Client) (err error) {
		read.snapshot, err = crd.Read(ctx, client, options, m.Reserved[options.Source])
		return err
	})
	if err != nil {
		return nil, err
	}
	return read, nil
}

// ask asks the API server of the kubeconfig, and reports whether it answered. If it did
// not, the facts say why.
func (p *Place) ask(ctx context.Context, m *Mappings, question func(context.Context, kube.Client) error) (answered bool, err error) {
	m.Facts.From, m.Facts.Because = "the cluster of the kubeconfig", because(p.Kubectl, p.NoServer)
	client, err := p.Kubectl.Client()
	if err != nil {
		if p.Lenient {
			m.Facts.Unreadable, err = err, nil
		}
		return false, err
	}
	defer cli.Waiting(p.Err, "authenticator: waiting for the API server")()
	if err := question(ctx, client); err != nil {
		m.Facts.Unreadable = err
		return false, nil
	}
	return true, nil
}
