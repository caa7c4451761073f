package edit

import (
	"maps"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Data is the data of the ConfigMap aws-auth. Its texts are never changed in place.
type Data map[string]string

// Read implements [Document].
func (d Data) Read(opts awsauth.Options) (*awsauth.Result, error) {
	return awsauth.Parse(d, nil, opts), nil
}

func (d Data) source(section string) source {
	s := newSource(d[section])
	s.inSection = true
	return s
}

func (d Data) lists() (map[string]*place, error) {
	places := map[string]*place{}
	for _, section := range awsauth.Sections() {
		p, err := openText(section, d.source(section))
		if err != nil {
			p = brokenPlace(section, d[section], err)
		}
		places[section] = p
	}
	return places, nil
}

func (d Data) edit(section string, change func(*place) ([]splice, error)) (Document, error) {
	p, err := openText(section, d.source(section))
	if err != nil {
		return nil, err
	}
	text, err := p.changed(change)
	if err != nil {
		return nil, err
	}
	changed := maps.Clone(d)
	if changed == nil {
		changed = Data{}
	}
	changed[section] = text
	return changed, nil
}

func (p *place) changed(change func(*place) ([]splice, error)) (string, error) {
	splices, err := change(p)
	if err != nil {
		return "", err
	}
	return p.apply(splices...)
}
