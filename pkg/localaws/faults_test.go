package localaws_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

func add(t testing.TB, s *localawstest.Server, fault localaws.Fault) localaws.Fault {
	t.Helper()
	added, err := s.Faults().Add(fault)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func status(err error) int {
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// TestFaultsInEachForm checks the faults of every service with its SDK client.
func TestFaultsInEachForm(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, config := t.Context(), s.SDK()
	config.DisableClockSkewCorrection = true
	ask := map[string]func() error{
		"sts": func() error { _, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, nil); return err },
		"iam": func() error { _, err := iam.NewFromConfig(config).ListUsers(ctx, nil); return err },
		"eks": func() error { _, err := eks.NewFromConfig(config).ListClusters(ctx, nil); return err },
		"ec2": func() error { _, err := ec2.NewFromConfig(config).DescribeInstances(ctx, nil); return err },
		"cloudtrail": func() error {
			_, err := cloudtrail.NewFromConfig(config).LookupEvents(ctx, nil)
			return err
		},
	}
	type want struct {
		code   string
		status int
	}
	for _, test := range []struct {
		fault localaws.Fault
		want  map[string]want
	}{
		{localaws.Fault{Kind: localaws.FaultThrottle}, map[string]want{
			"sts": {"Throttling", 400}, "iam": {"Throttling", 400}, "eks": {"TooManyRequestsException", 429},
			"ec2": {"RequestLimitExceeded", 503}, "cloudtrail": {"ThrottlingException", 400},
		}},
		{localaws.Fault{Kind: localaws.FaultError}, map[string]want{
			"sts": {"ServiceFailure", 500}, "iam": {"ServiceFailure", 500}, "eks": {"ServerException", 500},
			"ec2": {"InternalError", 500}, "cloudtrail": {"InternalFailure", 500},
		}},
		{localaws.Fault{Kind: localaws.FaultError, Status: 503}, map[string]want{
			"sts": {"ServiceUnavailable", 503}, "iam": {"ServiceUnavailable", 503}, "eks": {"ServiceUnavailableException", 503},
			"ec2": {"Unavailable", 503}, "cloudtrail": {"ServiceUnavailableException", 503},
		}},
		{localaws.Fault{Kind: localaws.FaultSignature}, map[string]want{
			"sts": {"SignatureDoesNotMatch", 403}, "iam": {"SignatureDoesNotMatch", 403}, "eks": {"InvalidSignatureException", 403},
			"ec2": {"AuthFailure", 401}, "cloudtrail": {"InvalidSignatureException", 400},
		}},
		{localaws.Fault{Kind: localaws.FaultDrop}, map[string]want{"sts": {}, "iam": {}, "eks": {}, "ec2": {}, "cloudtrail": {}}},
	} {
		test.fault.Action = "*"
		added := add(t, s, test.fault)
		for service, want := range test.want {
			err := ask[service]()
			if code(err) != want.code || status(err) != want.status {
				t.Errorf("%s %d: %s returns %d %v, want %d %s", added.Kind, added.Status, service, status(err), err, want.status, want.code)
			}
			if added.Kind == localaws.FaultDrop && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("drop: %s returns %v", service, err)
			}
		}
		if !s.Faults().Remove(added.ID) || s.Faults().Remove(added.ID) {
			t.Errorf("%s: want it removed exactly once", added.ID)
		}
	}
	for service, ask := range ask {
		if err := ask(); err != nil {
			t.Errorf("%s still fails: %v", service, err)
		}
	}
}

// TestDropOverTheNetwork checks that drop closes the connection, plain or through a
// tunnel.
func TestDropOverTheNetwork(t *testing.T) {
	s := start(t, localaws.Config{})
	add(t, s, localaws.Fault{Action: "sts:GetCallerIdentity", Kind: localaws.FaultDrop})
	for url, client := range map[string]*http.Client{
		s.URL():                               {Transport: &http.Transport{DisableKeepAlives: true}},
		"https://sts.eu-west-2.amazonaws.com": proxied(t, s),
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/?Action=GetCallerIdentity&Version=2011-06-15", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "sts.eu-west-2.amazonaws.com"
		if _, err := client.Do(request); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if got := s.Faults().List()[0].Struck; got != 2 {
		t.Errorf("struck %d times, want 2", got)
	}
}

// TestWhichCallsFaultsHit calls STS and IAM in turn, with fixed random numbers.
func TestWhichCallsFaultsHit(t *testing.T) {
	numbers := []float64{0, 0.49, 0.5, 0.99}
	for name, test := range map[string]struct {
		faults []localaws.Fault
		want   string // the failed calls of four rounds of STS and IAM
	}{
		"all":                    {[]localaws.Fault{{Action: "*", Kind: localaws.FaultError}}, "si si si si"},
		"a service":              {[]localaws.Fault{{Action: "sts:*", Kind: localaws.FaultError}}, "s s s s"},
		"an operation":           {[]localaws.Fault{{Action: "iam:ListUsers", Kind: localaws.FaultError}}, "i i i i"},
		"by its beginning":       {[]localaws.Fault{{Action: "iam:List*", Kind: localaws.FaultError}}, "i i i i"},
		"in another case":        {[]localaws.Fault{{Action: "STS:getcaller?dentity", Kind: localaws.FaultError}}, "s s s s"},
		"another operation":      {[]localaws.Fault{{Action: "iam:CreateUser", Kind: localaws.FaultError}}, "   "},
		"twice":                  {[]localaws.Fault{{Action: "sts:*", Kind: localaws.FaultError, Count: 2}}, "s s  "},
		"half of them":           {[]localaws.Fault{{Action: "sts:*", Kind: localaws.FaultError, Rate: 0.5}}, "s s  "},
		"once of half":           {[]localaws.Fault{{Action: "sts:*", Kind: localaws.FaultError, Rate: 0.5, Count: 1}}, "s   "},
		"the first that answers": {[]localaws.Fault{{Action: "sts:*", Kind: localaws.FaultThrottle, Count: 1}, {Action: "sts:*", Kind: localaws.FaultError, Count: 1}}, "s s  "},
	} {
		drawn := 0
		s := start(t, localaws.Config{Random: func() float64 { drawn++; return numbers[(drawn-1)%len(numbers)] }})
		for _, fault := range test.faults {
			add(t, s, fault)
		}
		var got []string
		for range 4 {
			failed := ""
			if _, err := sts.NewFromConfig(s.SDK()).GetCallerIdentity(t.Context(), nil); err != nil {
				failed += "s"
			}
			if _, err := iam.NewFromConfig(s.SDK()).ListUsers(t.Context(), nil); err != nil {
				failed += "i"
			}
			got = append(got, failed)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, " "), test.want)
		}
	}
}

// TestFaultsOfARegionAndOfAKey checks that a fault hits only the calls of its region
// and its key, even if no such key exists.
func TestFaultsOfARegionAndOfAKey(t *testing.T) {
	s := start(t, localaws.Config{})
	alice, bob := s.NewUser(t, "alice", ""), s.NewUser(t, "bob", "")
	fails := func(region string, key localaws.AccessKey) bool {
		config := s.SDKAs(key, "")
		config.Region = region
		_, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		return status(err) == http.StatusServiceUnavailable
	}
	unknown := localaws.AccessKey{ID: "AKIAJUNK000000000001", Secret: "none"}
	for name, test := range map[string]struct {
		fault                                    localaws.Fault
		here, there, ofBob, ofBobThere, ofNobody bool
	}{
		"everything":             {localaws.Fault{}, true, true, true, true, true},
		"a region":               {localaws.Fault{Region: "eu-west-2"}, true, false, true, false, true},
		"regions":                {localaws.Fault{Region: "eu-*-1"}, false, true, false, true, false},
		"a key":                  {localaws.Fault{AccessKeyID: alice.ID}, true, true, false, false, false},
		"keys that do not exist": {localaws.Fault{AccessKeyID: "AKIAJUNK*"}, false, false, false, false, true},
		"a key in a region":      {localaws.Fault{AccessKeyID: alice.ID, Region: "eu-north-1"}, false, true, false, false, false},
	} {
		s.Faults().Clear()
		test.fault.Action, test.fault.Kind, test.fault.Status = "sts:*", localaws.FaultError, http.StatusServiceUnavailable
		add(t, s, test.fault)
		for who, c := range map[string]struct {
			region string
			key    localaws.AccessKey
			want   bool
		}{
			"alice here": {"eu-west-2", alice, test.here}, "alice there": {"eu-north-1", alice, test.there},
			"bob here": {"eu-west-2", bob, test.ofBob}, "bob there": {"eu-north-1", bob, test.ofBobThere},
			"an unknown key here": {"eu-west-2", unknown, test.ofNobody},
		} {
			if got := fails(c.region, c.key); got != c.want {
				t.Errorf("%s: the fault hits %s: %v, want %v", name, who, got, c.want)
			}
		}
	}
}

// TestFaultOfAKeySparesUnsignedCalls checks that a call without a signature matches
// no access key.
func TestFaultOfAKeySparesUnsignedCalls(t *testing.T) {
	s := start(t, localaws.Config{})
	add(t, s, localaws.Fault{Action: "*", AccessKeyID: "AKIA*", Kind: localaws.FaultDrop})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "sts.eu-west-2.amazonaws.com"
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %s, want 403", answer.Status)
	}
}

// TestLatency checks that a call waits for the sum of the latencies, that others do
// not wait, and that the wait ends when the client leaves.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, localaws.Config{})
		add(t, s, localaws.Fault{Action: "sts:*", Kind: localaws.FaultLatency, Latency: time.Minute})
		add(t, s, localaws.Fault{Action: "sts:*", Kind: localaws.FaultLatency, Latency: time.Second})
		ask := func(ctx context.Context) (time.Duration, error) {
			started := time.Now()
			_, err := sts.NewFromConfig(s.SDK()).GetCallerIdentity(ctx, nil)
			return time.Since(started), err
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if took, err := ask(t.Context()); err != nil || took != 61*time.Second {
				t.Errorf("took %s, %v; want 1m1s", took, err)
			}
		}()
		synctest.Wait()
		started := time.Now()
		if _, err := iam.NewFromConfig(s.SDK()).ListUsers(t.Context(), nil); err != nil || time.Since(started) != 0 {
			t.Errorf("another call waits too: %s, %v", time.Since(started), err)
		}
		<-done
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if took, err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) || took != 2*time.Second {
			t.Errorf("the client left after 2 s: took %s, %v", took, err)
		}
		events := s.Events()
		if last := events[len(events)-1]; last.ErrorCode != "ConnectionClosed" {
			t.Errorf("the last event is %+v", last)
		}
	})
}

// TestFaultsChangeNothing checks that a call that a fault fails has no effect.
func TestFaultsChangeNothing(t *testing.T) {
	s := start(t, localaws.Config{})
	client := iam.NewFromConfig(s.SDK())
	for _, kind := range []localaws.FaultKind{localaws.FaultThrottle, localaws.FaultError, localaws.FaultDrop, localaws.FaultSignature} {
		add(t, s, localaws.Fault{Action: "iam:CreateUser", Kind: kind, Count: 1})
		if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")}); err == nil {
			t.Errorf("%s: no error", kind)
		}
		if _, err := client.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("bob")}); code(err) != "NoSuchEntity" {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestFaultsThatAreRefused(t *testing.T) {
	s := start(t, localaws.Config{})
	for _, test := range []struct {
		fault localaws.Fault
		want  string
	}{
		{localaws.Fault{Kind: localaws.FaultDrop}, `action "" matches no action of localaws`},
		{localaws.Fault{Action: "sts:GetCallerIdentiy", Kind: localaws.FaultDrop}, `action "sts:GetCallerIdentiy" matches no action`},
		{localaws.Fault{Action: "s3:*", Kind: localaws.FaultDrop}, `action "s3:*" matches no action`},
		{localaws.Fault{Action: "sts:[G]etCallerIdentity", Kind: localaws.FaultDrop}, "matches no action"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, Region: "Europe"}, `region "Europe": expected the name of a region`},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, Region: strings.Repeat("a", 65)}, "expected the name of a region"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, AccessKeyID: "[A]KIA"}, `access key "[A]KIA": expected the ID`},
		{localaws.Fault{Action: "*"}, `unknown kind "" (supported: latency, throttle, error, drop, wrong-signature)`},
		{localaws.Fault{Action: "*", Kind: localaws.FaultLatency}, "requires a latency above 0 and up to 1h"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultLatency, Latency: 61 * time.Minute}, "requires a latency"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultLatency, Latency: -1}, "requires a latency"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, Latency: 1}, "kind drop takes no latency"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultError, Status: 404}, "status 404: expected 500 to 599"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultThrottle, Status: 500}, "kind throttle takes no status"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, Rate: 1.1}, "rate 1.1: expected more than 0 and at most 1"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, Rate: -0.1}, "rate -0.1"},
		{localaws.Fault{Action: "*", Kind: localaws.FaultDrop, Count: -1}, "count -1 must not be negative"},
	} {
		if _, err := s.Faults().Add(test.fault); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.fault, err, test.want)
		}
	}
	for range 1000 {
		add(t, s, localaws.Fault{Action: "*", Kind: localaws.FaultDrop})
	}
	if _, err := s.Faults().Add(localaws.Fault{Action: "*", Kind: localaws.FaultDrop}); err == nil {
		t.Error("a fault beyond the limit was added")
	}
	s.Faults().Clear()
	if list := s.Faults().List(); len(list) != 0 {
		t.Errorf("after clearing: %v", list)
	}
}

func FuzzFaultJSON(f *testing.F) {
	f.Add([]byte(`{"id":"1","action":"sts:*","kind":"latency","latency":"1m30s","rate":0.5,"count":3,"struck":1}`))
	f.Add([]byte(`{"action":"*","kind":"error","status":503,"region":"eu-*","accessKeyId":"AKIA?"}`))
	f.Add([]byte(`{"latency":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var fault, again localaws.Fault
		if json.Unmarshal(text, &fault) != nil {
			return
		}
		encoded, err := json.Marshal(fault)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(fault, again) {
			t.Errorf("%s: %+v, then %+v, %v", encoded, fault, again, err)
		}
	})
}
