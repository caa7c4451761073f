package eks

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// An identityProvider is an OpenID Connect provider whose tokens EKS would have the API
// server accept. Here, no API server is configured with it.
type identityProvider struct {
	record
	oidcConfig
}

func (p *identityProvider) key() string { return p.Name }

func identityProviders() kind[*identityProvider] {
	return kind[*identityProvider]{
		noun: "identityproviderconfig", names: "identity provider configurations", limit: 1,
		of:      func(c *cluster) *map[string]*identityProvider { return &c.IdentityProviders },
		missing: func(name string) error { return notFound("Identity provider config not found: " + name) },
		exists: func(*cluster, *identityProvider) error {
			return inUse("Identity provider config is already associated with the cluster.")
		},
	}
}

func identityProviderOperations() []api.Operation {
	const all = "/clusters/{name}/identity-provider-configs"
	return []api.Operation{
		on(namedCluster, "POST "+all+"/associate", "AssociateIdentityProviderConfig", associateProvider),
		on(namedCluster, "GET "+all, "ListIdentityProviderConfigs", listProviders, "maxResults", "nextToken"),
		on(providerInBody, "POST "+all+"/describe", "DescribeIdentityProviderConfig", describeProvider),
		on(providerInBody, "POST "+all+"/disassociate", "DisassociateIdentityProviderConfig", disassociateProvider),
	}
}

// An oidcConfig is what a client chooses of a provider, as in requests and answers.
type oidcConfig struct {
	Name           string            `json:"identityProviderConfigName"`
	Issuer         string            `json:"issuerUrl"`
	ClientID       string            `json:"clientId"`
	UsernameClaim  string            `json:"usernameClaim,omitempty"`
	UsernamePrefix string            `json:"usernamePrefix,omitempty"`
	GroupsClaim    string            `json:"groupsClaim,omitempty"`
	GroupsPrefix   string            `json:"groupsPrefix,omitempty"`
	RequiredClaims map[string]string `json:"requiredClaims,omitempty"`
}

type providerInput struct {
	OIDC  oidcConfig        `json:"oidc"`
	Tags  map[string]string `json:"tags"`
	Token string            `json:"clientRequestToken"`
}

func (i *providerInput) conditionKeys() map[string][]string {
	return api.Merged(api.RequestTags(i.Tags), map[string][]string{"eks:clientid": {i.OIDC.ClientID}, "eks:issuerurl": {i.OIDC.Issuer}})
}

// A providerChoice names a provider.
type providerChoice struct {
	Config struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"identityProviderConfig"`
	Token string `json:"clientRequestToken"`
}

// providerInBody finds the provider that a body names.
func providerInBody(tx *account.Tx, input api.Input) (member[*identityProvider], subject, error) {
	var choice providerChoice
	_ = decodeJSON(input.Request.Content, &choice) // decoded before without an error
	found, needed, err := identityProviders().find(tx, input, choice.Config.Name)
	if err != nil { // ARNs name the type too
		needed.arn = tx.ARN("eks", tx.Region, "identityproviderconfig/"+clusterName(input)+"/oidc/"+choice.Config.Name+"/*")
	}
	if err == nil && choice.Config.Type != "oidc" {
		err = invalid("The identity provider config type must be oidc.")
	}
	return found, needed, err
}

func associateProvider(tx *account.Tx, c *cluster, in request[providerInput]) (any, error) {
	config := in.Body.OIDC
	if err := config.check(); err != nil {
		return nil, err
	}
	asked := in.under(in.Body.Token)
	done, err := c.updated(asked)
	if err != nil {
		return nil, err
	}
	creation := creation{key: config.Name, id: "oidc/" + config.Name + "/" + account.NewUUID(), tags: in.Body.Tags, token: in.Body.Token, input: in.Body}
	fresh := false
	if _, err := identityProviders().create(tx, c, creation, func(base record) *identityProvider {
		fresh = true
		return &identityProvider{base, config}
	}); err != nil {
		return nil, err
	}
	if done != nil && !fresh {
		return done, nil
	}
	params := []updateParam{{"IdentityProviderConfig", jsonOf([]any{map[string]string{"type": "oidc", "name": config.Name}})}}
	made := c.update(tx, update{Type: "AssociateIdentityProviderConfig", Params: params, tokened: asked})
	made["tags"] = orEmpty(in.Body.Tags)
	return made, nil
}

func (o *oidcConfig) check() error {
	issuer, err := url.Parse(o.Issuer)
	switch {
	case !namePattern.MatchString(o.Name):
		return invalid("The identity provider config name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters.")
	case err != nil || issuer.Scheme != "https" || issuer.Host == "" || len(o.Issuer) > 2048:
		return invalid("The issuer URL must begin with https://.")
	case o.ClientID == "":
		return invalid("The client ID is required.")
	case len(o.RequiredClaims) > maxTags:
		return invalid(fmt.Sprintf("requiredClaims cannot have more than %d members.", maxTags))
	case strings.HasPrefix(o.UsernamePrefix, "system:") || strings.HasPrefix(o.GroupsPrefix, "system:"):
		return invalid("Prefixes cannot begin with system:")
	}
	for _, text := range []string{o.ClientID, o.UsernameClaim, o.UsernamePrefix, o.GroupsClaim, o.GroupsPrefix} {
		if len(text) > 1024 {
			return invalid("A claim, prefix or client ID cannot have more than 1024 characters.")
		}
	}
	for key, value := range o.RequiredClaims {
		if key == "" || len(key) > 63 || len(value) > 253 {
			return invalid("A required claim has a name of 1 to 63 and a value of up to 253 characters.")
		}
	}
	return nil
}

func describeProvider(_ *account.Tx, m member[*identityProvider], _ request[providerChoice]) (any, error) {
	described := with(m.it.described(m.cluster, "identityProviderConfigArn", "ACTIVE"), m.it.oidcConfig)
	delete(described, "createdAt") // it has no times
	delete(described, "modifiedAt")
	return map[string]any{"identityProviderConfig": map[string]any{"oidc": described}}, nil
}

func disassociateProvider(tx *account.Tx, m member[*identityProvider], in request[providerChoice]) (any, error) {
	asked := in.under(in.Body.Token)
	if done, err := m.cluster.updated(asked); done != nil || err != nil {
		return done, err
	}
	identityProviders().remove(m)
	params := []updateParam{{"IdentityProviderConfig", jsonOf([]any{map[string]string{"type": "oidc", "name": m.it.Name}})}}
	return m.cluster.update(tx, update{Type: "DisassociateIdentityProviderConfig", Params: params, tokened: asked}), nil
}

func listProviders(_ *account.Tx, c *cluster, in request[none]) (any, error) {
	type choice struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	var all []choice
	for _, name := range identityProviders().keys(c) {
		all = append(all, choice{"oidc", name})
	}
	return listed(in.Input, "identityProviderConfigs", all, func(c choice) string { return c.Name })
}
