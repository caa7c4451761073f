package trail

import (
	"cmp"
	"strings"
	"time"
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
	ErrorCode    string `json:"errorCode,omitempty"`
	ErrorMessage string `json:"errorMessage,omitempty"`
	// AdditionalEventData is {"localaws": "refused"} for what localaws does not
	// support, and {"localaws": "fault"} for a call that a fault answered.
	AdditionalEventData map[string]string `json:"additionalEventData,omitempty"`
	RequestParameters   map[string]any    `json:"requestParameters"`
	// ResponseElements are never Record: they may be secret.
	ResponseElements   any        `json:"responseElements"`
	RequestID          string     `json:"requestID"`
	EventID            string     `json:"eventID"`
	ReadOnly           bool       `json:"readOnly"`
	Resources          []Resource `json:"resources,omitempty"`
	EventType          string     `json:"eventType"`
	ManagementEvent    bool       `json:"managementEvent"`
	RecipientAccountID string     `json:"recipientAccountId"`
	// SharedEventID is that of the events of one call in two accounts.
	SharedEventID string `json:"sharedEventID,omitempty"`
	EventCategory string `json:"eventCategory"`
}

// UserIdentity is the caller. Its type is IAMUser, AssumedRole, FederatedUser,
// WebIdentityUser, AWSAccount for a caller of another account, or Unknown if no proof of
// the access key ID exists.
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

// Resource is the resource of a call.
type Resource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
}

// Caller returns the name for looking up an identity's events: of a user or a
// session.
func (i UserIdentity) Caller() string {
	return cmp.Or(i.UserName, i.ARN[strings.LastIndex(i.ARN, "/")+1:])
}

// Name returns the last part of the resource's ARN.
func (r Resource) Name() string { return r.ARN[strings.LastIndex(r.ARN, "/")+1:] }
