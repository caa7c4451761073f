// Package localaws is a local AWS: STS, IAM, EKS and EC2 as an http.Handler that
// really checks signatures, trust policies and permissions, in memory and for
// one account.
//
// Unmodified clients reach it in one of two ways. Through its proxy (HTTPS_PROXY
// and AWS_CA_BUNDLE, see [Environment]) their host names, signatures and tokens
// are byte for byte what they are against AWS. Or its URL is their endpoint
// (AWS_ENDPOINT_URL), which older clients do not know.
//
// What it does not do it refuses by an error of AWS's shape that says so; nothing
// is accepted and then ignored.
package localaws

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
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
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
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
	ca            *proxy.CA
	now           func() time.Time
	log           *slog.Logger
	services      map[string]service

	awsManaged map[string]*managedPolicy // the policies that AWS manages, by ARN
	issuers    issuers                   // what the identity providers sign with
	sealer     cipher.AEAD               // of what DecodeAuthorizationMessage opens
	apiServers map[string]apiServer      // by the ARN of their cluster

	metadataListeners metadataListeners

	// mu guards the state. A call holds it from its authorization to its answer,
	// so that calls take effect one after the other.
	mu sync.Mutex
	*state
}

// A preparer is a service with something to do before the state is locked: what
// takes time.
type preparer interface {
	prepare(c *call) *Error
}

// A service is one of AWS's: its way to read a call and to answer it.
type service interface {
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
	a := &AWS{
		accountID: config.AccountID,
		region:    config.Region,
		partition: partition,
		ca:        config.CA,
		now:       config.Now,
		log:       config.Log,
		state:     newState(config.AccountID),
	}
	var malformed *Error
	if a.awsManaged, malformed = awsManagedPolicies(partition); malformed != nil {
		return nil, fmt.Errorf("making a local AWS: %w", malformed)
	}
	var err error
	if a.sealer, err = newSealer(); err != nil {
		return nil, fmt.Errorf("making a local AWS: %w", err)
	}
	a.addInstances(config.Instances)
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
		"eks": &eksService{eksOperations()},
	}
	a.addAdministrator(config.Administrator)
	return a, nil
}

// Administrator is the access key of the user administrator, who may do all.
func (a *AWS) Administrator() AccessKey { return a.administrator }

// AccountID of the one account.
func (a *AWS) AccountID() string { return a.accountID }

// Region that clients use unless told otherwise.
func (a *AWS) Region() string { return a.region }

// CA is the certificate, in PEM, by which clients trust the proxy.
func (a *AWS) CA() []byte { return a.ca.PEM() }

// ErrAllow means that clients of other machines could connect, but that nobody
// said which may.
var ErrAllow = errors.New("listening beyond loopback needs the networks of the clients that may connect (--allow)")

// Serve answers on a listener, as an endpoint and as a proxy, until ctx ends.
// Clients must be on this machine, or in one of the networks that allow names.
func (a *AWS) Serve(ctx context.Context, listener net.Listener, allow []netip.Prefix) error {
	if address, ok := listener.Addr().(*net.TCPAddr); (!ok || !address.IP.IsLoopback()) && len(allow) == 0 {
		return ErrAllow
	}
	p, err := proxy.New(proxy.Config{
		CA: a.ca, AWS: a, Control: a.control(), Endpoint: a.endpoint, Allow: allow, Log: a.log,
	})
	if err != nil {
		return err
	}
	defer a.metadataListeners.serve()()
	server := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 * 1024,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		p.Close()
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(deadline)
	p.Close()
	<-ended
	if err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

// control answers what is not AWS's: whether we live, and whom to trust.
func (a *AWS) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+proxy.ControlPrefix+"health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"status\":\"ok\",\"account\":%q,\"region\":%q}\n", a.accountID, a.region)
	})
	mux.HandleFunc("GET "+proxy.ControlPrefix+"instances", func(w http.ResponseWriter, _ *http.Request) {
		instances, err := a.listInstances()
		if err != nil {
			http.Error(w, "localaws: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(encodeJSON(http.StatusOK, map[string]any{"instances": instances}).body)
	})
	mux.HandleFunc("GET "+proxy.ControlPrefix+"ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(a.CA())
	})
	return mux
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
