package gateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/strictjson"
)

// FaultKind is what a fault does to a call.
type FaultKind string

// The kinds of fault. All but latency answer in place of the service, in the form
// that its clients expect.
const (
	// FaultLatency delays a call; later faults still apply.
	FaultLatency FaultKind = "latency"
	// FaultThrottle answers that there are too many requests.
	FaultThrottle FaultKind = "throttle"
	// FaultError answers a service error, HTTP 5xx.
	FaultError FaultKind = "error"
	// FaultDrop closes the connection without an answer.
	FaultDrop FaultKind = "drop"
	// FaultSignature answers that the signature is wrong, though it is valid.
	FaultSignature FaultKind = "wrong-signature"
)

// FaultKinds returns all kinds.
func FaultKinds() []FaultKind {
	return []FaultKind{FaultLatency, FaultThrottle, FaultError, FaultDrop, FaultSignature}
}

// A Fault makes calls fail or wait, to test clients. A call that a fault answers
// changes nothing.
type Fault struct {
	// ID identifies the fault; Add sets it.
	ID string
	// Action selects calls by action, with the wildcards of policies: *,
	// sts:GetCallerIdentity or iam:Create*.
	Action string
	// Region selects calls by region, with wildcards; empty means every region.
	Region string
	// AccessKeyID selects calls by the access key that signs them, with wildcards,
	// whether or not the key exists; empty means every call, signed or not.
	AccessKeyID string
	Kind        FaultKind
	// Latency is how long a call waits, up to an hour. Kind latency requires it;
	// other kinds reject it.
	Latency time.Duration
	// Status is the HTTP status of kind error, 500 to 599; 0 means 500.
	Status int
	// Rate is the share of matching calls that the fault hits, above 0 and up to 1;
	// 0 means 1.
	Rate float64
	// Count is how many calls the fault hits before it is used up; 0 means no limit.
	Count int
	// Struck is how many calls it has hit.
	Struck int
}

// faultJSON is a Fault on the wire: {"id":"1", "action":"sts:*",
// "region":"eu-west-*", "accessKeyId":"AKIA*", "kind":"latency", "latency":"2s",
// "status":503, "rate":0.5, "count":3, "struck":1}, without zero values.
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

// MarshalJSON formats the latency as Go does: 1m30s.
func (f Fault) MarshalJSON() ([]byte, error) {
	wire := faultJSON{f.ID, f.Action, f.Region, f.AccessKeyID, f.Kind, "", f.Status, f.Rate, f.Count, f.Struck}
	if f.Latency != 0 {
		wire.Latency = f.Latency.String()
	}
	return json.Marshal(wire)
}

// UnmarshalJSON rejects unknown fields.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var wire faultJSON
	if err := strictjson.Decode(text, &wire); err != nil {
		return err
	}
	*f = Fault{wire.ID, wire.Action, wire.Region, wire.AccessKeyID, wire.Kind, 0, wire.Status, wire.Rate, wire.Count, wire.Struck}
	if wire.Latency == "" {
		return nil
	}
	var err error
	if f.Latency, err = time.ParseDuration(wire.Latency); err != nil {
		return fmt.Errorf("latency %q: expected a duration, such as 1.5s", wire.Latency)
	}
	return nil
}

// Faults are the faults of a local AWS, in the order in which they were added. There
// are none at first, and a state file does not keep them.
type Faults struct {
	random func() float64
	// actions are all actions, in lower case.
	actions []string

	mu     sync.Mutex
	faults []*Fault
	added  int
}

// maxFaults is far more than anybody adds by hand.
const maxFaults = 1000

// Patterns for the fields of a fault.
var (
	faultAction      = pattern.New(`^[A-Za-z0-9:*?]+$`)
	faultRegion      = pattern.New(`^[a-z0-9*?-]{0,64}$`)
	faultAccessKeyID = pattern.New(`^[A-Z0-9*?]{0,128}$`)
)

// newFaults returns no faults yet, for these actions.
func newFaults(services []api.Service, random func() float64) *Faults {
	f := &Faults{random: random}
	for _, service := range services {
		for _, operation := range service.Operations {
			f.actions = append(f.actions, strings.ToLower(service.Name+":"+operation.Name))
		}
	}
	return f
}

// Add adds a fault and returns it with its ID.
func (f *Faults) Add(fault Fault) (Fault, error) {
	if err := f.check(fault); err != nil {
		return Fault{}, fmt.Errorf("adding a fault: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.faults) == maxFaults {
		return Fault{}, fmt.Errorf("adding a fault: the limit of %d faults is reached: clear them first", maxFaults)
	}
	f.added++
	fault.ID, fault.Struck = strconv.Itoa(f.added), 0
	f.faults = append(f.faults, &fault)
	return fault, nil
}

func (f *Faults) check(fault Fault) error {
	switch {
	case !faultAction.MatchString(fault.Action) || !slices.ContainsFunc(f.actions, fault.isFor):
		return fmt.Errorf("action %q matches no action of localaws (examples: sts:GetCallerIdentity, sts:*, *)", fault.Action)
	case !faultRegion.MatchString(fault.Region):
		return fmt.Errorf("region %q: expected the name of a region, such as eu-west-2 or us-*", fault.Region)
	case !faultAccessKeyID.MatchString(fault.AccessKeyID):
		return fmt.Errorf("access key %q: expected the ID of an access key, such as AKIAIOSFODNN7EXAMPLE or AKIA*", fault.AccessKeyID)
	case !slices.Contains(FaultKinds(), fault.Kind):
		return fmt.Errorf("unknown kind %q (supported: %s)", fault.Kind, kindList())
	case fault.Kind == FaultLatency && (fault.Latency <= 0 || fault.Latency > time.Hour):
		return fmt.Errorf("kind %s requires a latency above 0 and up to 1h, not %s", fault.Kind, fault.Latency)
	case fault.Kind != FaultLatency && fault.Latency != 0:
		return fmt.Errorf("kind %s takes no latency: add a fault of kind %s before it", fault.Kind, FaultLatency)
	case fault.Kind == FaultError && fault.Status != 0 && (fault.Status < 500 || fault.Status > 599):
		return fmt.Errorf("status %d: expected 500 to 599", fault.Status)
	case fault.Kind != FaultError && fault.Status != 0:
		return fmt.Errorf("kind %s takes no status: it is for kind %s", fault.Kind, FaultError)
	case !(fault.Rate >= 0 && fault.Rate <= 1): // also rejects NaN
		return fmt.Errorf("rate %v: expected more than 0 and at most 1", fault.Rate)
	case fault.Count < 0:
		return fmt.Errorf("count %d must not be negative; 0 means no limit", fault.Count)
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

// isFor reports whether a fault applies to an action, which is in lower case.
func (f *Fault) isFor(action string) bool { return matches(strings.ToLower(f.Action), action) }

// hits reports whether a fault applies to calls of an action, which is in lower
// case, in a region with an access key.
func (f *Fault) hits(action, region, accessKeyID string) bool {
	return f.isFor(action) && matches(cmp.Or(f.Region, "*"), region) && matches(cmp.Or(f.AccessKeyID, "*"), accessKeyID)
}

func matches(pattern, text string) bool {
	matched, err := path.Match(pattern, text)
	return err == nil && matched
}

// List returns all faults.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Fault, 0, len(f.faults))
	for _, fault := range f.faults {
		list = append(list, *fault)
	}
	return list
}

// Remove removes a fault by ID and reports whether it existed.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.faults)
	f.faults = slices.DeleteFunc(f.faults, func(fault *Fault) bool { return fault.ID == id })
	return len(f.faults) < before
}

// Clear removes all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// strike applies the faults to a call: it returns how long the call waits, and the
// fault that answers it, if any.
func (f *Faults) strike(action, region, accessKeyID string) (wait time.Duration, answering *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	action = strings.ToLower(action)
	for _, fault := range f.faults {
		if fault.Count != 0 && fault.Struck == fault.Count || !fault.hits(action, region, accessKeyID) {
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
