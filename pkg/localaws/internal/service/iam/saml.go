package iam

import (
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// A samlProvider is a record: localaws verifies no assertions.
type samlProvider struct {
	Name     string    `json:"name"`
	ARN      string    `json:"arn"`
	UUID     string    `json:"uuid"`
	Metadata string    `json:"metadata"`
	Created  time.Time `json:"created"`
	Tags     []tag     `json:"tags,omitempty"`
}

const (
	maxSAMLProviders = 100
	leastMetadata    = 1000
	maxMetadata      = 10000000
)

func samlOperations() map[string]operation {
	const arn = "SAMLProviderArn"
	made := func(c *call) string { return c.ARN("iam", "", "saml-provider/"+c.Get("Name")) }
	named := func(c *call) string { return c.Get(arn) }
	providers := func(c *call) string { return c.ARN("iam", "", "saml-provider/") }
	operations := map[string]operation{
		"CreateSAMLProvider": write(made, createSAMLProvider, "SAMLMetadataDocument", "Name", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetSAMLProvider":    read(named, getSAMLProvider, arn),
		"ListSAMLProviders":  read(providers, listSAMLProviders),
		"UpdateSAMLProvider": write(named, updateSAMLProvider, arn, "SAMLMetadataDocument"),
		"DeleteSAMLProvider": write(named, deleteSAMLProvider, arn),
	}
	maps.Copy(operations, tagOperations("SAMLProvider", arn, named, func(c *call) (*[]tag, error) {
		provider, err := c.samlProvider()
		if err != nil {
			return nil, err
		}
		return &provider.Tags, nil
	}))
	return operations
}

func (c *call) samlProvider() (*samlProvider, error) {
	arn := c.Get("SAMLProviderArn")
	provider, ok := c.state.SAMLProviders[arn]
	if !ok {
		return nil, noSuchEntity("Manifest not found for arn " + arn)
	}
	return provider, nil
}

// samlMetadata returns the metadata document in a call.
func (c *call) samlMetadata() (string, error) {
	text := c.Get("SAMLMetadataDocument")
	switch {
	case !c.Has("SAMLMetadataDocument"):
		return "", missing("sAMLMetadataDocument")
	case len(text) < leastMetadata:
		return "", invalid("sAMLMetadataDocument", "failed to satisfy constraint: Member must have length greater than or equal to "+strconv.Itoa(leastMetadata))
	case len(text) > maxMetadata:
		return "", tooLong("sAMLMetadataDocument", maxMetadata)
	}
	var document struct {
		XMLName  xml.Name
		EntityID string `xml:"entityID,attr"`
	}
	if err := xml.NewDecoder(strings.NewReader(text)).Decode(&document); err != nil || document.XMLName.Local != "EntityDescriptor" || document.EntityID == "" {
		return "", invalidInput("Could not parse metadata")
	}
	return text, nil
}

func createSAMLProvider(c *call) (any, error) {
	p := &samlProvider{Name: c.Get("Name"), UUID: account.NewUUID(), Created: c.Time}
	err := checkName("name", p.Name, 128)
	if err != nil {
		return nil, err
	}
	if p.Metadata, err = c.samlMetadata(); err != nil {
		return nil, err
	}
	if p.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	p.ARN = c.ARN("iam", "", "saml-provider/"+p.Name)
	if _, taken := c.state.SAMLProviders[p.ARN]; taken {
		return nil, alreadyExists("Provider with name " + p.Name + " already exists.")
	}
	if len(c.state.SAMLProviders) >= maxSAMLProviders {
		return nil, limitExceeded("Cannot exceed quota for SAMLProvidersPerAccount: " + strconv.Itoa(maxSAMLProviders))
	}
	c.state.SAMLProviders[p.ARN] = p
	made := fields{element("SAMLProviderArn", p.ARN)}
	if len(p.Tags) > 0 {
		made = append(made, element("Tags", membersOf(p.Tags)))
	}
	return made, nil
}

// samlValid is how long a metadata document is valid.
const samlValid = 100 * 365 * 24 * time.Hour

func getSAMLProvider(c *call) (any, error) {
	p, err := c.samlProvider()
	if err != nil {
		return nil, err
	}
	return fields{
		element("SAMLProviderUUID", p.UUID), element("SAMLMetadataDocument", p.Metadata), element("CreateDate", timestamp(p.Created)),
		element("ValidUntil", timestamp(p.Created.Add(samlValid))), element("Tags", membersOf(p.Tags)),
	}, nil
}

func listSAMLProviders(c *call) (any, error) {
	var all []fields
	for _, arn := range slices.Sorted(maps.Keys(c.state.SAMLProviders)) {
		p := c.state.SAMLProviders[arn]
		all = append(all, fields{element("Arn", arn), element("ValidUntil", timestamp(p.Created.Add(samlValid))), element("CreateDate", timestamp(p.Created))})
	}
	return fields{element("SAMLProviderList", membersOf(all))}, nil
}

func updateSAMLProvider(c *call) (any, error) {
	p, err := c.samlProvider()
	if err != nil {
		return nil, err
	}
	text, err := c.samlMetadata()
	if err != nil {
		return nil, err
	}
	p.Metadata = text
	return fields{element("SAMLProviderArn", p.ARN)}, nil
}

func deleteSAMLProvider(c *call) (any, error) {
	p, err := c.samlProvider()
	if err != nil {
		return nil, err
	}
	delete(c.state.SAMLProviders, p.ARN)
	return nil, nil
}
