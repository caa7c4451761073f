// Package gateway answers the calls of all services: it decodes a call, authenticates
// and authorizes it, applies its operation in a transaction, encodes the result and
// records the call in the trail. Each step returns a value that the next one takes.
package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
)

// Config configures [New].
type Config struct {
	Accounts *account.Accounts
	Clock    *account.Clock
	Services []api.Service
	// Unknown returns what encodes the refusal of a request to an unknown service.
	Unknown func(request *api.Request, service string) api.ErrorEncoder
	Trail   *trail.Trail
	// Random decides which calls a fault with a rate hits.
	Random func() float64
	Log    *slog.Logger
}

// A Gateway is the API of all accounts.
type Gateway struct {
	accounts *account.Accounts
	clock    *account.Clock
	services []api.Service
	unknown  func(request *api.Request, service string) api.ErrorEncoder
	trail    *trail.Trail
	faults   *Faults
	log      *slog.Logger
	// working has a value for each [api.Work] that is being done.
	working chan struct{}
}

// maxWorks limits concurrent jobs, since each uses a core.
const maxWorks = 1

// New returns a gateway.
func New(config Config) *Gateway {
	return &Gateway{
		accounts: config.Accounts, clock: config.Clock, services: config.Services, unknown: config.Unknown,
		trail: config.Trail, faults: newFaults(config.Services, config.Random), log: config.Log,
		working: make(chan struct{}, maxWorks),
	}
}

// Faults returns the faults, to add and remove them.
func (g *Gateway) Faults() *Faults { return g.faults }

// ServeHTTP answers an API call to any of AWS's hosts.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := decode(g.address(g.receive(w, r)))
	fault := g.injectFault(w, c)
	o := g.answer(c, fault)
	if o.failed != nil {
		o.answer = c.failure(o.failed)
	}
	for _, event := range g.events(c, o) {
		g.trail.Add(event)
	}
	if o.failed != nil && o.failed.Status == statusNone {
		g.drop(w)
	} else {
		g.send(w, c.request.ID, o.answer)
	}
	g.logged(c, o)
}

// An outcome is the result of a call.
type outcome struct {
	// account is the ID of the caller's account; empty if it is not known.
	account string
	// caller is nil if no valid signature proves one, and web if no token does.
	caller *account.Caller
	web    *account.WebIdentity
	// resource is what the call needed permission for; empty for none.
	resource string
	answer   api.Answer
	// failed is why the call failed; nil if it did not. injected reports that a
	// fault made it fail.
	failed   *api.Error
	injected bool
}

// answer runs a call, unless a fault fails it first.
func (g *Gateway) answer(c call, fault *api.Error) outcome {
	if c.refused != nil {
		return outcome{failed: c.refused}
	}
	o := outcome{injected: fault != nil}
	if fault == nil {
		var failed *api.Error
		if o.web, failed = g.identify(c); failed != nil {
			return outcome{failed: failed}
		}
	}
	change, err := g.transact(c, func(tx *account.Tx) error {
		if home, ok := tx.In(home(tx, c, o.web)); ok {
			tx = home
			o.account = tx.Account.ID
		}
		tx.WebIdentity = o.web
		caller, failed := authenticate(tx, c)
		if caller != nil {
			tx.AccessKeyID, tx.Caller, o.caller = c.signature.AccessKeyID, caller, caller
			tx.Identities().NoteUse(tx, c.known())
		}
		if failed := cmp.Or(fault, failed, c.malformed); failed != nil {
			return failed
		}
		defer func() { o.resource = tx.Resource() }()
		if err := authorize(tx, c); err != nil {
			return err
		}
		result, err := apply(tx, c)
		if err != nil {
			return err
		}
		// The result may be part of the state, so encode it before that changes.
		o.answer = c.service.Protocol.Result(c.input, result)
		return nil
	})
	if err != nil {
		o.failed = api.ErrorOf(err)
	} else if err := g.accounts.Default().Save(change); err != nil {
		g.log.Error("saving the state failed", "error", err)
		o.failed = api.NewError(http.StatusInternalServerError, api.CodeServiceFailure,
			"The change was made, but may not have been saved: it is lost if localaws stops now. The log of localaws says why. The next change saves it again.")
	}
	return o
}

// transact runs a transaction for a call, and again after the work that it asks for.
func (g *Gateway) transact(c call, run func(*account.Tx) error) (change uint64, err error) {
	change, err = g.accounts.Default().Do(c.Call, run)
	work, ok := errors.AsType[*api.Work](err)
	if !ok {
		return change, err
	}
	select {
	case g.working <- struct{}{}:
	case <-c.request.Context().Done():
		return 0, fmt.Errorf("waiting for other work: %w", c.request.Context().Err())
	}
	if err := g.do(work); err != nil {
		return 0, err
	}
	return g.accounts.Default().Do(c.Call, run)
}

// do does a work, and makes room for the next, also after a panic.
func (g *Gateway) do(work *api.Work) error {
	defer func() { <-g.working }()
	return work.Do()
}

// home returns the ID of the account that a call is made in: that of the key or, for an
// unsigned call, that of the identity provider.
func home(tx *account.Tx, c call, web *account.WebIdentity) string {
	if web != nil {
		return account.OfARN(web.Provider)
	}
	id, _ := tx.AccountOfKey(c.signature.key())
	return id
}

// authorize checks that the caller may call the operation.
func authorize(tx *account.Tx, c call) error {
	if c.service.Bars != nil && tx.Caller != nil {
		if err := c.service.Bars(tx.Caller, c.Operation); err != nil {
			return err
		}
	}
	if c.decoded.Resource == nil {
		return nil
	}
	var keys map[string][]string
	if c.decoded.ConditionKeys != nil {
		keys = c.decoded.ConditionKeys(tx)
	}
	return tx.Authorize(tx.Action(), c.decoded.Resource(tx), keys)
}

// apply runs the operation, and returns its result.
func apply(tx *account.Tx, c call) (any, error) {
	if !c.operation.ReadOnly {
		tx.Change()
	}
	return c.decoded.Run(tx)
}

// failure encodes an error as the service does.
func (c call) failure(e *api.Error) api.Answer {
	translated := e
	if c.service != nil && c.service.Translate != nil {
		translated = c.service.Translate(e)
	}
	if e.Refused && translated.Message != e.Message { // the client must know that it is localaws
		translated = api.Refuse(translated.Status, translated.Code, e.Message)
	}
	return c.refusals.Failure(c.request, translated)
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

func (g *Gateway) logged(c call, o outcome) {
	operation := ""
	if c.service != nil {
		operation = c.service.Name + ":" + cut(c.Operation, maxOperation)
	}
	attributes := []any{"service", cut(c.Service, maxScope), "operation", operation, "region", cut(c.Region, maxScope), "status", o.answer.Status}
	if o.caller != nil {
		attributes = append(attributes, "caller", o.caller.ARN)
	}
	if o.failed != nil {
		common := api.TranslateQuery(o.failed)
		attributes = append(attributes, "code", common.Code, "message", cut(common.Message, maxMessage))
	}
	g.log.Info("answered", attributes...)
}
