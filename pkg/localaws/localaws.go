// Package localaws is a local AWS: STS, IAM, Organizations, EKS, EC2, CloudTrail, SSM's
// public parameters and CloudFormation without stacks, as an http.Handler that really
// checks signatures, trust policies and permissions, for one account or several, in
// memory or in a state file.
//
// Unmodified clients reach it in one of three ways:
//
//   - Through its proxy (HTTPS_PROXY and AWS_CA_BUNDLE, see [Environment]). Host
//     names, signatures and tokens are the same, byte for byte, as with AWS.
//   - Through DNS that resolves AWS's names to it (see [AWS.ServeTLS]). Here
//     too, host names, signatures and tokens are the same as with AWS.
//   - At its URL as endpoint (AWS_ENDPOINT_URL), which older clients do not
//     support.
//
// It rejects what it does not support with an error in AWS's format; it accepts
// nothing that it would then ignore.
//
// # Control endpoints
//
// [AWS.Serve] also answers paths under /_localaws/, only to this machine, under a
// loopback name, and never to browsers. Endpoints that change something or return
// a secret require the header X-Localaws-Secret (see [AWS.ControlSecret]). Errors
// are {"message": "…"}. Durations are in Go's format (1h30m), times in RFC 3339.
//
//	GET    health       {"status": "ok", "account": "231144931069", "region": "eu-west-2"},
//	                    with all "accounts" if there are several
//	GET    ca.pem       the certificate that clients trust
//	GET    events       a line of JSON for each Event, the oldest first; ?since= a time
//	                    or a duration before now; ?follow=true streams new events
//	GET    instances    {"instances": […]}: the EC2 instances, each with the
//	                    "metadataEndpoint" that serves its metadata
//	GET    clock        {"now": "2026-11-23T08:00:00Z", "frozen": false}
//	POST   clock        {"action": "freeze"}, {"action": "advance", "by": "5m"},
//	                    {"action": "set", "to": "2026-11-23T08:00:00Z"} or
//	                    {"action": "resume"} (real time); returns the same as GET
//	GET    faults       {"faults": […]}, each as below
//	POST   faults       {"action": "sts:*", "kind": "error", "status": 503, "rate": 0.5, "count": 3,
//	                    "region": "eu-west-*", "accessKeyId": "AKIA*"}
//	                    adds a Fault and returns it with its "id" and "struck", the
//	                    number of calls hit; kind latency has a "latency": "2s"
//	DELETE faults/{id}  removes one, DELETE faults all; both return the same as GET
//	GET    state        all data of all accounts, with secrets; requires the secret
//	PUT    state        replaces the state with one that GET returned
//	DELETE state        resets the state: only the administrators stay, with the same
//	                    keys. PUT and DELETE return {"users": 1, "groups": 0,
//	                    "roles": 0, "clusters": 0, "instances": 0}
package localaws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/gateway"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/httpserver"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/cloudformation"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/cloudtrail"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/ec2"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/eks"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/iam"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/imds"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/organizations"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/ssm"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/sts"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// Config configures [New]. The zero value is an in-memory account in us-east-1.
type Config struct {
	// AccountID has 12 digits. Empty means 000000000000.
	AccountID string
	// Accounts are further accounts, up to 31.
	Accounts []Account
	// Partition is the partition of all accounts: aws, aws-cn, aws-us-gov and so on.
	// Regions of other partitions are not served. Empty means that of Region.
	Partition string
	// Region is the default region of clients. Empty means us-east-1, or that of the
	// partition's global services.
	Region string
	// Instances are the EC2 instances of the first account.
	Instances []Instance
	// Administrator is the access key of the user administrator, who has full
	// access. The zero value means a new one.
	Administrator AccessKey
	// CA signs the certificates for AWS's names. Nil means a new one.
	CA *proxy.CA
	// StateFile keeps the state, with secrets. Every answered change is in it, even
	// after a kill. It is created if it does not exist, and only one AWS at a time
	// can use it (see [AWS.Close]). Empty means in memory only.
	StateFile string
	// Now is the time that the [Clock] starts from. Nil means time.Now.
	Now func() time.Time
	// Random decides which calls a fault with a rate hits: it returns numbers in [0,
	// 1). Nil means math/rand/v2.
	Random func() float64
	// Log records the answered calls, never a secret or a signature. Nil means no
	// log.
	Log *slog.Logger
}

// AccessKey is a long-term access key.
type AccessKey = iam.Key

// An Account is an account besides [Config.AccountID].
type Account struct {
	// ID has 12 digits.
	ID string
	// Administrator is the access key of the account's user administrator, who has
	// full access. The zero value means a new one.
	Administrator AccessKey
}

// AWS is a local AWS.
type AWS struct {
	region         string
	partition      string
	administrators map[string]AccessKey // in the configuration, by account ID
	instances      []Instance           // in the configuration
	ca             *proxy.CA
	clock          *Clock
	now            func() time.Time // the clock's time
	accounts       *account.Accounts
	account        *account.Account // the first
	gateway        *gateway.Gateway
	trail          *trail.Trail
	secret         string // required for writes to the control endpoints
	log            *slog.Logger

	apiServers *eks.Servers // of clusters

	metadata *imds.Service
}

// New creates a local AWS.
func New(config Config) (*AWS, error) { return open(config, (*AWS).services) }

// open creates a local AWS with these services.
func open(config Config, listed func(*AWS) []api.Service) (*AWS, error) {
	if config.AccountID == "" {
		config.AccountID = "000000000000"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	region, partition, err := config.place()
	if err != nil {
		return nil, fmt.Errorf("creating a local AWS: %w", err)
	}
	ids, administrators, err := config.accounts()
	if err != nil {
		return nil, fmt.Errorf("creating a local AWS: %w", err)
	}
	if err := ec2.Check(config.Instances); err != nil {
		return nil, fmt.Errorf("creating a local AWS: %w", err)
	}
	if config.CA == nil {
		if config.CA, err = proxy.NewCA(time.Now()); err != nil {
			return nil, fmt.Errorf("creating a local AWS: %w", err)
		}
	}
	if config.Random == nil {
		config.Random = rand.Float64
	}
	clock := account.NewClock(config.Now)
	a := &AWS{
		region:         region,
		partition:      partition,
		administrators: administrators,
		instances:      config.Instances,
		ca:             config.CA,
		clock:          clock,
		now:            clock.Now,
		apiServers:     eks.NewServers(proxy.NoServer, config.CA.PEM()),
		trail:          trail.New(),
		secret:         account.NewSecret(),
		log:            config.Log,
	}
	services := listed(a)
	parts := make([]account.Part, len(services))
	for i, service := range services {
		parts[i] = service.State
	}
	a.accounts, err = account.Open(account.Config{
		IDs: ids, Region: region, Partition: partition, Clock: clock, Parts: parts, StateFile: config.StateFile,
	})
	if err != nil {
		return nil, fmt.Errorf("creating a local AWS: %w", err)
	}
	a.account = a.accounts.Default()
	a.metadata = imds.New(a.account, config.Log)
	a.gateway = gateway.New(gateway.Config{
		Accounts: a.accounts, Clock: clock, Services: services, Unknown: protocol.Of, Trail: a.trail, Random: config.Random, Log: config.Log,
	})
	return a, nil
}

// services returns the services of an account. A new one is a package and a line here.
func (a *AWS) services() []api.Service {
	return []api.Service{
		sts.New(),
		iam.New(managedpolicy.New(a.partition), a.administrators),
		eks.New(a.apiServers),
		ec2.New(a.instances),
		cloudtrail.New(a.trail),
		ssm.New(),
		cloudformation.New(),
		organizations.New(),
	}
}

// ServeHTTP answers an API call to any of AWS's hosts.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.serveIssuer(w, r) {
		a.gateway.ServeHTTP(w, r)
	}
}

// Administrator returns the access key of the user administrator, who has full
// access, of the first account.
func (a *AWS) Administrator() AccessKey { return a.Accounts()[0].Administrator }

// AccountID returns the ID of the account, the first of several.
func (a *AWS) AccountID() string { return a.account.ID }

// Accounts returns all accounts with their administrators' keys.
func (a *AWS) Accounts() []Account {
	all := make([]Account, len(a.accounts.All()))
	for i, one := range a.accounts.All() {
		one.View(func(tx *account.Tx) { all[i] = Account{one.ID, iam.Administrator(tx)} })
	}
	return all
}

// Region returns the default region of clients.
func (a *AWS) Region() string { return a.region }

// Clock returns the clock, to set its time.
func (a *AWS) Clock() *Clock { return a.clock }

// Faults returns the faults, to add and remove them.
func (a *AWS) Faults() *Faults { return a.gateway.Faults() }

// ControlSecret returns the secret that writes to the control endpoints require. Who
// can read it can change everything. Every AWS has a new one.
func (a *AWS) ControlSecret() string { return a.secret }

// CA returns the certificate, in PEM, that makes clients trust the proxy.
func (a *AWS) CA() []byte { return a.ca.PEM() }

// ErrAllow means that clients of other machines could connect, but none are allowed.
var ErrAllow = errors.New("listening beyond loopback requires the networks of the clients (--allow, such as 172.18.0.0/16)")

// Serve serves a listener, as an endpoint and as a proxy, until ctx ends. Clients
// must be on this machine or in one of the allowed networks.
func (a *AWS) Serve(ctx context.Context, listener net.Listener, allow []netip.Prefix) error {
	p, err := a.newProxy(listener, allow)
	if err != nil {
		return err
	}
	defer p.Close()
	defer a.metadata.Serve()()
	defer a.warnOfExpiry().Stop()
	return a.serve(ctx, listener, p)
}

// warnOfExpiry warns a day before the CA expires, unless the timer is stopped before.
func (a *AWS) warnOfExpiry() *time.Timer {
	expires := a.ca.Expires()
	return time.AfterFunc(time.Until(expires.Add(-24*time.Hour)), func() {
		a.log.Warn("the CA expires soon, and clients then trust no answer: restart localaws", "expires", expires)
	})
}

// ServeTLS serves a listener under AWS's own names, over TLS, until ctx ends. It is
// for clients that find it by DNS and do not support a proxy, as in a container
// network. They must be on this machine or in one of the allowed networks, and ask
// for one of AWS's names; others get no connection. It does not serve control
// endpoints.
func (a *AWS) ServeTLS(ctx context.Context, listener net.Listener, allow []netip.Prefix) error {
	p, err := a.newProxy(listener, allow)
	if err != nil {
		return err
	}
	return a.serve(ctx, p.ListenTLS(listener), http.HandlerFunc(p.ServeTLS))
}

// newProxy returns a proxy for a listener, if its clients are restricted.
func (a *AWS) newProxy(listener net.Listener, allow []netip.Prefix) (*proxy.Proxy, error) {
	if err := CheckAllow(listener, allow); err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		CA: a.ca, AWS: a, Control: a.control(), Endpoint: a.endpoint, Allow: allow, Log: a.log,
	})
}

// CheckAllow returns [ErrAllow] for a listener beyond loopback without allowed networks.
func CheckAllow(listener net.Listener, allow []netip.Prefix) error {
	if address, ok := listener.Addr().(*net.TCPAddr); (!ok || !address.IP.IsLoopback()) && len(allow) == 0 {
		return ErrAllow
	}
	return nil
}

// serve serves a listener until ctx ends.
func (a *AWS) serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := httpserver.New(handler, a.log)
	// Calls that wait, for a fault or for events, end with ctx.
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(deadline)
	if err != nil {
		err = errors.Join(err, server.Close()) // wait for all requests
	}
	<-ended
	if err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

// Events returns the last calls, the oldest first: 10,000, or fewer if they exceed
// 16 MiB in all. They are in memory only.
func (a *AWS) Events() []Event { return a.trail.Events() }

// Close saves pending changes and releases the state file; without one it does
// nothing. After Close, calls that change anything fail.
func (a *AWS) Close() error { return a.accounts.Close() }
