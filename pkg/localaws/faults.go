package localaws

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// FaultKind is what a fault does to a call.
type FaultKind string

// The kinds of fault. All but latency answer instead of the service, each in the
// form that the service's clients know.
const (
	// FaultLatency makes a call wait, and then goes on with the faults after it.
	FaultLatency FaultKind = "latency"
	// FaultThrottle answers that there are too many requests.
	FaultThrottle FaultKind = "throttle"
	// FaultError answers an error of the service's own, HTTP 5xx.
	FaultError FaultKind = "error"
	// FaultDrop closes the connection without an answer.
	FaultDrop FaultKind = "drop"
	// FaultSignature answers that the signature is wrong, though it is good.
	FaultSignature FaultKind = "wrong-signature"
)

// FaultKinds are all that there are.
func FaultKinds() []FaultKind {
	return []FaultKind{FaultLatency, FaultThrottle, FaultError, FaultDrop, FaultSignature}
}

// A Fault befalls calls, for clients to be tested by. A call that it answers is
// not done: nothing has changed.
type Fault struct {
	// ID by which it is removed; Add gives it.
	ID string
	// Action of the calls, with wildcards, as policies have it: * or
	// sts:GetCallerIdentity or iam:Create*.
	Action string
	// Region of the calls, with wildcards; empty means every region.
	Region string
	// AccessKeyID that the calls are signed with, with wildcards, whether or not
	// such a key exists; empty means every call, signed or not.
	AccessKeyID string
	Kind        FaultKind
	// Latency is how long a call waits, an hour at most. For kind latency alone,
	// which must have one.
	Latency time.Duration
	// Status of HTTP, 500 to 599. For kind error alone; 0 means 500.
	Status int
	// Rate is which part of the calls it befalls, above 0 and up to 1; 0 means 1,
	// all of them.
	Rate float64
	// Count is how many calls it befalls before it is over; 0 means that it never
	// is.
	Count int
	// Struck is how many it has befallen.
	Struck int
}

// faultJSON is a Fault on the wire: {"id":"1", "action":"sts:*",
// "region":"eu-west-*", "accessKeyId":"AKIA*", "kind":"latency", "latency":"2s",
// "status":503, "rate":0.5, "count":3, "struck":1}, without what is zero.
type faultJSON struct {
	ID          string    `json:"id,omitempty"`
	Action      string    `json:"action"`
	Region      string    `json:"region,omitempty"`
	AccessKeyID string    `json:"accessKeyId,omitempty"`
	Kind        FaultKind `json:"kind"`
	Latency     string    `json:"latency,omitempty"`
	Status      int       `json:"status,omitempty"`
	Rate        float64   `json:"rate,omitempty"`
	Count       int       `json:"count,omitempty"`
	Struck      int       `json:"struck"`
}

// MarshalJSON writes the latency as Go does: 1m30s.
func (f Fault) MarshalJSON() ([]byte, error) {
	wire := faultJSON{f.ID, f.Action, f.Region, f.AccessKeyID, f.Kind, "", f.Status, f.Rate, f.Count, f.Struck}
	if f.Latency != 0 {
		wire.Latency = f.Latency.String()
	}
	return json.Marshal(wire)
}

// UnmarshalJSON refuses what it does not know.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var wire faultJSON
	if err := decodeStrictly(text, &wire); err != nil {
		return err
	}
	*f = Fault{wire.ID, wire.Action, wire.Region, wire.AccessKeyID, wire.Kind, 0, wire.Status, wire.Rate, wire.Count, wire.Struck}
	if wire.Latency == "" {
		return nil
	}
	var err error
	if f.Latency, err = time.ParseDuration(wire.Latency); err != nil {
		return fmt.Errorf("latency %q is no duration, such as 1.5s", wire.Latency)
	}
	return nil
}

// Faults are what befalls the calls to a local AWS, in the order in which they
// were added. None are there at first, and a state file does not keep them.
type Faults struct {
	random func() float64
	// actions that there are, in lower case.
	actions []string

	mu     sync.Mutex
	faults []*Fault
	added  int
}

// maxFaults is far more than anybody adds by hand.
const maxFaults = 1000

// What the patterns of a fault consist of.
var (
	faultAction      = regexp.MustCompile(`^[A-Za-z0-9:*?]+$`)
	faultRegion      = regexp.MustCompile(`^[a-z0-9*?-]{0,64}$`)
	faultAccessKeyID = regexp.MustCompile(`^[A-Z0-9*?]{0,128}$`)
)

// Add a fault. It is returned with its ID.
func (f *Faults) Add(fault Fault) (Fault, error) {
	if err := f.check(fault); err != nil {
		return Fault{}, fmt.Errorf("adding a fault: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.faults) == maxFaults {
		return Fault{}, fmt.Errorf("adding a fault: there are %d, which is the most; clear them first", maxFaults)
	}
	f.added++
	fault.ID, fault.Struck = strconv.Itoa(f.added), 0
	f.faults = append(f.faults, &fault)
	return fault, nil
}

func (f *Faults) check(fault Fault) error {
	switch {
	case !faultAction.MatchString(fault.Action) || !slices.ContainsFunc(f.actions, fault.isFor):
		return fmt.Errorf("action %q matches none of localaws, such as sts:GetCallerIdentity, sts:* or *", fault.Action)
	case !faultRegion.MatchString(fault.Region):
		return fmt.Errorf("region %q is not the name of a region, such as eu-west-2 or us-*", fault.Region)
	case !faultAccessKeyID.MatchString(fault.AccessKeyID):
		return fmt.Errorf("access key %q is not the ID of an access key, such as AKIAIOSFODNN7EXAMPLE or AKIA*", fault.AccessKeyID)
	case !slices.Contains(FaultKinds(), fault.Kind):
		return fmt.Errorf("kind %q is none of %s", fault.Kind, kindList())
	case fault.Kind == FaultLatency && (fault.Latency <= 0 || fault.Latency > time.Hour):
		return fmt.Errorf("kind %s wants a latency above 0 and up to 1h, not %s", fault.Kind, fault.Latency)
	case fault.Kind != FaultLatency && fault.Latency != 0:
		return fmt.Errorf("kind %s has no latency; add a fault of kind %s before it", fault.Kind, FaultLatency)
	case fault.Kind == FaultError && fault.Status != 0 && (fault.Status < 500 || fault.Status > 599):
		return fmt.Errorf("status %d is not 500 to 599", fault.Status)
	case fault.Kind != FaultError && fault.Status != 0:
		return fmt.Errorf("kind %s has a status of its own; status is for kind %s", fault.Kind, FaultError)
	case !(fault.Rate >= 0 && fault.Rate <= 1): // no number is neither
		return fmt.Errorf("rate %v is not above 0 and up to 1", fault.Rate)
	case fault.Count < 0:
		return fmt.Errorf("count %d is negative; 0 means always", fault.Count)
	}
	return nil
}

func kindList() string {
	var names []string
	for _, kind := range FaultKinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// isFor reports whether a fault is for an action, which is in lower case.
func (f *Fault) isFor(action string) bool { return matches(strings.ToLower(f.Action), action) }

// befalls reports whether a fault is for the calls of an action, which is in lower
// case, in a region by an access key.
func (f *Fault) befalls(action, region, accessKeyID string) bool {
	return f.isFor(action) && matches(cmp.Or(f.Region, "*"), region) && matches(cmp.Or(f.AccessKeyID, "*"), accessKeyID)
}

func matches(pattern, text string) bool {
	matched, err := path.Match(pattern, text)
	return err == nil && matched
}

// List them.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Fault, 0, len(f.faults))
	for _, fault := range f.faults {
		list = append(list, *fault)
	}
	return list
}

// Remove one by its ID; false means that there is none.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.faults)
	f.faults = slices.DeleteFunc(f.faults, func(fault *Fault) bool { return fault.ID == id })
	return len(f.faults) < before
}

// Clear removes them all.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// strike decides what befalls a call: how long it waits, and the fault that
// answers it, if one does.
func (f *Faults) strike(action, region, accessKeyID string) (wait time.Duration, answering *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	action = strings.ToLower(action)
	for _, fault := range f.faults {
		if fault.Count != 0 && fault.Struck == fault.Count || !fault.befalls(action, region, accessKeyID) {
			continue
		}
		if fault.Rate != 0 && f.random() >= fault.Rate {
			continue
		}
		fault.Struck++
		if fault.Kind != FaultLatency {
			return wait, new(*fault)
		}
		wait += fault.Latency
	}
	return wait, nil
}

// suffer lets a call have its faults. An error is to be answered instead of what
// the service would. The signature is nil if there is none that can be read.
func (c *call) suffer(w http.ResponseWriter, signature *sigv4.Signature) *Error {
	accessKeyID := ""
	if signature != nil {
		accessKeyID = signature.AccessKeyID
	}
	wait, fault := c.faults.strike(c.operation, c.region, accessKeyID)
	if wait > 0 && !c.wait(w, wait) {
		return newError(statusNone, "ConnectionClosed", "The client left before it was answered.")
	}
	if fault == nil {
		return nil
	}
	switch fault.Kind {
	case FaultThrottle:
		return newError(http.StatusBadRequest, codeThrottled, "Rate exceeded")
	case FaultDrop:
		return newError(statusNone, "ConnectionDropped", "A fault of localaws dropped the connection.")
	case FaultSignature:
		return signatureMismatch()
	}
	if fault.Status == http.StatusServiceUnavailable {
		return newError(fault.Status, codeUnavailable, "A fault of localaws made the service unavailable.")
	}
	return newError(max(fault.Status, http.StatusInternalServerError), codeServiceFailure, "A fault of localaws made the service fail.")
}

// wait for a time of the real clock; false means that the client has left.
func (c *call) wait(w http.ResponseWriter, wait time.Duration) bool {
	extendDeadlines(w, wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.request.Context().Done():
		return false
	}
}

// statusNone is that of an answer that is not given.
const statusNone = 0

// drop closes the connection that an answer would have gone to.
func (c *call) drop(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // nor can an answer be given
		c.log.Error("dropping a connection failed", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = connection.Close()
}
