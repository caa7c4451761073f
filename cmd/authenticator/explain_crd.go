package main

import (
	"context"

	"k8s.io/client-go/dynamic"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// readCRD reads the IAMIdentityMappings from the cluster of a kubeconfig once. If that
// fails, the source is one that was not read yet.
func (o *explainMappings) readCRD(ctx context.Context, p *program, options awsauth.Options, m *mappings) (source.Source, error) {
	read := &fixedSource{name: options.Source}
	_, err := o.ask(ctx, p, m, func(ctx context.Context, client dynamic.Interface) (err error) {
		read.snapshot, err = crd.Read(ctx, client, options, m.reserved[options.Source])
		return err
	})
	if err != nil {
		return nil, err
	}
	return read, nil
}
