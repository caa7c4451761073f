package place

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/crd"
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
func (p *Place) readFile(ctx context.Context, options awsauth.Options, m *Mappings) (source.Source, error) {
	options.UserIDs = p.UserIDStrict
	result, editable, err := p.Files.ReadEditable(ctx, p.Filename, nil, options)
	if err != nil {
		return nil, err
	}
	if !editable {
		m.Facts.Add = func(string, string, []string) string {
			if p.Filename == file.Stdin {
				return ""
			}
			return editFile(p.Filename)(1)
		}
	}
	return &fixedSource{options.Source, source.Snapshot{Table: result.Table, Problems: result.Problems}}, nil
}

// readConfigMap reads aws-auth from the cluster of a kubeconfig once. If that fails, the
// source is one that was not read yet: an owner signs in all the same.
func (p *Place) readConfigMap(ctx context.Context, options awsauth.Options, m *Mappings) (source.Source, error) {
	var result *awsauth.Result
	asked, err := p.ask(ctx, m, func(ctx context.Context, client kube.Client) (err error) {
		result, err = ReadAWSAuth(ctx, client, options, p.Files.Warn)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !asked {
		return &fixedSource{name: options.Source}, nil
	}
	return &fixedSource{options.Source, source.Snapshot{Table: result.Table, Problems: slices.Clone(result.Problems)}}, nil
}

// ReadAWSAuth reads aws-auth as a server does that starts now: a section that does not
// parse has its last good content from ConfigMap aws-auth-last-good. If that cannot be
// read, it warns.
func ReadAWSAuth(ctx context.Context, client kube.Client, options awsauth.Options, warn func(text string)) (*awsauth.Result, error) {
	configMap, err := kube.GetAWSAuth(ctx, client)
	if err != nil {
		return nil, err
	}
	return ParseAWSAuth(ctx, client, configMap, options, warn)
}

// ParseAWSAuth is [ReadAWSAuth] for an aws-auth that was read already; nil if there is none.
func ParseAWSAuth(ctx context.Context, client kube.Client, configMap *unstructured.Unstructured, options awsauth.Options, warn func(text string)) (*awsauth.Result, error) {
	if configMap == nil {
		return awsauth.Parse(nil, nil, options), nil
	}
	data, err := kube.Data(configMap)
	if err != nil {
		return nil, err
	}
	result := awsauth.Parse(data, nil, options)
	broken := result.Broken()
	if len(broken) == 0 {
		return result, nil
	}
	saved, err := kube.GetLastGood(ctx, kube.ConfigMaps(client))
	if err != nil {
		warn(fmt.Sprintf("a running server may have earlier content of %s: %v", strings.Join(broken, ", "), err))
		return result, nil
	}
	return awsauth.Parse(data, awsauth.Parse(saved.TextsOf(configMap.GetUID(), broken), nil, options), options), nil
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
			m.Facts.Unreadable, m.Facts.Reach, err = err, p.Kubectl.ListContexts(), nil
		}
		return false, err
	}
	defer cli.Waiting(p.Err, "authenticator: waiting for the API server")()
	if err := question(ctx, client); err != nil {
		m.Facts.Unreadable = err
		m.Facts.Forbidden = apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
		if apierrors.ReasonForError(err) == metav1.StatusReasonUnknown { // no API server answered
			m.Facts.Reach = p.Kubectl.Command("cluster-info")
		}
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
