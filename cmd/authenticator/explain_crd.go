package main

import (
	"context"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// readCRD reads the IAMIdentityMappings from the cluster of a kubeconfig once. If that
// fails, the source is one that was not read yet.
func (o *explainMappings) readCRD(ctx context.Context, p *program, options awsauth.Options, m *mappings) (source.Source, error) {
	m.facts.From, m.facts.Because = "the cluster of the kubeconfig", o.cluster.because(o.noServer)
	client, err := o.cluster.client()
	if err != nil && o.lenient {
		m.facts.Unreadable = err
		return &fixedSource{name: options.Source}, nil
	}
	if err != nil {
		return nil, err
	}
	answered := cli.Waiting(p.err, "authenticator: waiting for the API server")
	asking, cancel := context.WithTimeout(ctx, apiTimeout)
	snapshot, err := crd.Read(asking, client, options, m.reserved[options.Source])
	cancel()
	answered()
	if err != nil {
		m.facts.Unreadable = err
		return &fixedSource{name: options.Source}, nil
	}
	return &fixedSource{options.Source, snapshot}, nil
}
