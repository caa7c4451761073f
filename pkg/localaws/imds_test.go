package localaws_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// metadata serves the metadata of an instance and returns the URL.
func metadata(t testing.TB, s *localawstest.Server, id string) string {
	t.Helper()
	handler, err := s.IMDS(id)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// ask sends a request, as curl would.
func ask(t testing.TB, method, url string, header map[string]string) (status int, body string, answered http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

const (
	ttl        = "X-aws-ec2-metadata-token-ttl-seconds"
	tokenField = "X-aws-ec2-metadata-token"
)

func newToken(t testing.TB, url, seconds string) string {
	t.Helper()
	status, token, _ := ask(t, http.MethodPut, url+"/latest/api/token", map[string]string{ttl: seconds})
	if status != http.StatusOK {
		t.Fatalf("requesting a token: %d", status)
	}
	return token
}

func TestMetadataTokens(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	url, other := metadata(t, s, run(t, s)), metadata(t, s, run(t, s))
	for name, test := range map[string]struct {
		header map[string]string
		want   int
	}{
		"a token":         {map[string]string{ttl: "21600"}, 200},
		"a short one":     {map[string]string{ttl: "1"}, 200},
		"no time":         {nil, 400},
		"no number":       {map[string]string{ttl: "x"}, 400},
		"too short":       {map[string]string{ttl: "0"}, 400},
		"too long":        {map[string]string{ttl: "21601"}, 400},
		"through a proxy": {map[string]string{ttl: "60", "X-Forwarded-For": "10.0.0.1"}, 403},
	} {
		status, body, header := ask(t, http.MethodPut, url+"/latest/api/token", test.header)
		if status != test.want || status == 200 && (len(body) != 56 || header.Get(ttl) != test.header[ttl]) {
			t.Errorf("%s: %d %q %q, want %d", name, status, body, header.Get(ttl), test.want)
		}
	}
	token := newToken(t, url, "60")
	for name, test := range map[string]struct {
		method, path, token string
		later               time.Duration
		want                int
	}{
		"good":             {"GET", "/latest/meta-data/instance-id", token, 0, 200},
		"at its end":       {"GET", "/latest/meta-data/instance-id", token, 59 * time.Second, 200},
		"after its end":    {"GET", "/latest/meta-data/instance-id", token, 60 * time.Second, 401},
		"none":             {"GET", "/latest/meta-data/instance-id", "", 0, 401},
		"nonsense":         {"GET", "/latest/meta-data/instance-id", "x", 0, 401},
		"changed":          {"GET", "/latest/meta-data/instance-id", "B" + token[1:], 0, 401},
		"longer":           {"GET", "/latest/meta-data/instance-id", token + "AAAA", 0, 401},
		"another's":        {"GET", "/latest/meta-data/instance-id", newToken(t, other, "60"), 0, 401},
		"for nothing":      {"GET", "/latest/meta-data/nothing", token, 0, 404},
		"to change":        {"POST", "/latest/meta-data/instance-id", token, 0, 405},
		"a token by GET":   {"GET", "/latest/api/token", token, 0, 405},
		"a token by POST":  {"POST", "/latest/api/token", "", 0, 405},
		"to delete":        {"DELETE", "/latest/meta-data/instance-id", "", 0, 405},
		"to put elsewhere": {"PUT", "/latest/api/tokens", token, 0, 405},
	} {
		now = now.Add(test.later)
		status, body, header := ask(t, test.method, url+test.path, map[string]string{tokenField: test.token})
		if status != test.want {
			t.Errorf("%s: %d %q, want %d", name, status, body, test.want)
		}
		if left := header.Get(ttl); status == 200 && left != strconv.Itoa(60-int(test.later/time.Second)) {
			t.Errorf("%s: the token lives %q more seconds", name, left)
		}
		now = now.Add(-test.later)
	}
}

func TestMetadata(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0", PrivateDNSName: "worker-1"}}})
	newProfile(t, s, "node", "ec2")
	id := run(t, s, withProfile("node"), named("n"), func(i *ec2.RunInstancesInput) {
		i.MetadataOptions = &ec2types.InstanceMetadataOptionsRequest{InstanceMetadataTags: "enabled"}
	})
	url := metadata(t, s, id)
	read := func(url, path string) (int, string) {
		status, body, _ := ask(t, http.MethodGet, url+path, map[string]string{tokenField: newToken(t, url, "60")})
		return status, body
	}
	for path, want := range map[string]string{
		"/":                                  "latest/",
		"/latest":                            "dynamic/\nmeta-data/",
		"/latest/dynamic/instance-identity/": "document",
		"/latest/meta-data":                  "ami-id\nami-launch-index\nhostname\niam/\ninstance-id\ninstance-type\nlocal-hostname\nlocal-ipv4\nmac\nplacement/\nreservation-id\nservices/\ntags/",
		"/latest/meta-data/iam/":             "info\nsecurity-credentials/",
		"/latest/meta-data/iam/security-credentials/":   "node",
		"/latest/meta-data/ami-id":                      image,
		"/latest/meta-data/ami-launch-index":            "0",
		"/latest/meta-data/instance-id":                 id,
		"/latest/meta-data/instance-type":               "t3.micro",
		"/latest/meta-data/local-hostname":              "ip-172-31-0-4.eu-west-2.compute.internal",
		"/latest/meta-data/hostname":                    "ip-172-31-0-4.eu-west-2.compute.internal",
		"/latest/meta-data/local-ipv4":                  "172.31.0.4",
		"/latest/meta-data/placement/region":            "eu-west-2",
		"/latest/meta-data/placement/availability-zone": "eu-west-2a",
		"/latest/meta-data/services/partition":          "aws",
		"/latest/meta-data/services/domain":             "amazonaws.com",
		"/latest/meta-data/tags/instance":               "Name",
		"/latest/meta-data/tags/instance/Name":          "n",
		"//latest/meta-data/instance-id/":               id,
	} {
		if status, got := read(url, path); status != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", path, status, got, want)
		}
	}
	for _, path := range []string{"/latest/user-data", "/latest/dynamic/instance-identity/pkcs7", "/latest/dynamic/instance-identity/signature", "/latest/meta-data/iam/security-credentials/other", "/latest/meta", "/1.0/meta-data"} {
		if status, got := read(url, path); status != 404 {
			t.Errorf("%s: %d %q, want 404", path, status, got)
		}
	}
	if _, mac := read(url, "/latest/meta-data/mac"); len(mac) != len("02:00:00:00:00:00") || !strings.HasPrefix(mac, "02:") {
		t.Errorf("the hardware address is %q", mac)
	}

	if status, got := read(metadata(t, s, run(t, s, named("n"))), "/latest/meta-data/tags/instance/Name"); status != 404 {
		t.Errorf("tags without InstanceMetadataTags: %d %q", status, got)
	}
	given := metadata(t, s, "i-0123456789abcdef0")
	for path, want := range map[string]int{
		"/latest/meta-data/local-hostname":            200,
		"/latest/meta-data/local-ipv4":                404,
		"/latest/meta-data/iam/info":                  404,
		"/latest/meta-data/iam/security-credentials/": 404,
		"/latest/meta-data/tags/instance":             404,
	} {
		if status, got := read(given, path); status != want {
			t.Errorf("an instance with few properties, %s: %d %q, want %d", path, status, got, want)
		}
	}
	if _, err := s.IMDS("i-0123456789abcdef9"); err == nil {
		t.Error("an instance that does not exist has metadata")
	}
}

// TestMetadataClient reads everything that AWS's own client has a method for.
func TestMetadataClient(t *testing.T) {
	s := start(t, localaws.Config{})
	newProfile(t, s, "node", "ec2")
	id := run(t, s, withProfile("node"))
	client := imds.New(imds.Options{Endpoint: metadata(t, s, id)})
	region, err := client.GetRegion(t.Context(), nil)
	if err != nil || region.Region != "eu-west-2" {
		t.Errorf("%+v, %v", region, err)
	}
	document, err := client.GetInstanceIdentityDocument(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := document.InstanceIdentityDocument; d.InstanceID != id || d.AccountID != account || d.PrivateIP != "172.31.0.4" || d.Region != "eu-west-2" ||
		d.AvailabilityZone != "eu-west-2a" || d.InstanceType != "t3.micro" || d.ImageID != image || d.Architecture != "x86_64" || d.PendingTime.IsZero() {
		t.Errorf("%+v", d)
	}
	info, err := client.GetIAMInfo(t.Context(), nil)
	if err != nil || info.InstanceProfileArn != arn("instance-profile/node") || !strings.HasPrefix(info.InstanceProfileID, "AIPA") {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestInstanceCredentials uses the credentials of the metadata service.
func TestInstanceCredentials(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	newProfile(t, s, "node", "ec2")
	id := run(t, s, withProfile("node"))
	url := metadata(t, s, id)
	retrieve := func() aws.Credentials {
		t.Helper()
		found, err := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = imds.New(imds.Options{Endpoint: url}) }).Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	first := retrieve()
	who, err := sts.NewFromConfig(s.SDKAs(localaws.AccessKey{ID: first.AccessKeyID, Secret: first.SecretAccessKey}, first.SessionToken)).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Arn != "arn:aws:sts::"+account+":assumed-role/node/"+id || !strings.HasPrefix(*who.UserId, "AROA") || !strings.HasSuffix(*who.UserId, ":"+id) {
		t.Errorf("%s %s", *who.Arn, *who.UserId)
	}
	_, body, _ := ask(t, http.MethodGet, url+"/latest/meta-data/iam/security-credentials/node", map[string]string{tokenField: newToken(t, url, "60")})
	var document struct {
		Code, Type, AccessKeyID string
		LastUpdated, Expiration time.Time
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	issued := now.UTC().Truncate(time.Second)
	if document.Code != "Success" || document.Type != "AWS-HMAC" || document.AccessKeyID != first.AccessKeyID || !document.LastUpdated.Equal(issued) || !document.Expiration.Equal(issued.Add(6*time.Hour)) {
		t.Errorf("at %s: %+v", now, document)
	}
	for _, test := range []struct {
		later time.Duration
		same  bool
	}{{0, true}, {5*time.Hour - time.Minute, true}, {2 * time.Minute, false}} {
		now = now.Add(test.later)
		if got := retrieve(); (got.AccessKeyID == first.AccessKeyID) != test.same {
			t.Errorf("%s later: key %s, the first was %s", test.later, got.AccessKeyID, first.AccessKeyID)
		}
	}
}

// TestInstanceCredentialsFollowTheProfile checks that the credentials change with
// the role in the profile.
func TestInstanceCredentialsFollowTheProfile(t *testing.T) {
	s := start(t, localaws.Config{})
	newProfile(t, s, "node", "ec2")
	newRole(t, s, "other", byEC2())
	url := metadata(t, s, run(t, s, withProfile("node")))
	whose := func() string {
		t.Helper()
		found, err := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = imds.New(imds.Options{Endpoint: url}) }).Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		who, err := sts.NewFromConfig(s.SDKAs(localaws.AccessKey{ID: found.AccessKeyID, Secret: found.SecretAccessKey}, found.SessionToken)).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(*who.Arn, "/")[1]
	}
	if got := whose(); got != "node" {
		t.Errorf("the credentials are for role %s", got)
	}
	client, name := iam.NewFromConfig(s.SDK()), aws.String("node")
	if _, err := client.RemoveRoleFromInstanceProfile(t.Context(), &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AddRoleToInstanceProfile(t.Context(), &iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: aws.String("other")}); err != nil {
		t.Fatal(err)
	}
	if got := whose(); got != "other" {
		t.Errorf("after changing the role, the credentials are for role %s", got)
	}
}

// TestInstanceCredentialsFail checks what an instance reads if it can get no role.
func TestInstanceCredentialsFail(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0", InstanceProfile: "later"}}})
	newProfile(t, s, "lambda", "lambda")
	url, given := metadata(t, s, run(t, s, withProfile("lambda"))), metadata(t, s, "i-0123456789abcdef0")
	code := func(url, path string) (status int, code string) {
		t.Helper()
		status, body, _ := ask(t, http.MethodGet, url+"/latest/meta-data/iam/"+path, map[string]string{tokenField: newToken(t, url, "60")})
		if status != http.StatusOK {
			return status, ""
		}
		var info struct{ Code string }
		if err := json.Unmarshal([]byte(body), &info); err != nil {
			t.Fatal(err)
		}
		return status, info.Code
	}
	type want struct {
		status int
		code   string
	}
	check := func(when, url, path string, expected want) {
		t.Helper()
		if status, code := code(url, path); (want{status, code}) != expected {
			t.Errorf("%s, %s: %d %s, want %+v", when, path, status, code, expected)
		}
	}
	check("the role does not trust EC2", url, "security-credentials/lambda", want{200, "AssumeRoleUnauthorizedAccess"})
	check("the role does not trust EC2", url, "info", want{200, "Success"})
	client := iam.NewFromConfig(s.SDK())
	if _, err := client.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("lambda"), PolicyDocument: byEC2()}); err != nil {
		t.Fatal(err)
	}
	check("it does now", url, "security-credentials/lambda", want{200, "Success"})
	if _, err := client.RemoveRoleFromInstanceProfile(t.Context(), &iam.RemoveRoleFromInstanceProfileInput{RoleName: aws.String("lambda"), InstanceProfileName: aws.String("lambda")}); err != nil {
		t.Fatal(err)
	}
	check("the profile is empty", url, "security-credentials/lambda", want{404, ""})
	check("the profile is not there yet", given, "info", want{200, "InstanceProfileNotFound"})
	check("the profile is not there yet", given, "security-credentials/later", want{404, ""})
	newProfile(t, s, "later", "ec2")
	check("the profile exists", given, "info", want{200, "Success"})
	check("the profile exists", given, "security-credentials/later", want{200, "Success"})
}

func TestMetadataOptions(t *testing.T) {
	s := start(t, localaws.Config{})
	options := func(tokens ec2types.HttpTokensState, endpoint ec2types.InstanceMetadataEndpointState) string {
		return run(t, s, func(i *ec2.RunInstancesInput) {
			i.MetadataOptions = &ec2types.InstanceMetadataOptionsRequest{HttpTokens: tokens, HttpEndpoint: endpoint}
		})
	}
	optional, disabled, stopped := options("optional", "enabled"), options("required", "disabled"), run(t, s)
	if got := described(t, s, optional).MetadataOptions; got.HttpTokens != "optional" || got.HttpEndpoint != "enabled" || got.State != "applied" {
		t.Errorf("%+v", got)
	}
	const path = "/latest/meta-data/instance-id"
	if status, body, _ := ask(t, http.MethodGet, metadata(t, s, optional)+path, nil); status != 200 || body != optional {
		t.Errorf("without a token, which is optional: %d %q", status, body)
	}
	if status, _, _ := ask(t, http.MethodGet, metadata(t, s, optional)+path, map[string]string{tokenField: "x"}); status != 401 {
		t.Errorf("with an invalid token: %d", status)
	}
	if status, _, _ := ask(t, http.MethodPut, metadata(t, s, disabled)+"/latest/api/token", map[string]string{ttl: "60"}); status != 403 {
		t.Errorf("with the endpoint disabled: %d", status)
	}
	url := metadata(t, s, stopped)
	token := newToken(t, url, "60")
	if _, err := ec2.NewFromConfig(s.SDK()).StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{stopped}}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := ask(t, http.MethodGet, url+path, map[string]string{tokenField: token}); status != 404 {
		t.Errorf("a stopped instance: %d", status)
	}
}

// TestMetadataListeners checks the metadata endpoints that the control endpoint
// lists.
func TestMetadataListeners(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{
		{ID: "i-0123456789abcdef0", PrivateDNSName: "worker-1", InstanceProfile: "node"},
		{ID: "i-0123456789abcdef1", State: "stopped"},
	}})
	newProfile(t, s, "node", "ec2")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener, nil) }()
	type instance struct {
		ID, State, Region, PrivateDNSName, InstanceProfile, MetadataEndpoint string
	}
	list := func() []instance {
		t.Helper()
		status, body, _ := ask(t, http.MethodGet, "http://"+listener.Addr().String()+"/_localaws/instances", nil)
		var listed struct{ Instances []instance }
		if err := json.Unmarshal([]byte(body), &listed); err != nil || status != 200 {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		return listed.Instances
	}
	all := list()
	if len(all) != 2 || all[0].MetadataEndpoint == "" || all[1].MetadataEndpoint != "" ||
		all[0] != (instance{"i-0123456789abcdef0", "running", "eu-west-2", "worker-1", "node", all[0].MetadataEndpoint}) {
		t.Fatalf("%+v", all)
	}
	if again := list(); !slices.Equal(again, all) {
		t.Errorf("listed again: %+v, the first time %+v", again, all)
	}
	url := all[0].MetadataEndpoint
	identity, err := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = imds.New(imds.Options{Endpoint: url}) }).Retrieve(t.Context())
	if err != nil || identity.AccessKeyID == "" {
		t.Errorf("%+v, %v", identity, err)
	}
	for host, want := range map[string]int{"localhost": 401, "127.0.0.1:80": 401, "[::1]:80": 401, "attacker.example": 403, "localhost.attacker.example:80": 403} {
		if status, _, _ := ask(t, http.MethodGet, url, map[string]string{"Host": host}); status != want {
			t.Errorf("Host %s: %d, want %d", host, status, want)
		}
	}

	client := ec2.NewFromConfig(s.SDK())
	id := run(t, s)
	if now := list(); len(now) != 3 || now[2].ID != id || now[2].MetadataEndpoint == "" {
		t.Errorf("after launching one more: %+v", now)
	}
	if _, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{all[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if now := list(); now[0].MetadataEndpoint != "" {
		t.Errorf("after terminating one: %+v", now)
	}
	if _, err := net.Dial("tcp", strings.Trim(url, "htp:/")); err == nil {
		t.Error("the endpoint of a terminated instance still listens")
	}
	last := list()[2].MetadataEndpoint
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", strings.Trim(last, "htp:/")); err == nil {
		t.Error("the endpoint still listens after the server ended")
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// FuzzMetadataToken checks that only issued tokens are accepted.
func FuzzMetadataToken(f *testing.F) {
	s := start(f, localaws.Config{})
	handler, err := s.IMDS(run(f, s))
	if err != nil {
		f.Fatal(err)
	}
	serve := func(method, path, header, value string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, path, nil)
		request.Header.Set(header, value)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder
	}
	good := serve(http.MethodPut, "/latest/api/token", ttl, "21600").Body.String()
	f.Add(good)
	f.Add(good[:55])
	f.Add(strings.TrimRight(good, "="))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if status := serve(http.MethodGet, "/latest/meta-data/", tokenField, token).Code; (status == http.StatusOK) != (token == good) {
			t.Errorf("%q: %d", token, status)
		}
	})
}
