package iam

import (
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// An outbound is the switch of outbound identity federation, with which STS issues
// tokens for other services. The issuer stays the same.
type outbound struct {
	Issuer  string `json:"issuer"`
	Enabled bool   `json:"enabled"`
}

func outboundOperations() map[string]operation {
	return map[string]operation{
		"EnableOutboundWebIdentityFederation":  write(anything, enableOutbound),
		"DisableOutboundWebIdentityFederation": write(anything, disableOutbound),
		"GetOutboundWebIdentityFederationInfo": read(anything, getOutbound),
	}
}

// TokenIssuer returns the issuer of the account's tokens, and whether it issues any.
func (s *state) TokenIssuer() (issuer string, enabled bool) {
	if s.Outbound == nil {
		return "", false
	}
	return s.Outbound.Issuer, s.Outbound.Enabled
}

func enableOutbound(c *call) (any, error) {
	if _, enabled := c.state.TokenIssuer(); enabled {
		return nil, newError(http.StatusConflict, "FeatureEnabled", "Outbound web identity federation is already enabled for the account.")
	}
	if c.state.Outbound == nil {
		c.state.Outbound = &outbound{Issuer: "https://" + account.NewUUID() + account.TokenIssuerSuffix}
	}
	c.state.Outbound.Enabled = true
	return fields{element("IssuerIdentifier", c.state.Outbound.Issuer)}, nil
}

// outboundDisabled is the error while the switch is off.
func outboundDisabled() error {
	return newError(http.StatusNotFound, "FeatureDisabled", "Outbound web identity federation is not enabled for the account.")
}

func disableOutbound(c *call) (any, error) {
	if _, enabled := c.state.TokenIssuer(); !enabled {
		return nil, outboundDisabled()
	}
	c.state.Outbound.Enabled = false
	return nil, nil
}

func getOutbound(c *call) (any, error) {
	issuer, enabled := c.state.TokenIssuer()
	if !enabled {
		return nil, outboundDisabled()
	}
	return fields{element("IssuerIdentifier", issuer), element("JwtVendingEnabled", true)}, nil
}
