// Package gateway answers the calls of all services: it decodes a call, authenticates
// and authorizes it, runs its operation in a transaction, encodes the result and
// records the call in the trail.
package gateway

import (
	"cmp"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// Config configures [New].
type Config struct {
	Account  *account.Account
	Clock    *account.Clock
	Services []api.Service
	// Unknown encodes the errors of calls to unknown services.
	Unknown api.Protocol
	Trail   *trail.Trail
	// Random decides which calls a fault with a rate hits.
	Random func() float64
	Log    *slog.Logger
}

// A Gateway is the API of an account.
type Gateway struct {
	account  *account.Account
	clock    *account.Clock
	services []api.Service
	unknown  api.Protocol
	trail    *trail.Trail
	faults   *Faults
	log      *slog.Logger
}

// New returns a gateway.
func New(config Config) *Gateway {
	return &Gateway{
		account: config.Account, clock: config.Clock, services: config.Services, unknown: config.Unknown,
		trail: config.Trail, faults: newFaults(config.Services, config.Random), log: config.Log,
	}
}

// Faults returns the faults, to add and remove them.
func (g *Gateway) Faults() *Faults { return g.faults }

// A call is a request once it is decoded.
type call struct {
	account.Call
	request   *api.Request
	signature signature
	// service is nil for an unknown service, operation for an unknown operation.
	service   *api.Service
	operation *api.Operation
	input     api.Input
	decoded   api.Decoded
	// malformed is why the call cannot run; only a known caller may know it.
	malformed *api.Error
}

// A signature is that of a request, or why there is none.
type signature struct {
	*sigv4.Signature
	err error
}

// An identity is who made a call, and the resource that it was about, for the trail.
type identity struct {
	claimed  string // the access key ID, verified or not
	caller   *account.Caller
	web      *account.WebIdentity
	resource string
}

// ServeHTTP answers an API call to any of AWS's hosts.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, failed := g.decode(w, r)
	var answer api.Answer
	var who identity
	if failed == nil {
		answer, who, failed = g.answer(w, c)
	}
	if failed != nil {
		answer = g.failure(c, failed)
	}
	g.trail.Add(g.event(c, who, failed))
	if failed != nil && failed.Status == statusNone {
		g.drop(w)
	} else {
		g.send(w, c.request.ID, answer)
	}
	g.logged(c, who, answer.Status, failed)
}

// maxBody bounds the body of a call: it fits a policy document of 131072
// characters, encoded.
const maxBody = 1 << 20

// decode reads a call: its service, its operation and its input. It fails only if
// there is no service to answer.
func (g *Gateway) decode(w http.ResponseWriter, r *http.Request) (call, *api.Error) {
	c := call{Call: account.Call{RequestID: account.NewUUID(), Time: g.clock.Now().UTC(), TLS: r.TLS != nil}}
	c.request = &api.Request{Request: r, ID: c.RequestID}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.SourceIP = host
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return c, api.NewError(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "reading the request: "+err.Error())
	}
	c.request.Content = content
	c.signature.Signature, c.signature.err = sigv4.Parse(r, content)
	c.Service = g.serviceOf(r.Host)
	if c.signature.err == nil {
		c.Region = c.signature.Region
		c.Service = cmp.Or(c.Service, c.signature.Service)
	} else {
		c.Region = cmp.Or(regionOf(r.Host), g.account.Region)
	}
	if c.service = g.find(c.Service); c.service == nil {
		return c, api.NewError(http.StatusBadRequest, "UnknownService", "unknown service at host "+strconv.Quote(r.Host)+" (supported: "+g.titles()+")")
	}
	c.input, c.operation, c.malformed = c.service.Protocol.Read(c.request, c.service.Operations)
	c.Operation = c.input.Operation
	if c.malformed == nil {
		if c.decoded, err = c.operation.Decode(c.input); err != nil {
			c.malformed = api.ErrorOf(err)
		}
	}
	return c, nil
}

// answer authenticates a call, authorizes it and runs its operation, unless a fault
// fails it first.
func (g *Gateway) answer(w http.ResponseWriter, c call) (api.Answer, identity, *api.Error) {
	fault := g.injectFault(w, c)
	web, e := identify(c.request.Context(), g.account, c, fault)
	if e != nil {
		return api.Answer{}, identity{}, e
	}
	var answer api.Answer
	var who identity
	change, err := g.account.Do(c.Call, func(tx *account.Tx) error {
		tx.WebIdentity = web
		e := authenticate(tx, c)
		who = identity{caller: tx.Caller, web: web}
		if c.signature.Signature != nil {
			who.claimed = c.signature.AccessKeyID
		}
		if e := cmp.Or(fault, e, c.malformed); e != nil {
			return e
		}
		result, err := run(tx, c)
		who.resource = tx.Resource()
		if err != nil {
			return err
		}
		// The result may be part of the state, so encode it before that changes.
		answer = c.service.Protocol.Result(c.input, result)
		return nil
	})
	if err != nil {
		return api.Answer{}, who, api.ErrorOf(err)
	}
	if err := g.account.Save(change); err != nil {
		g.log.Error("saving the state failed", "error", err)
		return api.Answer{}, who, api.NewError(http.StatusInternalServerError, api.CodeServiceFailure,
			"The change was made, but may not have been saved: it is lost if localaws stops now. The log of localaws says why. The next change saves it again.")
	}
	return answer, who, nil
}

// run authorizes a call and runs its operation.
func run(tx *account.Tx, c call) (any, error) {
	if c.service.Bars != nil && tx.Caller != nil {
		if err := c.service.Bars(tx.Caller, c.Operation); err != nil {
			return nil, err
		}
	}
	if c.decoded.Resource != nil {
		var keys map[string][]string
		if c.decoded.ConditionKeys != nil {
			keys = c.decoded.ConditionKeys(tx)
		}
		if err := tx.Authorize(tx.Action(), c.decoded.Resource(tx), keys); err != nil {
			return nil, err
		}
	}
	if !c.operation.ReadOnly {
		tx.Change()
	}
	return c.decoded.Run(tx)
}

// failure encodes an error as the service does.
func (g *Gateway) failure(c call, e *api.Error) api.Answer {
	if c.service == nil {
		return g.unknown.Failure(c.request, e)
	}
	if c.service.Translate != nil {
		e = c.service.Translate(e)
	}
	return c.service.Protocol.Failure(c.request, e)
}

func (g *Gateway) send(w http.ResponseWriter, id string, answer api.Answer) {
	w.Header().Set("Date", g.clock.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Amzn-Requestid", id)
	w.Header().Set("Content-Type", answer.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.Body)))
	for name, value := range answer.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

func (g *Gateway) logged(c call, who identity, status int, failed *api.Error) {
	operation := ""
	if c.service != nil {
		operation = c.Action()
	}
	attributes := []any{"service", c.Service, "operation", operation, "region", c.Region, "status", status}
	if who.caller != nil {
		attributes = append(attributes, "caller", who.caller.ARN)
	}
	if failed != nil {
		common := api.TranslateQuery(failed)
		attributes = append(attributes, "code", common.Code, "message", common.Message)
	}
	g.log.Info("answered", attributes...)
}
