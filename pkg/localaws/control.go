package localaws

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/gateway"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/ec2"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/iam"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// SecretHeader is the header that carries [AWS.ControlSecret]. Control endpoints
// that change something or return a secret require it.
const SecretHeader = "X-Localaws-Secret"

// An endpoint is a control endpoint.
type endpoint struct {
	method, path string
	// secret reports that the endpoint changes something or returns a secret.
	secret bool
	// serve returns what to encode as JSON. If it writes the response itself, it
	// returns nil.
	serve func(http.ResponseWriter, *http.Request) (any, error)
}

func (a *AWS) endpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "health", false, a.getHealth},
		{http.MethodGet, "ca.pem", false, a.getCA},
		{http.MethodGet, "events", false, a.getEvents},
		{http.MethodGet, "instances", false, a.getInstances},
		{http.MethodGet, "clock", false, a.getClock},
		{http.MethodPost, "clock", true, a.postClock},
		{http.MethodGet, "faults", false, a.getFaults},
		{http.MethodPost, "faults", true, a.postFault},
		{http.MethodDelete, "faults", true, a.deleteFaults},
		{http.MethodDelete, "faults/{id}", true, a.deleteFault},
		{http.MethodGet, "state", true, a.getState},
		{http.MethodPut, "state", true, a.putState},
		{http.MethodDelete, "state", true, a.deleteState},
	}
}

// control returns the handler of the control endpoints. The proxy ensures that
// only clients on this machine, and no browsers, reach it.
func (a *AWS) control() http.Handler {
	mux := http.NewServeMux()
	var list []string
	for _, e := range a.endpoints() {
		list = append(list, e.method+" "+proxy.ControlPrefix+e.path)
		mux.HandleFunc(list[len(list)-1], func(w http.ResponseWriter, r *http.Request) {
			if e.secret && subtle.ConstantTimeCompare([]byte(r.Header.Get(SecretHeader)), []byte(a.secret)) == 0 {
				refuse(w, http.StatusForbidden, "this endpoint requires the header "+SecretHeader+" with the secret of this run, which is in the file control-secret of the state directory")
				return
			}
			answer, err := e.serve(w, r)
			switch failed, ok := errors.AsType[*controlError](err); {
			case ok:
				refuse(w, failed.status, failed.Error())
			case err != nil:
				refuse(w, http.StatusBadRequest, err.Error())
			case answer != nil:
				reply(w, http.StatusOK, answer)
			}
		})
	}
	mux.HandleFunc(proxy.ControlPrefix, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "unknown endpoint "+r.Method+" "+r.URL.Path+" (supported: "+strings.Join(list, ", ")+")")
	})
	return mux
}

// A controlError is an error with a status other than 400.
type controlError struct {
	status int
	error
}

func (e *controlError) Unwrap() error { return e.error }

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"message": message})
}

func reply(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "encoding the response: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

func (a *AWS) getHealth(http.ResponseWriter, *http.Request) (any, error) {
	health := struct {
		Account  string   `json:"account"`
		Accounts []string `json:"accounts,omitempty"`
		Region   string   `json:"region"`
		Status   string   `json:"status"`
	}{Account: a.AccountID(), Region: a.region, Status: "ok"}
	if all := a.accounts.All(); len(all) > 1 {
		for _, one := range all {
			health.Accounts = append(health.Accounts, one.ID)
		}
	}
	return health, nil
}

func (a *AWS) getCA(w http.ResponseWriter, _ *http.Request) (any, error) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(a.CA())
	return nil, nil
}

func (a *AWS) getInstances(http.ResponseWriter, *http.Request) (any, error) {
	instances, err := a.listInstances()
	if err != nil {
		return nil, &controlError{http.StatusInternalServerError, err}
	}
	return map[string]any{"instances": instances}, nil
}

// getEvents writes a line for each event. A slow reader misses the events that
// are dropped from the trail before it reads them.
func (a *AWS) getEvents(w http.ResponseWriter, r *http.Request) (any, error) {
	since, follow, err := a.eventsAsked(r)
	if err != nil {
		return nil, err
	}
	if follow {
		gateway.ExtendDeadlines(w, 0)
		// At shutdown, a reader that does not read gets one second.
		defer context.AfterFunc(r.Context(), func() {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
		})()
	}
	w.Header().Set("Content-Type", "application/jsonl")
	for number := uint64(0); ; {
		events, next, more := a.trail.From(number)
		number = next
		for _, event := range events {
			if event.Time.Before(since) {
				continue
			}
			if _, err := w.Write(append(slices.Clone(event.Text), '\n')); err != nil {
				return nil, nil // the reader is gone
			}
		}
		if len(events) > 0 {
			continue
		}
		if !follow || http.NewResponseController(w).Flush() != nil {
			return nil, nil
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return nil, nil
		}
	}
}

func (a *AWS) eventsAsked(r *http.Request) (since time.Time, follow bool, err error) {
	for name, values := range r.URL.Query() {
		value := values[len(values)-1]
		switch name {
		case "follow":
			if follow, err = strconv.ParseBool(value); err != nil {
				return since, false, fmt.Errorf("expected follow=true or follow=false, not %q", value)
			}
		case "since":
			if since, err = parseSince(value, a.now()); err != nil {
				return since, false, err
			}
		default:
			return since, false, fmt.Errorf("unknown parameter %q (supported: follow, since)", name)
		}
	}
	return since, follow, nil
}

// parseSince parses a time, or a duration before now. Events have whole seconds.
func parseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago).Truncate(time.Second), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("since=%q: expected a time such as 2026-11-23T08:00:00Z, or a duration such as 10m", text)
	}
	return at.Truncate(time.Second), nil
}

type clockJSON struct {
	Now    time.Time `json:"now"`
	Frozen bool      `json:"frozen"`
}

func (a *AWS) getClock(http.ResponseWriter, *http.Request) (any, error) {
	return clockJSON{a.clock.Now().UTC(), a.clock.Frozen()}, nil
}

func (a *AWS) postClock(w http.ResponseWriter, r *http.Request) (any, error) {
	var order struct {
		Action string `json:"action"`
		By     string `json:"by"`
		To     string `json:"to"`
	}
	if err := decodeRequest(w, r, &order); err != nil {
		return nil, err
	}
	if order.By != "" && order.Action != "advance" || order.To != "" && order.Action != "set" {
		return nil, fmt.Errorf("unknown argument of action %q: \"by\" belongs to advance, \"to\" to set", order.Action)
	}
	switch order.Action {
	case "freeze":
		a.clock.Freeze()
	case "advance":
		by, err := time.ParseDuration(order.By)
		if err != nil {
			return nil, fmt.Errorf("duration %q: expected one such as 5m or -1h", order.By)
		}
		if err := checkTime(a.clock.Now().Add(by)); err != nil {
			return nil, err
		}
		a.clock.Advance(by)
	case "set":
		to, err := time.Parse(time.RFC3339, order.To)
		if err != nil {
			return nil, fmt.Errorf("time %q: expected one such as 2026-11-23T08:00:00Z", order.To)
		}
		if err := checkTime(to); err != nil {
			return nil, err
		}
		a.clock.Set(to)
	case "resume":
		a.clock.Resume()
	default:
		return nil, fmt.Errorf("unknown action %q (supported: freeze, advance, set, resume)", order.Action)
	}
	return a.getClock(w, r)
}

// checkTime bounds what the clock can be set to: a time.Duration spans some 290
// years.
func checkTime(t time.Time) error {
	if year := t.UTC().Year(); year < 1970 || year > 2200 {
		return fmt.Errorf("%s: expected a time in the years 1970 to 2200", t.UTC().Format(time.RFC3339))
	}
	return nil
}

func (a *AWS) getFaults(http.ResponseWriter, *http.Request) (any, error) {
	return map[string][]Fault{"faults": a.Faults().List()}, nil
}

func (a *AWS) postFault(w http.ResponseWriter, r *http.Request) (any, error) {
	var fault Fault
	if err := decodeRequest(w, r, &fault); err != nil {
		return nil, err
	}
	if fault.ID != "" || fault.Struck != 0 {
		return nil, errors.New("localaws sets id and struck: leave them out")
	}
	return a.Faults().Add(fault)
}

func (a *AWS) deleteFaults(w http.ResponseWriter, r *http.Request) (any, error) {
	a.Faults().Clear()
	return a.getFaults(w, r)
}

func (a *AWS) deleteFault(w http.ResponseWriter, r *http.Request) (any, error) {
	if id := r.PathValue("id"); !a.Faults().Remove(id) {
		return nil, &controlError{http.StatusNotFound, fmt.Errorf("no fault has the id %q", id)}
	}
	return a.getFaults(w, r)
}

func (a *AWS) getState(w http.ResponseWriter, _ *http.Request) (any, error) {
	text, err := a.accounts.Export()
	if err != nil {
		return nil, &controlError{http.StatusInternalServerError, err}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
	return nil, nil
}

// maxState bounds the size of an imported state.
const maxState = 256 << 20

func (a *AWS) putState(w http.ResponseWriter, r *http.Request) (any, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxState))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	err = a.accounts.Import(text)
	if malformed, ok := errors.AsType[*account.MalformedError](err); ok {
		return nil, fmt.Errorf("%w; nothing has changed", malformed)
	}
	return a.replaced(err)
}

func (a *AWS) deleteState(http.ResponseWriter, *http.Request) (any, error) {
	return a.replaced(a.accounts.Reset())
}

// replaced returns how much is in a new state, or why it may not have been saved.
func (a *AWS) replaced(err error) (any, error) {
	if err != nil {
		a.log.Error("saving the state failed", "error", err)
		return nil, &controlError{http.StatusInternalServerError, fmt.Errorf("replaced the state, but it may not have been saved: %w", err)}
	}
	counts := map[string]int{}
	for _, one := range a.accounts.All() {
		one.View(func(tx *account.Tx) {
			users, groups, roles := iam.Count(tx)
			for kind, n := range map[string]int{
				"users": users, "groups": groups, "roles": roles, "clusters": a.apiServers.Count(tx), "instances": len(ec2.Instances(tx)),
			} {
				counts[kind] += n
			}
		})
	}
	return counts, nil
}

// maxBody bounds the body of a request to a control endpoint.
const maxBody = 1 << 20

// decodeRequest reads a small JSON object.
func decodeRequest(w http.ResponseWriter, r *http.Request, into any) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	if err := strictjson.Decode(text, into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}
