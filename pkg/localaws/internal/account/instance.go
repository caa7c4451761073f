package account

import (
	"net/netip"
	"time"
)

// Instances is what the metadata service asks of EC2, which keeps the instances. EC2's
// section implements it.
type Instances interface {
	// Instance returns the instance with an ID.
	Instance(id string) (Instance, bool)
	// SetSession keeps the access key ID of the credentials that the metadata of an
	// instance hands out.
	SetSession(id, accessKeyID string)
}

// Instances returns the account's EC2.
func (tx *Tx) Instances() Instances { return offered[Instances](tx.Account) }

// An Instance is an EC2 instance as its metadata service sees it.
type Instance struct {
	ID, State, Region, Zone string
	Image, Type             string
	Architecture            string
	Reservation             string
	LaunchIndex             int
	Launched                time.Time
	PrivateDNSName          string
	PrivateIP               netip.Addr // may be invalid
	Tags                    map[string]string
	// Profile is the name of the instance profile; empty without one.
	Profile  string
	Metadata MetadataOptions
	// UserData is what the instance was launched with.
	UserData string
	// Session is what SetSession set.
	Session string
}

// HasMetadata reports whether the instance's state lets its metadata answer.
func (i Instance) HasMetadata() bool { return i.State == "pending" || i.State == "running" }

// MetadataOptions configure the metadata service of an instance.
type MetadataOptions struct {
	// Tokens is required or optional.
	Tokens string `json:"httpTokens"`
	// Endpoint is enabled or disabled, and so is Tags, which exposes the instance's
	// tags.
	Endpoint string `json:"httpEndpoint"`
	Tags     string `json:"instanceMetadataTags"`
	// HopLimit is how far tokens travel; zero means 1. Nothing here limits it.
	HopLimit int `json:"httpPutResponseHopLimit,omitempty"`
}
