// Package localaws is a local AWS: STS, IAM, EKS, EC2 and CloudTrail's event
// history as an http.Handler that really checks signatures, trust policies and
// permissions, for one account, in memory or in a state file.
//
// Unmodified clients reach it in one of three ways. Through its proxy (HTTPS_PROXY
// and AWS_CA_BUNDLE, see [Environment]) their host names, signatures and tokens
// are byte for byte what they are against AWS. So they are if DNS leads them to it
// (see [AWS.ServeTLS]). Or its URL is their endpoint (AWS_ENDPOINT_URL), which
// older clients do not know.
//
// What it does not do it refuses by an error of AWS's shape that says so; nothing
// is accepted and then ignored.
//
// # Control endpoints
//
// [AWS.Serve] also answers what is under /_localaws/: to this machine alone, by
// a loopback name, and to no browser. Whatever changes something or tells a
// secret wants the header X-Localaws-Secret (see [AWS.ControlSecret]). Errors
// are {"message": "…"}. Durations are Go's (1h30m), times RFC 3339.
//
//	GET    health       {"status": "ok", "account": "231144931069", "region": "eu-west-2"}
//	GET    ca.pem       the certificate that clients trust
//	GET    events       a line of JSON for each Event, the oldest first; ?since= a time,
//	                    or how long it is ago; ?follow=true goes on until the client leaves
//	GET    instances    {"instances": […]}: the EC2 instances, each with the
//	                    "metadataEndpoint" where its metadata is served
//	GET    clock        {"now": "2026-11-23T08:00:00Z", "frozen": false}
//	POST   clock        {"action": "freeze"}, {"action": "advance", "by": "5m"},
//	                    {"action": "set", "to": "2026-11-23T08:00:00Z"} or
//	                    {"action": "resume"}, the real time again; answers as GET
//	GET    faults       {"faults": […]}, each as below
//	POST   faults       {"action": "sts:*", "kind": "error", "status": 503, "rate": 0.5, "count": 3,
//	                    "region": "eu-west-*", "accessKeyId": "AKIA*"}
//	                    adds a Fault, and answers it with its "id", and how often it
//	                    has "struck"; kind latency has a "latency": "2s"
//	DELETE faults/{id}  removes one, DELETE faults all; both answer as GET
//	GET    state        all that the account holds, secrets too; wants the secret
//	PUT    state        takes another in its place, as GET answered it
//	DELETE state        begins anew: the administrator stays, with the same key.
//	                    PUT and DELETE answer {"users": 1, "groups": 0, "roles": 0,
//	                    "clusters": 0, "instances": 0}
package localaws

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/proxy"
)

// Config of [New]. The zero value is an account of its own in us-east-1.
type Config struct {
	// AccountID of the account, 12 digits. Empty means 000000000000.
	AccountID string
	// Region that a client uses unless told otherwise. Empty means us-east-1.
	Region string
	// Instances are the EC2 instances that there are.
	Instances []Instance
	// Administrator is the access key of the user administrator, who may do all.
	// The zero value means a new one.
	Administrator AccessKey
	// CA signs the certificates for AWS's names. Nil means a new one.
	CA *proxy.CA
	// StateFile keeps the state, secrets and all: whatever has been answered is in
	// it, even after a kill. It is made if there is none, and one AWS at a time has
	// it (see [AWS.Close]). Empty means that the state is in memory only.
	StateFile string
	// Now is the time that the [Clock] starts from. Nil means time.Now.
	Now func() time.Time
	// Random decides which calls a fault befalls that has a rate: it gives numbers
	// from 0 up to 1. Nil means those of math/rand/v2.
	Random func() float64
	// Log of the calls answered: who, what and how, never a secret or a
	// signature. Nil means nowhere.
	Log *slog.Logger
}

// AccessKey is a long-term access key.
type AccessKey struct{ ID, Secret string }

// AWS is a local AWS.
type AWS struct {
	accountID     string
	region        string
	partition     string
	administrator AccessKey
	instances     []Instance // that the configuration names
	ca            *proxy.CA
	clock         *Clock
	now           func() time.Time // of the clock
	faults        *Faults
	trail         *trail
	store         *store // nil if the state is in memory only
	closing       sync.Once
	secret        string // that writes to the control endpoints want
	log           *slog.Logger
	services      map[string]service

	awsManaged map[string]*managedPolicy // the policies that AWS manages, by ARN
	issuers    issuers                   // what the identity providers sign with
	sealer     cipher.AEAD               // of what DecodeAuthorizationMessage opens
	apiServers map[string]apiServer      // by the ARN of their cluster

	metadataListeners metadataListeners

	// mu guards the state. A call holds it from its authorization to its answer,
	// so that calls take effect one after the other.
	mu      sync.Mutex
	state   *state
	changes uint64 // that have been made to it
	members memberships
}

// A preparer is a service with something to do before the state is locked: what
// takes time.
type preparer interface {
	prepare(c *call) *Error
}

// A service is one of AWS's: its way to read a call and to answer it.
type service interface {
	// actions are the names of its operations.
	actions() []string
	// read what a call asks for: the name of an operation and its parameters, for
	// faults and the trail. Neither is checked yet, and nobody knows who asks.
	read(c *call) (name string, parameters map[string]any)
	// serve answers an authenticated call.
	serve(c *call) (answer, *Error)
	// failure is an error as the service words it.
	failure(c *call, err *Error) answer
}

var accountIDPattern = regexp.MustCompile(`^\d{12}$`)

// New makes a local AWS.
func New(config Config) (*AWS, error) {
	if config.AccountID == "" {
		config.AccountID = "000000000000"
	}
	if config.Region == "" {
		config.Region = "us-east-1"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if !accountIDPattern.MatchString(config.AccountID) {
		return nil, fmt.Errorf("making a local AWS: account ID %q is not 12 digits", config.AccountID)
	}
	partition, ok := partitionOf(config.Region)
	if !ok {
		return nil, fmt.Errorf("making a local AWS: %q is no AWS region", config.Region)
	}
	if err := checkInstances(config.Instances); err != nil {
		return nil, fmt.Errorf("making a local AWS: %w", err)
	}
	if config.CA == nil {
		var err error
		if config.CA, err = proxy.NewCA(config.Now()); err != nil {
			return nil, fmt.Errorf("making a local AWS: %w", err)
		}
	}
	if config.Random == nil {
		config.Random = rand.Float64
	}
	clock := &Clock{base: config.Now}
	a := &AWS{
		accountID:     config.AccountID,
		region:        config.Region,
		partition:     partition,
		administrator: config.Administrator,
		instances:     config.Instances,
		ca:            config.CA,
		clock:         clock,
		now:           clock.Now,
		apiServers:    map[string]apiServer{},
		trail:         newTrail(),
		secret:        newSecret(),
		log:           config.Log,
	}
	var malformed *Error
	if a.awsManaged, malformed = awsManagedPolicies(partition); malformed != nil {
		return nil, fmt.Errorf("making a local AWS: %w", malformed)
	}
	var err error
	if a.sealer, err = newSealer(); err != nil {
		return nil, fmt.Errorf("making a local AWS: %w", err)
	}
	a.services = map[string]service{
		"iam": &queryService{
			version: "2010-05-08", namespace: "https://iam.amazonaws.com/doc/2010-05-08/", operations: iamOperations(),
		},
		"sts": &queryService{
			version: "2011-06-15", namespace: "https://sts.amazonaws.com/doc/2011-06-15/", operations: stsOperations(), json: true,
		},
		"ec2": &ec2Service{queryService{
			version: "2016-11-15", namespace: "http://ec2.amazonaws.com/doc/2016-11-15/", operations: ec2Operations(),
		}},
		"eks":        &eksService{eksOperations()},
		"cloudtrail": &cloudTrailService{},
	}
	a.faults = &Faults{random: config.Random}
	for name, service := range a.services {
		for _, action := range service.actions() {
			a.faults.actions = append(a.faults.actions, lower(name+":"+action))
		}
	}
	if err := a.load(config.StateFile); err != nil {
		return nil, fmt.Errorf("making a local AWS: %w", err)
	}
	return a, nil
}

// load the state from its file, if it is kept in one, or begin anew.
func (a *AWS) load(file string) error {
	if file == "" {
		a.begin(newState(a.accountID))
		return nil
	}
	var text []byte
	var err error
	if a.store, text, err = openStore(file); err != nil {
		return err
	}
	loaded := newState(a.accountID)
	if text != nil {
		if loaded, err = decodeState(text, a.accountID); err != nil {
			err = fmt.Errorf("%w; state file %s is left as it is: put a good one in its place, or move it away to begin anew", err, a.store.path)
			return errors.Join(err, a.store.close())
		}
	}
	// Now, rather than at the first change, is the time to hear that it cannot be
	// written.
	if err := a.update(func() error { a.begin(loaded); return nil }); err != nil {
		return errors.Join(err, a.store.close())
	}
	return nil
}

// begin with a state, and what is always in it: the administrator, and the
// instances that the configuration names.
func (a *AWS) begin(s *state) {
	s.dropExpired(a.now())
	a.state = s
	a.addInstances(a.instances)
	a.addAdministrator(a.administrator)
}

// Administrator is the access key of the user administrator, who may do all.
func (a *AWS) Administrator() AccessKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.administrator
}

// AccountID of the one account.
func (a *AWS) AccountID() string { return a.accountID }

// Region that clients use unless told otherwise.
func (a *AWS) Region() string { return a.region }

// Clock that it goes by, to be steered.
func (a *AWS) Clock() *Clock { return a.clock }

// Faults that befall its calls.
func (a *AWS) Faults() *Faults { return a.faults }

// ControlSecret is what writes to the control endpoints want: whoever can read
// it may change all. It is new for every AWS.
func (a *AWS) ControlSecret() string { return a.secret }

// CA is the certificate, in PEM, by which clients trust the proxy.
func (a *AWS) CA() []byte { return a.ca.PEM() }

// ErrAllow means that clients of other machines could connect, but that nobody
// said which may.
var ErrAllow = errors.New("listening beyond loopback needs the networks of the clients that may connect (--allow)")

// Serve answers on a listener, as an endpoint and as a proxy, until ctx ends.
// Clients must be on this machine, or in one of the networks that allow names.
func (a *AWS) Serve(ctx context.Context, listener net.Listener, allow []netip.Prefix) error {
	p, err := a.newProxy(listener, allow)
	if err != nil {
		return err
	}
	defer p.Close()
	defer a.metadataListeners.serve()()
	return a.serve(ctx, listener, p)
}

// ServeTLS answers on a listener under AWS's own names, over TLS, until ctx ends:
// for clients that are led here by DNS and know no proxy, such as those of a
// container network. They must be on this machine, or in one of the networks that
// allow names, and ask for one of AWS's names, or get no connection. Control
// endpoints are not there.
func (a *AWS) ServeTLS(ctx context.Context, listener net.Listener, allow []netip.Prefix) error {
	p, err := a.newProxy(listener, allow)
	if err != nil {
		return err
	}
	return a.serve(ctx, p.ListenTLS(listener), http.HandlerFunc(p.ServeTLS))
}

// newProxy for a listener, if it is known who may connect.
func (a *AWS) newProxy(listener net.Listener, allow []netip.Prefix) (*proxy.Proxy, error) {
	if err := checkAllow(listener, allow); err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		CA: a.ca, AWS: a, Control: a.control(), Endpoint: a.endpoint, Allow: allow, Log: a.log,
	})
}

func checkAllow(listener net.Listener, allow []netip.Prefix) error {
	if address, ok := listener.Addr().(*net.TCPAddr); (!ok || !address.IP.IsLoopback()) && len(allow) == 0 {
		return ErrAllow
	}
	return nil
}

// serve on a listener until ctx ends.
func (a *AWS) serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler,
		// What waits, for a fault or for events, ends when we do.
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 * 1024,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
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
		err = errors.Join(err, server.Close()) // leaves nobody behind
	}
	<-ended
	if err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

// requestTimeout is how long a request may take to come in, or to be answered.
const requestTimeout = 30 * time.Second

// extendDeadlines of a request that is answered only after a time; zero means
// that nobody knows when.
func extendDeadlines(w http.ResponseWriter, by time.Duration) {
	var deadline time.Time
	if by > 0 {
		deadline = time.Now().Add(by + requestTimeout)
	}
	controller := http.NewResponseController(w)
	// Not all writers have deadlines, and those that have none need none.
	_ = controller.SetReadDeadline(deadline)
	_ = controller.SetWriteDeadline(deadline)
}

// arn in the account: arn("iam", "", "user/bob").
func (a *AWS) arn(service, region, resource string) string {
	return "arn:" + a.partition + ":" + service + ":" + region + ":" + a.accountID + ":" + resource
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d+$`)

// partitionOf a region, by its first syllables.
func partitionOf(region string) (string, bool) {
	if !regionPattern.MatchString(region) {
		return "", false
	}
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-isob-", "aws-iso-b"}, {"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"}, {"eu-isoe-", "aws-iso-e"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition, true
		}
	}
	return "aws", true
}
