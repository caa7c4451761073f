package account

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// Authorize checks the caller's own policies for permission; it returns a
// [DeniedError]. Keys are the condition keys that only this action has, in lower case.
func (tx *Tx) Authorize(action, resource string, keys map[string][]string) error {
	tx.resource = cmp.Or(tx.resource, resource)
	owner := OfARN(resource)
	request := policy.Request{Action: action, Resource: resource, Principal: tx.Caller.Principal, Account: owner, Context: tx.ConditionKeys(keys)}
	if _, known := keys["aws:resourceaccount"]; !known {
		request.Context["aws:resourceaccount"] = []string{cmp.Or(owner, tx.Account.ID)}
	}
	verdict := policy.Authorize(request, tx.Caller.Policies)
	if verdict.Decision == policy.Allow {
		return nil
	}
	denied := tx.Denied(action, resource, verdict)
	denied.sealer, denied.request = tx.Account.sealer, request
	return denied
}

// Denied returns the error for a verdict of other policies than the caller's own.
func (tx *Tx) Denied(action, resource string, verdict policy.Verdict) *DeniedError {
	return &DeniedError{Action: action, Resource: resource, Verdict: verdict, caller: tx.Caller}
}

// ConditionKeys returns the global condition keys of the call and those of its
// action.
func (tx *Tx) ConditionKeys(ofAction map[string][]string) map[string][]string {
	keys := map[string][]string{
		"aws:requestedregion": {tx.Region},
		"aws:currenttime":     {tx.Time.Format(time.RFC3339)},
		"aws:epochtime":       {strconv.FormatInt(tx.Time.Unix(), 10)},
		"aws:securetransport": {strconv.FormatBool(tx.TLS)},
		"aws:viaawsservice":   {"false"},
	}
	if tx.SourceIP != "" {
		keys["aws:sourceip"] = []string{tx.SourceIP}
	}
	if tx.UserAgent != "" {
		keys["aws:useragent"] = []string{tx.UserAgent}
	}
	if tx.Caller != nil {
		keys["aws:principalisawsservice"] = []string{"false"}
		maps.Copy(keys, tx.Caller.Keys(tx.Time))
		maps.Copy(keys, tx.Account.all.organizationKeys(tx.Caller.Principal.AccountID))
	}
	maps.Copy(keys, ofAction)
	return keys
}

// A DeniedError is why a caller has no permission.
type DeniedError struct {
	Action, Resource string
	Verdict          policy.Verdict

	caller  *Caller
	sealer  cipher.AEAD // nil if the caller cannot have it decoded
	request policy.Request
}

func (e *DeniedError) Error() string {
	who := "User: " + e.caller.ARN + " is not authorized to perform: " + e.Action + " on resource: " + e.Resource
	if owner := OfARN(e.Resource); e.Verdict.By == policy.TrustPolicy && owner != "" && owner != e.caller.Principal.AccountID {
		return who // AWS says nothing of another account's role
	}
	why := " because no " + string(e.Verdict.By) + " allows the " + e.Action + " action"
	if e.Verdict.Decision == policy.ExplicitDeny {
		why = " with an explicit deny in " + e.Verdict.By.Article()
	}
	return who + why
}

// MaxEncoded is the maximum length of an encoded message.
const MaxEncoded = 10240

// newSealer creates the key with which an account encrypts messages.
func newSealer() (cipher.AEAD, error) {
	block, err := aes.NewCipher(randomBytes(32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Encoded returns why the request was denied in more detail than its caller may know,
// encrypted; empty if there is no more. [Account.Decode] returns the message.
func (e *DeniedError) Encoded() string {
	if e.sealer == nil {
		return ""
	}
	text := e.seal(e.request.Context)
	if len(text) > MaxEncoded {
		text = e.seal(nil)
	}
	return text
}

func (e *DeniedError) seal(keys map[string][]string) string {
	text, _ := json.Marshal(e.message(keys)) // cannot fail: these types always encode
	return base64.RawURLEncoding.EncodeToString(e.sealer.Seal(nil, nil, text, nil))
}

// errNotEncoded is for messages that another account, or nobody, encoded.
var errNotEncoded = errors.New("this account did not encode the message")

// Decode decrypts a message that [DeniedError.Encoded] returned.
func (a *Account) Decode(text string) (string, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line breaks
		return "", errNotEncoded
	}
	opened, err := a.sealer.Open(nil, nil, sealed, nil)
	if err != nil {
		return "", errNotEncoded
	}
	return string(opened), nil
}

// list formats a list as these messages do.
type list[T any] struct {
	Items []T `json:"items"`
}

type listValue struct {
	Value string `json:"value"`
}

func listOf(values ...string) list[listValue] {
	items := []listValue{}
	for _, value := range values {
		items = append(items, listValue{value})
	}
	return list[listValue]{items}
}

type deniedMessage struct {
	Allowed           bool                   `json:"allowed"`
	ExplicitDeny      bool                   `json:"explicitDeny"`
	MatchedStatements list[matchedStatement] `json:"matchedStatements"`
	Failures          list[struct{}]         `json:"failures"`
	Context           struct {
		Principal struct {
			ID   string `json:"id"`
			Name string `json:"name,omitempty"`
			ARN  string `json:"arn"`
		} `json:"principal"`
		Action     string             `json:"action"`
		Resource   string             `json:"resource"`
		Conditions list[conditionKey] `json:"conditions"`
	} `json:"context"`
}

type matchedStatement struct {
	StatementID string          `json:"statementId"`
	Effect      string          `json:"effect"`
	Principals  list[listValue] `json:"principals"`
}

type conditionKey struct {
	Key    string          `json:"key"`
	Values list[listValue] `json:"values"`
}

// message returns a decoded message with these condition keys.
func (e *DeniedError) message(keys map[string][]string) deniedMessage {
	m := deniedMessage{ExplicitDeny: e.Verdict.Decision == policy.ExplicitDeny}
	m.MatchedStatements.Items, m.Failures.Items = e.matched(), []struct{}{}
	m.Context.Principal.ID, m.Context.Principal.ARN = e.caller.UserID, e.caller.ARN
	if e.caller.ARN == e.caller.Owner.ARN { // only a user has a name
		m.Context.Principal.Name = e.caller.Owner.Name
	}
	m.Context.Action, m.Context.Resource = e.Action, e.Resource
	m.Context.Conditions.Items = []conditionKey{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		m.Context.Conditions.Items = append(m.Context.Conditions.Items, conditionKey{key, listOf(keys[key]...)})
	}
	return m
}

// matched returns the statements that deny the request.
func (e *DeniedError) matched() []matchedStatement {
	statements := []matchedStatement{}
	own := e.caller.Policies
	documents := slices.Concat(slices.Concat(own.Organization...), own.Identity, own.Session)
	if own.Boundary != nil {
		documents = append(documents, own.Boundary)
	}
	for _, document := range documents {
		for _, s := range document.Matching(e.request) {
			if s.Deny {
				statements = append(statements, matchedStatement{s.Sid, "DENY", listOf(e.caller.UserID)})
			}
		}
	}
	return statements
}
