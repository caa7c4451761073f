package localaws

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// maxBody bounds the body of a call: it fits a policy document of 131072
// characters, encoded.
const maxBody = 1 << 20

// A call is one API call by a client.
type call struct {
	*AWS
	request   *http.Request
	body      []byte
	requestID string
	time      time.Time

	// service and region are those that the signature is scoped to.
	service, region string
	// caller is nil until the signature has been verified.
	caller *principal
	// unsigned reports that the operation takes no signature and has no caller.
	unsigned bool
	// webIdentity is the caller of an unsigned operation, once its token has been
	// verified.
	webIdentity *webIdentity
	// operation is Service:Operation as policies name it, asked its parameters,
	// and resource the ARN that it needs permission for. Faults, the log and the
	// trail use them.
	operation string
	asked     map[string]any
	resource  string
	identity  UserIdentity
	// form holds the parameters of a call to a Query service; formError is set if
	// they do not parse.
	form      url.Values
	formError error
	// writes reports that the change must be saved before the call is answered.
	writes bool
	// change numbers the state change that the call made; zero if it made none.
	change uint64
}

// An answer is the HTTP response to a call.
type answer struct {
	status      int
	contentType string
	body        []byte
	header      map[string]string
}

// ServeHTTP answers an API call to any of AWS's hosts.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{AWS: a, request: r, requestID: newRequestID(), time: a.now().UTC()}
	answer, failed := c.answer(w)
	if failed != nil {
		failed = failed.ofQuery() // in the same words, whichever service it was
	}
	c.trail.add(c.event(failed))
	if failed != nil && failed.Status == statusNone {
		c.drop(w)
	} else {
		c.send(w, answer)
	}
	c.logged(answer.status, failed)
}

func (c *call) send(w http.ResponseWriter, answer answer) {
	w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Amzn-Requestid", c.requestID)
	w.Header().Set("Content-Type", answer.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.body)))
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
}

func (c *call) logged(status int, failed *Error) {
	attributes := []any{"service", c.service, "operation", c.operation, "region", c.region, "status", status}
	if c.caller != nil {
		attributes = append(attributes, "caller", c.caller.arn)
	}
	if failed != nil {
		attributes = append(attributes, "code", failed.Code, "message", failed.Message)
	}
	c.log.Info("answered", attributes...)
}

func (c *call) answer(w http.ResponseWriter) (answer, *Error) {
	service := c.services["sts"] // words its errors until the service is known
	body, err := io.ReadAll(http.MaxBytesReader(w, c.request.Body, maxBody))
	if err != nil {
		e := newError(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "reading the request: "+err.Error())
		return service.failure(c, e), e
	}
	c.body = body
	signature, signatureError := sigv4.Parse(c.request, body)
	c.service = serviceOf(c.request.Host)
	if signatureError == nil {
		c.region = signature.Region
		if c.service == "" {
			c.service = signature.Service
		}
	} else {
		c.region = cmp.Or(regionOf(c.request.Host), c.AWS.region)
	}
	known, ok := c.services[c.service]
	if !ok {
		e := newError(http.StatusBadRequest, "UnknownService", "unknown service at host "+strconv.Quote(c.request.Host)+" (supported: STS, IAM, EKS, EC2 and CloudTrail)")
		return service.failure(c, e), e
	}
	service = known
	name, parameters := service.read(c)
	c.operation, c.asked = c.service+":"+name, parameters
	fault := c.suffer(w, signature)
	if slow, ok := service.(preparer); ok && fault == nil {
		if e := slow.prepare(c); e != nil {
			return service.failure(c, e), e
		}
	}
	served, e := c.serve(service, signature, signatureError, fault)
	if e == nil {
		e = c.saved()
	}
	if e != nil {
		return service.failure(c, e), e
	}
	return served, nil
}

// serve authenticates the call and runs its operation, unless a fault fails it
// first.
func (c *call) serve(service service, signature *sigv4.Signature, signatureError error, fault *Error) (answer, *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.authenticate(signature, signatureError)
	c.identity = c.identify(signature)
	if fault != nil {
		e = fault
	}
	if e != nil {
		return answer{}, e
	}
	served, e := service.serve(c)
	if e == nil && c.writes {
		c.changes++
		c.change = c.changes
	}
	return served, e
}

// saved returns once the change that the call made has been saved.
func (c *call) saved() *Error {
	if err := c.save(c.change); err != nil {
		c.log.Error("saving the state failed", "error", err)
		return newError(http.StatusInternalServerError, codeServiceFailure,
			"The change was made, but may not have been saved: it is lost if localaws stops now. The log of localaws says why. The next change saves it again.")
	}
	return nil
}

// serviceOf returns the service behind an AWS host name, or "" for other hosts.
func serviceOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for label := range strings.SplitSeq(strings.ToLower(host), ".") {
		switch label = strings.TrimSuffix(label, "-fips"); label {
		case "sts", "iam", "ec2", "eks", "cloudtrail":
			return label
		}
	}
	return ""
}

// regionOf returns the region of an AWS host name, or "" for other hosts.
func regionOf(host string) string {
	for label := range strings.SplitSeq(strings.ToLower(host), ".") {
		if _, ok := partitionOf(label); ok {
			return label
		}
	}
	return ""
}

// authenticate verifies the signature and sets the caller.
func (c *call) authenticate(signature *sigv4.Signature, err error) *Error {
	if c.unsigned { // another credential proves the caller
		return nil
	}
	if errors.Is(err, sigv4.ErrMissing) {
		return newError(http.StatusForbidden, codeMissingToken, "Request is missing Authentication Token")
	}
	if err != nil {
		return newError(http.StatusBadRequest, codeIncompleteSignature, err.Error())
	}
	if signature.Service != c.service {
		return newError(http.StatusForbidden, codeSignatureMismatch, "Credential should be scoped to correct service: '"+c.service+"'.")
	}
	if _, ok := partitionOf(signature.Region); !ok || signature.Region != cmp.Or(regionOf(c.request.Host), signature.Region) {
		return newError(http.StatusForbidden, codeSignatureMismatch, "Credential should be scoped to a valid region, not '"+signature.Region+"'.")
	}
	secret, caller, e := c.credentials(signature)
	if e != nil {
		return e
	}
	if err := signature.Verify(secret); err != nil {
		return signatureMismatch()
	}
	// The signature covers the time, so check the time only after the signature.
	if err := signature.CheckTime(c.time); err != nil {
		return newError(http.StatusForbidden, codeSignatureSkewed, err.Error())
	}
	c.caller = caller
	c.noteUse(signature.AccessKeyID)
	return nil
}

// credentials returns the secret and the owner of an access key ID.
func (c *call) credentials(signature *sigv4.Signature) (secret string, caller *principal, e *Error) {
	invalid := newError(http.StatusForbidden, codeInvalidToken, "The security token included in the request is invalid.")
	if key, ok := c.state.keys[signature.AccessKeyID]; ok && key.Active && signature.SessionToken == "" {
		return key.Secret, c.userPrincipal(key.user), nil
	}
	if session, ok := c.state.Sessions[signature.AccessKeyID]; ok && session.Token == signature.SessionToken {
		if !c.time.Before(session.Expires) {
			return "", nil, newError(http.StatusForbidden, codeExpiredToken, "The security token included in the request is expired")
		}
		return session.Secret, c.sessionPrincipal(session), nil
	}
	return "", nil, invalid
}

// authorize checks the caller's own policies for permission. Keys are the
// condition keys that only this action has, in lower case.
func (c *call) authorize(action, resource string, keys map[string][]string) *Error {
	c.resource = cmp.Or(c.resource, resource)
	request := policy.Request{Action: action, Resource: resource, Principal: c.caller.principal, Context: c.conditionKeys(keys)}
	verdict := policy.Authorize(request, c.caller.policies)
	if verdict.Decision == policy.Allow {
		return nil
	}
	e := c.denied(action, resource, verdict)
	e.denial = &denial{request: request, caller: c.caller, verdict: verdict}
	if u := c.caller.user; u != nil && u.ARN == c.caller.arn {
		e.denial.name = u.Name
	}
	return e
}

func (c *call) denied(action, resource string, verdict policy.Verdict) *Error {
	why := " because no " + string(verdict.By) + " allows the " + action + " action"
	if verdict.Decision == policy.ExplicitDeny {
		why = " with an explicit deny in " + verdict.By.Article()
	}
	return newError(http.StatusForbidden, codeAccessDenied, "User: "+c.caller.arn+" is not authorized to perform: "+action+" on resource: "+resource+why)
}

// conditionKeys returns the global condition keys of the call and those of its
// action.
func (c *call) conditionKeys(ofAction map[string][]string) map[string][]string {
	keys := map[string][]string{
		"aws:requestedregion": {c.region},
		"aws:currenttime":     {c.time.Format(time.RFC3339)},
		"aws:epochtime":       {strconv.FormatInt(c.time.Unix(), 10)},
		"aws:securetransport": {strconv.FormatBool(c.request.TLS != nil)},
	}
	if host, _, err := net.SplitHostPort(c.request.RemoteAddr); err == nil {
		keys["aws:sourceip"] = []string{host}
	}
	if c.caller != nil {
		maps.Copy(keys, c.caller.keys(c.time))
	}
	maps.Copy(keys, ofAction)
	return keys
}

// newRequestID returns a random UUID.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never returns an error: the program crashes instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
