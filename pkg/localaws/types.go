package localaws

import (
	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/gateway"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
)

// ErrInUse means that another local AWS holds the state file.
var ErrInUse = account.ErrInUse

// A Clock is the time of a local AWS: it shows [Config.Now] until it is changed.
type Clock = account.Clock

// The calls that were made; see [AWS.Events].
type (
	// Event is a call, denied or not, in the shape of a CloudTrail record.
	Event = trail.Event
	// UserIdentity is the caller.
	UserIdentity = trail.UserIdentity
	// SessionContext describes temporary credentials.
	SessionContext = trail.SessionContext
	// SessionAttributes are attributes of temporary credentials.
	SessionAttributes = trail.SessionAttributes
	// EventResource is the resource of a call.
	EventResource = trail.Resource
)

// What makes calls fail or wait; see [AWS.Faults].
type (
	// Faults are the faults of a local AWS.
	Faults = gateway.Faults
	// A Fault makes calls fail or wait, to test clients.
	Fault = gateway.Fault
	// FaultKind is what a fault does to a call.
	FaultKind = gateway.FaultKind
)

// The kinds of fault.
const (
	FaultLatency   = gateway.FaultLatency
	FaultThrottle  = gateway.FaultThrottle
	FaultError     = gateway.FaultError
	FaultDrop      = gateway.FaultDrop
	FaultSignature = gateway.FaultSignature
)

// FaultKinds returns all kinds.
func FaultKinds() []FaultKind { return gateway.FaultKinds() }
