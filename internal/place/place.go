// Package place reads the mappings of a place once: of a file, of a cluster, or of a server's
// settings. It describes where each mapping is and which command edits it.
package place

import (
	"cmp"
	"context"
	"io"
	"log/slog"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/mappings"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
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
	// IDChecked is set if the cluster is known to have the cluster ID of General.
	IDChecked bool
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

// Read reads the mappings.
func (p *Place) Read(ctx context.Context, partition string) (m Mappings, err error) {
	var warnings []string
	making := assembly.Sources{General: p.General, Mapping: p.Mapping, Partition: partition, Log: slog.New(slog.DiscardHandler)}
	denied, err := assembly.Denied(ctx, p.Mapping, making.Log)
	if err != nil {
		return m, err
	}
	m.Denies, m.Facts.DenyFile = assembly.Denies(denied), DescribeDenyFile(p.Mapping)
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
	mapping := *p.Mapping
	mapping.AWSAuthFile = cmp.Or(p.Filename, p.AWSAuthFile)
	Adding(&m.Facts, &mapping, partition, p.Kubectl)
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
	facts := Describe(p.General, p.Mapping, name, p.Kubectl)
	switch {
	case name == settings.BackendEKSConfigMap:
		read, err = p.readConfigMap(ctx, options, m)
	case name == settings.BackendCRD:
		read, err = p.readCRD(ctx, options, m)
	case p.Filename == file.Stdin:
		facts.Place, facts.Edit = "standard input", nil
		m.Facts.From, m.Facts.Because = facts.Place, "-f"
		read, err = p.readFile(ctx, options, m)
	case p.Filename != "":
		facts.Place, facts.Edit = p.Filename, editFile(p.Filename)
		m.Facts.From, m.Facts.Because = "file "+p.Filename, "-f"
		read, err = p.readFile(ctx, options, m)
	default:
		m.Facts.From, m.Facts.Because = "file "+facts.Place, "--config"
		if name == settings.SourceAWSAuthFile {
			m.Facts.Because = "--aws-auth-file"
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
