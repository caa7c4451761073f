package localaws

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// maxEncoded is the maximum length of an encoded message.
const maxEncoded = 10240

// A denial is why a request was denied, in more detail than its caller may know.
type denial struct {
	request policy.Request
	caller  *principal
	// name is the caller's, if it is a user: it may be renamed before the message is
	// encoded.
	name    string
	verdict policy.Verdict
}

// newSealer creates the key with which this local AWS encrypts messages.
func newSealer() (cipher.AEAD, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never returns an error: the program crashes instead
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// encoded returns a denial as an encrypted suffix of an error message; empty without
// a denial.
func (a *AWS) encoded(d *denial) string {
	if d == nil {
		return ""
	}
	text := a.seal(d, d.request.Context)
	if len(text) > maxEncoded {
		text = a.seal(d, nil)
	}
	return " Encoded authorization failure message: " + text
}

func (a *AWS) seal(d *denial, keys map[string][]string) string {
	text, _ := json.Marshal(d.message(keys)) // cannot happen: these types always encode
	return base64.RawURLEncoding.EncodeToString(a.sealer.Seal(nil, nil, text, nil))
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

type denialMessage struct {
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
func (d *denial) message(keys map[string][]string) denialMessage {
	m := denialMessage{ExplicitDeny: d.verdict.Decision == policy.ExplicitDeny}
	m.MatchedStatements.Items, m.Failures.Items = d.matched(), []struct{}{}
	m.Context.Principal.ID, m.Context.Principal.Name, m.Context.Principal.ARN = d.caller.userID, d.name, d.caller.arn
	m.Context.Action, m.Context.Resource = d.request.Action, d.request.Resource
	m.Context.Conditions.Items = []conditionKey{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		m.Context.Conditions.Items = append(m.Context.Conditions.Items, conditionKey{key, listOf(keys[key]...)})
	}
	return m
}

// matched returns the statements that deny the request.
func (d *denial) matched() []matchedStatement {
	statements := []matchedStatement{}
	own := d.caller.policies
	documents := slices.Concat(own.Identity, own.Session)
	if own.Boundary != nil {
		documents = append(documents, own.Boundary)
	}
	for _, document := range documents {
		for _, s := range document.Matching(d.request) {
			if s.Deny {
				statements = append(statements, matchedStatement{s.Sid, "DENY", listOf(d.caller.userID)})
			}
		}
	}
	return statements
}

func decodeAuthorizationMessage(c *call, p *parameters) (any, *Error) {
	text, e := p.required("EncodedMessage", 1, maxEncoded, nil)
	if e != nil {
		return nil, e
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	var opened []byte
	if err == nil {
		opened, err = c.sealer.Open(nil, nil, sealed, nil)
	}
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line breaks
		return nil, newError(http.StatusBadRequest, "InvalidAuthorizationMessageException", "The message is not one that this local AWS encoded.")
	}
	return struct{ DecodedMessage string }{string(opened)}, nil
}
