package gateway

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
)

// Limits of what a caller chooses, in bytes, in events and in the log.
const (
	maxScope     = 64 // of a service or a region
	maxOperation = 128
	maxMessage   = 1024
)

// events returns the events of an answered call: that of the caller's account and, if
// the call succeeded on a resource of another account, that of the other account.
func (g *Gateway) events(c call, o outcome) []trail.Event {
	event := g.event(c, o)
	if o.failed != nil || o.caller == nil || len(event.Resources) == 0 {
		return []trail.Event{event}
	}
	owner := event.Resources[0].AccountID
	if _, served := g.accounts.Account(owner); !served || owner == event.RecipientAccountID {
		return []trail.Event{event}
	}
	event.SharedEventID = account.NewUUID()
	other := event
	other.EventID, other.RecipientAccountID = account.NewUUID(), owner
	// An account does not see who is who in another.
	other.UserIdentity = trail.UserIdentity{Type: "AWSAccount", PrincipalID: o.caller.UserID, AccountID: o.account}
	return []trail.Event{event, other}
}

// event returns the event of an answered call in the caller's account.
func (g *Gateway) event(c call, o outcome) trail.Event {
	event := trail.Event{
		EventVersion: "1.11", UserIdentity: userIdentity(c, o), EventTime: g.clock.Now().UTC().Truncate(time.Second),
		EventSource: cut(cmp.Or(c.Service, "unknown"), maxScope) + ".amazonaws.com", EventName: cut(c.Operation, maxOperation), AWSRegion: cut(c.Region, maxScope),
		SourceIPAddress: c.request.RemoteAddr, UserAgent: c.UserAgent,
		RequestParameters: c.recordable(), RequestID: c.request.ID, EventID: account.NewUUID(), ReadOnly: c.operation != nil && c.operation.ReadOnly,
		EventType: "AwsApiCall", ManagementEvent: true, RecipientAccountID: cmp.Or(o.account, g.accounts.Default().ID), EventCategory: "Management",
	}
	if host, _, err := net.SplitHostPort(c.request.RemoteAddr); err == nil {
		event.SourceIPAddress = host
	}
	if o.failed != nil { // in the same words, whichever service it was
		common := api.TranslateQuery(o.failed)
		event.ErrorCode, event.ErrorMessage = common.Code, cut(common.Message, maxMessage)
	}
	switch {
	case o.injected:
		event.AdditionalEventData = map[string]string{"localaws": "fault"}
	case o.failed != nil && o.failed.Refused:
		event.AdditionalEventData = map[string]string{"localaws": "refused"}
	}
	resource := o.resource
	if role, ok := event.RequestParameters["roleArn"].(string); ok && resource == "" {
		resource = role
	}
	if kind := resourceType(resource); kind != "" {
		owner := cmp.Or(account.OfARN(resource), event.RecipientAccountID)
		event.Resources = []trail.Resource{{ARN: resource, AccountID: owner, Type: kind}}
		if _, served := g.accounts.Account(owner); served && c.operation != nil && c.operation.Unsigned {
			event.RecipientAccountID = owner
		}
	}
	return event
}

// userIdentity returns the verified caller, or what an unverified call claims.
func userIdentity(c call, o outcome) trail.UserIdentity {
	if w := o.web; w != nil {
		return trail.UserIdentity{
			Type: "WebIdentityUser", PrincipalID: cut(w.Provider+":"+w.Audience+":"+w.Subject, 1024), UserName: cut(w.Subject, 256), IdentityProvider: w.Provider,
		}
	}
	key, p := cut(c.signature.key(), 128), o.caller
	if p == nil {
		return trail.UserIdentity{Type: "Unknown", AccessKeyID: key}
	}
	known := trail.UserIdentity{Type: "IAMUser", PrincipalID: p.UserID, ARN: p.ARN, AccountID: o.account, AccessKeyID: key}
	if p.Session == nil {
		known.UserName = p.Owner.Name
		return known
	}
	known.SessionContext = &trail.SessionContext{SourceIdentity: p.Session.SourceIdentity, Attributes: trail.SessionAttributes{
		CreationDate: p.Session.Issued.UTC().Truncate(time.Second), MFAAuthenticated: strconv.FormatBool(p.Session.MFA),
	}}
	issuer := trail.UserIdentity{PrincipalID: p.Owner.ID, ARN: p.Owner.ARN, AccountID: o.account, UserName: p.Owner.Name}
	switch {
	case p.IsRole():
		known.Type, issuer.Type = "AssumedRole", "Role"
	case p.IsFederated():
		known.Type, issuer.Type = "FederatedUser", "IAMUser"
	default: // the same user, with other credentials
		known.UserName = p.Owner.Name
		return known
	}
	known.SessionContext.SessionIssuer = &issuer
	return known
}

// resourceType returns the type of an ARN's resource, such as
// AWS::IAM::InstanceProfile.
func resourceType(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || strings.ContainsAny(arn, "*?") {
		return ""
	}
	kind, _, named := strings.Cut(parts[5], "/")
	if !named {
		return ""
	}
	var b strings.Builder
	for word := range strings.SplitSeq(kind, "-") {
		b.WriteString(strings.ToUpper(word[:min(1, len(word))]) + word[min(1, len(word)):])
	}
	return "AWS::" + strings.ToUpper(parts[2]) + "::" + b.String()
}

// recordable returns the parameters of a call without what is or may be secret. Of an
// operation that localaws does not have, any parameter may be.
func (c call) recordable() map[string]any {
	if c.operation == nil {
		return nil
	}
	kept, _ := withoutSecrets(c.input.Parameters).(map[string]any)
	return kept
}

// withoutSecrets removes secrets, cuts long values and turns numbered fields into
// lists.
func withoutSecrets(value any) any {
	switch value := value.(type) {
	case string:
		return cut(value, 4096)
	case []any:
		list := make([]any, len(value))
		for i, v := range value {
			list[i] = withoutSecrets(v)
		}
		return list
	case map[string]any:
		if len(value) == 0 {
			return nil
		}
		kept, list := map[string]any{}, make([]any, 0, len(value))
		for key, v := range value {
			if !isSecret(key) {
				kept[key] = withoutSecrets(v)
			}
		}
		for n := 1; value[strconv.Itoa(n)] != nil; n++ {
			list = append(list, kept[strconv.Itoa(n)])
		}
		if len(list) == len(value) {
			return list
		}
		return kept
	}
	return value
}

// isSecret reports whether a parameter's name suggests a credential.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"token", "secret", "password", "assertion", "code", "seed", "userdata", "privatekey"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// cut shortens a text to a number of bytes.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "…"
}
