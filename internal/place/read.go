package place

import (
	"cmp"
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// fixedSource is a source that was read once.
type fixedSource struct {
	name     string
	snapshot source.Snapshot
}

func (s *fixedSource) Name() string             { return s.name }
func (s *fixedSource) Run(context.Context)      {}
func (s *fixedSource) Current() source.Snapshot { return s.snapshot }

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

// because says why it is this cluster. NoServer says why no running server was asked.
func because(kubectl *kube.Kubectl, noServer string) string {
	if words := kubectl.Flags(); len(words) > 0 {
		return strings.Join(words, " ")
	}
	return "its current context, since " + cmp.Or(noServer, "no flag names another place")
}
