package localaws

import (
	"cmp"
	"encoding/json"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// An Event is a call, denied or not, in the shape of a CloudTrail record. It holds
// no secrets: parameters that could be secret are left out.
type Event struct {
	EventVersion    string       `json:"eventVersion"`
	UserIdentity    UserIdentity `json:"userIdentity"`
	EventTime       time.Time    `json:"eventTime"`
	EventSource     string       `json:"eventSource"`
	EventName       string       `json:"eventName"`
	AWSRegion       string       `json:"awsRegion"`
	SourceIPAddress string       `json:"sourceIPAddress"`
	UserAgent       string       `json:"userAgent"`
	// ErrorCode is the code of IAM and STS, for every service.
	ErrorCode         string         `json:"errorCode,omitempty"`
	ErrorMessage      string         `json:"errorMessage,omitempty"`
	RequestParameters map[string]any `json:"requestParameters"`
	// ResponseElements are never recorded: they may be secret.
	ResponseElements   any             `json:"responseElements"`
	RequestID          string          `json:"requestID"`
	EventID            string          `json:"eventID"`
	ReadOnly           bool            `json:"readOnly"`
	Resources          []EventResource `json:"resources,omitempty"`
	EventType          string          `json:"eventType"`
	ManagementEvent    bool            `json:"managementEvent"`
	RecipientAccountID string          `json:"recipientAccountId"`
	EventCategory      string          `json:"eventCategory"`
}

// UserIdentity is the caller. Its type is IAMUser, AssumedRole, FederatedUser,
// WebIdentityUser, or Unknown if no proof of the access key ID exists.
type UserIdentity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	UserName    string `json:"userName,omitempty"`
	// IdentityProvider is the ARN of a WebIdentityUser's identity provider.
	IdentityProvider string          `json:"identityProvider,omitempty"`
	SessionContext   *SessionContext `json:"sessionContext,omitempty"`
}

// SessionContext describes temporary credentials: their role or user, and when and
// how they were issued.
type SessionContext struct {
	SessionIssuer *UserIdentity     `json:"sessionIssuer,omitempty"`
	Attributes    SessionAttributes `json:"attributes"`
	// SourceIdentity is the identity that the chain of sessions began with, if set.
	SourceIdentity string `json:"sourceIdentity,omitempty"`
}

// SessionAttributes are attributes of temporary credentials.
type SessionAttributes struct {
	CreationDate     time.Time `json:"creationDate"`
	MFAAuthenticated string    `json:"mfaAuthenticated"` // "true" or "false"
}

// EventResource is the resource of a call.
type EventResource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
}

// identify returns the verified caller, or what an unverified call claims.
func (c *call) identify(signature *sigv4.Signature) UserIdentity {
	var key string
	if signature != nil {
		key = cut(signature.AccessKeyID, 128)
	}
	if w := c.webIdentity; w != nil {
		return UserIdentity{
			Type: "WebIdentityUser", PrincipalID: cut(w.Provider+":"+w.Audience+":"+w.Subject, 1024), UserName: cut(w.Subject, 256), IdentityProvider: w.Provider,
		}
	}
	p := c.caller
	if p == nil {
		return UserIdentity{Type: "Unknown", AccessKeyID: key}
	}
	identity := UserIdentity{Type: "IAMUser", PrincipalID: p.userID, ARN: p.arn, AccountID: c.accountID, AccessKeyID: key}
	if p.session == nil {
		identity.UserName = p.user.Name
		return identity
	}
	identity.SessionContext = &SessionContext{SourceIdentity: p.session.SourceIdentity, Attributes: SessionAttributes{
		CreationDate: p.session.Issued.UTC().Truncate(time.Second), MFAAuthenticated: strconv.FormatBool(p.session.MFA),
	}}
	issuer := UserIdentity{PrincipalID: p.entity().ID, ARN: p.entity().ARN, AccountID: c.accountID, UserName: p.entity().Name}
	switch {
	case p.role != nil:
		identity.Type, issuer.Type = "AssumedRole", "Role"
	case p.session.Federated:
		identity.Type, issuer.Type = "FederatedUser", "IAMUser"
	default: // the same user, with other credentials
		identity.UserName = p.user.Name
		return identity
	}
	identity.SessionContext.SessionIssuer = &issuer
	return identity
}

// caller returns the name for looking up an identity's events: of a user or a
// session.
func (i UserIdentity) caller() string {
	return cmp.Or(i.UserName, i.ARN[strings.LastIndex(i.ARN, "/")+1:])
}

// event returns the event of an answered call.
func (c *call) event(failed *Error) Event {
	_, name, _ := strings.Cut(c.operation, ":")
	event := Event{
		EventVersion: "1.11", UserIdentity: c.identity, EventTime: c.now().UTC().Truncate(time.Second),
		EventSource: cut(cmp.Or(c.service, "unknown"), 64) + ".amazonaws.com", EventName: cut(name, 128), AWSRegion: cut(cmp.Or(c.region, c.AWS.region), 64),
		SourceIPAddress: c.request.RemoteAddr, UserAgent: cut(c.request.UserAgent(), 1024),
		RequestParameters: c.asked, RequestID: c.requestID, EventID: newRequestID(), ReadOnly: readsOnly(name),
		EventType: "AwsApiCall", ManagementEvent: true, RecipientAccountID: c.accountID, EventCategory: "Management",
	}
	if event.UserIdentity.Type == "" { // it failed before it was parsed
		event.UserIdentity.Type = "Unknown"
	}
	if host, _, err := net.SplitHostPort(c.request.RemoteAddr); err == nil {
		event.SourceIPAddress = host
	}
	if failed != nil {
		event.ErrorCode, event.ErrorMessage = failed.Code, cut(failed.Message, 1024)
	}
	resource := c.resource
	if role, ok := c.asked["roleArn"].(string); ok && resource == "" {
		resource = role
	}
	if kind := resourceType(resource); kind != "" {
		event.Resources = []EventResource{{resource, c.accountID, kind}}
	}
	return event
}

// readsOnly reports, by its name as CloudTrail does, whether an operation changes
// nothing. To assume a role changes nothing.
func readsOnly(name string) bool {
	return slices.ContainsFunc([]string{"Get", "List", "Describe", "Lookup", "Simulate", "Decode", "Assume"}, func(verb string) bool {
		return strings.HasPrefix(name, verb)
	})
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

// formParameters nests the fields of a form as CloudTrail does: Tags.member.1.Key is
// the key of the first of the tags.
func formParameters(form url.Values) map[string]any {
	tree := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		path := slices.DeleteFunc(strings.Split(name, "."), func(s string) bool { return s == "member" })
		if len(path) == 0 || len(path) > 8 { // deeper than any real parameter
			continue
		}
		at := tree
		for _, segment := range path[:len(path)-1] {
			next, ok := at[lowerFirst(segment)].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[lowerFirst(segment)] = next
			}
			at = next
		}
		at[lowerFirst(path[len(path)-1])] = form.Get(name)
	}
	return jsonParameters(tree)
}

func lowerFirst(s string) string {
	return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):]
}

// jsonParameters returns parameters without what is or may be secret.
func jsonParameters(parameters map[string]any) map[string]any {
	kept, _ := withoutSecrets(parameters).(map[string]any)
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
	return slices.ContainsFunc([]string{"token", "secret", "password", "assertion", "code", "seed", "userdata"}, func(word string) bool {
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

const (
	// maxEvents bounds the remembered events; the oldest are dropped.
	maxEvents = 10_000
	// maxTrail bounds their memory.
	maxTrail = 16 << 20
)

// A trail remembers the last calls.
type trail struct {
	mu sync.Mutex
	// events are the remembered events, the oldest first; first is the number of the
	// oldest.
	events []recorded
	first  uint64
	size   int
	// more is closed when there are more events.
	more chan struct{}
}

// A recorded event is encoded, so that it cannot change and its size is known.
type recorded struct {
	text []byte
	time time.Time
	// Attributes for lookups.
	id, name, source, caller, accessKeyID string
	readOnly                              bool
	resource                              EventResource
}

func newTrail() *trail { return &trail{more: make(chan struct{})} }

func (t *trail) add(event Event) {
	text, err := json.Marshal(event)
	if err != nil { // cannot happen: these types always encode
		return
	}
	r := recorded{
		text: text, time: event.EventTime, id: event.EventID, name: event.EventName, source: event.EventSource,
		caller: event.UserIdentity.caller(), accessKeyID: event.UserIdentity.AccessKeyID, readOnly: event.ReadOnly,
	}
	if len(event.Resources) > 0 {
		r.resource = event.Resources[0]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, r)
	t.size += len(text)
	for len(t.events) > maxEvents || t.size > maxTrail {
		t.size -= len(t.events[0].text)
		t.events[0] = recorded{}
		t.events = t.events[1:]
		t.first++
	}
	close(t.more)
	t.more = make(chan struct{})
}

// from returns the remembered events from a number on, a thousand at most, the
// number of the next one, and a channel that closes when there is one.
func (t *trail) from(number uint64) (events []recorded, next uint64, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	start := min(max(number, t.first)-t.first, uint64(len(t.events)))
	end := min(start+1000, uint64(len(t.events)))
	return slices.Clone(t.events[start:end]), t.first + end, t.more
}

// before returns the remembered events before a number, the newest first, and the
// number of the oldest.
func (t *trail) before(number uint64) (events []recorded, oldest uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := min(max(number, t.first)-t.first, uint64(len(t.events)))
	events = slices.Clone(t.events[:end])
	slices.Reverse(events)
	return events, t.first
}

// Events returns the last calls, the oldest first: 10 000, or fewer if they exceed
// 16 MiB in all. They are in memory only.
func (a *AWS) Events() []Event {
	var all []Event
	for number := uint64(0); ; {
		var events []recorded
		if events, number, _ = a.trail.from(number); len(events) == 0 {
			return all
		}
		for _, r := range events {
			var event Event
			if json.Unmarshal(r.text, &event) == nil { // decodes what record encoded
				all = append(all, event)
			}
		}
	}
}
