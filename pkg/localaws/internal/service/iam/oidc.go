package iam

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// An oidcProvider is an issuer whose tokens can assume roles.
type oidcProvider struct {
	ARN         string    `json:"arn"`
	URL         string    `json:"url"`
	ClientIDs   []string  `json:"clientIDs,omitempty"`
	Thumbprints []string  `json:"thumbprints,omitempty"`
	Created     time.Time `json:"created"`
	Tags        []tag     `json:"tags,omitempty"`
}

const (
	maxProviders   = 100
	maxClientIDs   = 100
	maxThumbprints = 5
)

func oidcProviderOperations() map[string]operation {
	const arn = "OpenIDConnectProviderArn"
	made := func(c *call) string { return c.providerARN(c.Get("Url")) }
	named := func(c *call) string { return c.Get(arn) }
	providers := func(c *call) string { return c.ARN("iam", "", "oidc-provider/") }
	operations := map[string]operation{
		"CreateOpenIDConnectProvider": write(made, createProvider,
			"Url", "ClientIDList.member.N", "ThumbprintList.member.N", "Tags.member.N.Key", "Tags.member.N.Value"),
		"GetOpenIDConnectProvider":                read(named, getProvider, arn),
		"ListOpenIDConnectProviders":              read(providers, listProviders),
		"AddClientIDToOpenIDConnectProvider":      write(named, addClientID, arn, "ClientID"),
		"RemoveClientIDFromOpenIDConnectProvider": write(named, removeClientID, arn, "ClientID"),
		"UpdateOpenIDConnectProviderThumbprint":   write(named, updateThumbprint, arn, "ThumbprintList.member.N"),
		"DeleteOpenIDConnectProvider":             write(named, deleteProvider, arn),
	}
	maps.Copy(operations, tagOperations("OpenIDConnectProvider", arn, named, func(c *call) (*[]tag, error) {
		provider, err := c.provider()
		if err != nil {
			return nil, err
		}
		return &provider.Tags, nil
	}))
	return operations
}

// providerARN returns the ARN of a provider's URL, which it contains without the
// scheme.
func (c *call) providerARN(url string) string {
	return c.ARN("iam", "", "oidc-provider/"+withoutScheme(withoutPort(url)))
}

// withoutPort drops the default port of a provider's URL, as AWS does: eksctl creates
// the provider with it, and looks for it without.
func withoutPort(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Port() != "443" {
		return text
	}
	return strings.Replace(text, u.Host, strings.TrimSuffix(u.Host, ":443"), 1)
}

func withoutScheme(url string) string {
	if _, rest, found := strings.Cut(url, "://"); found {
		return rest
	}
	return url
}

func (c *call) provider() (*oidcProvider, error) {
	arn := c.Get("OpenIDConnectProviderArn")
	provider, ok := c.state.Providers[arn]
	if !ok {
		return nil, noSuchEntity("OpenIDConnect Provider not found for arn " + arn)
	}
	return provider, nil
}

func createProvider(c *call) (any, error) {
	provider := &oidcProvider{URL: withoutPort(c.Get("Url")), Created: c.Time}
	if reason := checkIssuer(provider.URL); reason != "" {
		return nil, validationError("Invalid Open ID Connect Provider URL " + strconv.Quote(provider.URL) + ": " + reason)
	}
	for _, id := range c.List("ClientIDList.member", "") {
		if err := provider.addClient(id); err != nil {
			return nil, err
		}
	}
	var err error
	if provider.Thumbprints, err = c.thumbprints(); err != nil {
		return nil, err
	}
	if provider.Tags, err = c.tags(); err != nil {
		return nil, err
	}
	provider.ARN = c.providerARN(provider.URL)
	if _, ok := c.state.Providers[provider.ARN]; ok {
		return nil, alreadyExists("Provider with url " + provider.URL + " already exists.")
	}
	if len(c.state.Providers) >= maxProviders {
		return nil, limitExceeded("Cannot exceed quota for OpenIdConnectProvidersPerAccount: " + strconv.Itoa(maxProviders))
	}
	c.state.Providers[provider.ARN] = provider
	made := fields{element("OpenIDConnectProviderArn", provider.ARN)}
	if len(provider.Tags) > 0 {
		made = append(made, element("Tags", membersOf(provider.Tags)))
	}
	return made, nil
}

// checkIssuer returns what is wrong with the URL of a provider. AWS accepts https
// only. localaws fetches keys from loopback only, where a test's issuer has no
// certificate: there it accepts http and a port.
func checkIssuer(text string) (reason string) {
	u, err := url.Parse(text)
	switch {
	case len(text) > 255:
		return "expected at most 255 characters"
	case err != nil || u.Host == "":
		return "expected a URL"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil:
		return "expected no user, query or fragment"
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return ""
	}
	return "expected https:// (or http:// on a loopback address)"
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// addClient does nothing if the provider already has the client ID.
func (o *oidcProvider) addClient(id string) error {
	switch {
	case id == "" || len(id) > 255:
		return invalid("clientID", "failed to satisfy constraint: Member must have length between 1 and 255")
	case slices.Contains(o.ClientIDs, id):
		return nil
	case len(o.ClientIDs) >= maxClientIDs:
		return limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: " + strconv.Itoa(maxClientIDs))
	}
	o.ClientIDs = append(o.ClientIDs, id)
	return nil
}

var thumbprintPattern = pattern.New(`^[0-9A-Fa-f]{40}$`)

// thumbprints returns the thumbprints in a call: of certificates to trust when
// fetching the keys of the issuer. Like AWS, localaws needs them only for
// certificates that the system does not trust.
func (c *call) thumbprints() ([]string, error) {
	list := c.List("ThumbprintList.member", "")
	if len(list) > maxThumbprints {
		return nil, invalidInput("Thumbprint list must contain at most " + strconv.Itoa(maxThumbprints) + " entries.")
	}
	for _, thumbprint := range list {
		if !thumbprintPattern.MatchString(thumbprint) {
			return nil, invalid("thumbprintList", "failed to satisfy constraint: Member must be 40 hex digits, the SHA-1 of a certificate; "+strconv.Quote(thumbprint)+" is not")
		}
	}
	return list, nil
}

func getProvider(c *call) (any, error) {
	provider, err := c.provider()
	if err != nil {
		return nil, err
	}
	found := fields{
		element("Url", withoutScheme(provider.URL)),
		element("ClientIDList", membersOf(provider.ClientIDs)),
		element("ThumbprintList", membersOf(provider.Thumbprints)),
		element("CreateDate", timestamp(provider.Created)),
	}
	if len(provider.Tags) > 0 {
		found = append(found, element("Tags", membersOf(provider.Tags)))
	}
	return found, nil
}

func listProviders(c *call) (any, error) {
	var all []fields
	for _, arn := range slices.Sorted(maps.Keys(c.state.Providers)) {
		all = append(all, fields{element("Arn", arn)})
	}
	return fields{element("OpenIDConnectProviderList", membersOf(all))}, nil
}

func addClientID(c *call) (any, error) {
	provider, err := c.provider()
	if err != nil {
		return nil, err
	}
	return nil, provider.addClient(c.Get("ClientID"))
}

// removeClientID does nothing if the provider does not have the client ID.
func removeClientID(c *call) (any, error) {
	provider, err := c.provider()
	if err != nil {
		return nil, err
	}
	provider.ClientIDs = slices.DeleteFunc(provider.ClientIDs, func(id string) bool { return id == c.Get("ClientID") })
	return nil, nil
}

func updateThumbprint(c *call) (any, error) {
	provider, err := c.provider()
	if err != nil {
		return nil, err
	}
	thumbprints, err := c.thumbprints()
	if err != nil {
		return nil, err
	}
	provider.Thumbprints = thumbprints
	return nil, nil
}

// deleteProvider succeeds if the provider does not exist.
func deleteProvider(c *call) (any, error) {
	arn := c.Get("OpenIDConnectProviderArn")
	if err := checkARN("openIDConnectProviderArn", arn); err != nil {
		return nil, err
	}
	delete(c.state.Providers, arn)
	return nil, nil
}
