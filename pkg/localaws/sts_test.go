package localaws_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

const anything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// as returns an SDK configuration with a session's credentials.
func as(s *localawstest.Server, c *ststypes.Credentials) aws.Config {
	return s.SDKAs(localaws.AccessKey{ID: *c.AccessKeyId, Secret: *c.SecretAccessKey}, *c.SessionToken)
}

// whoami returns the ARN and user ID from GetCallerIdentity.
func whoami(t testing.TB, config aws.Config) (arn, userID string) {
	t.Helper()
	who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return *who.Arn, *who.UserId
}

func sessionToken(t testing.TB, config aws.Config, input *sts.GetSessionTokenInput) *ststypes.Credentials {
	t.Helper()
	got, err := sts.NewFromConfig(config).GetSessionToken(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	return got.Credentials
}

// newDevice gives a user an MFA device; code returns its code at a time.
func newDevice(t testing.TB, s *localawstest.Server, user string, now time.Time) (serial *string, code func(time.Time) *string) {
	t.Helper()
	client := iam.NewFromConfig(s.SDK())
	made, err := client.CreateVirtualMFADevice(t.Context(), &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &user})
	if err != nil {
		t.Fatal(err)
	}
	serial = made.VirtualMFADevice.SerialNumber
	code = func(at time.Time) *string { return codeOf(t, made.VirtualMFADevice.Base32StringSeed, at) }
	if _, err := client.EnableMFADevice(t.Context(), &iam.EnableMFADeviceInput{
		UserName: &user, SerialNumber: serial, AuthenticationCode1: code(now.Add(-time.Minute)), AuthenticationCode2: code(now.Add(-30 * time.Second)),
	}); err != nil {
		t.Fatal(err)
	}
	return serial, code
}

// TestCallerIdentityInEveryForm covers signatures in header and query, parameters in
// URL and body, and responses in XML and JSON, for a user without permissions.
func TestCallerIdentityInEveryForm(t *testing.T) {
	s := start(t, localaws.Config{})
	config := newUser(t, s, "bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	credentials, err := config.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const endpoint, parameters = "https://sts.eu-west-2.amazonaws.com/", "Action=GetCallerIdentity&Version=2011-06-15"
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, presigned := range []bool{false, true} {
			for _, accept := range []string{"", "application/json"} {
				address, body := endpoint+"?"+parameters, ""
				if method == http.MethodPost {
					address, body = endpoint, parameters
				}
				request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if method == http.MethodPost {
					request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				sum := sha256.Sum256([]byte(body))
				hash, signer := hex.EncodeToString(sum[:]), v4.NewSigner()
				if presigned {
					signed, headers, err := signer.PresignHTTP(t.Context(), credentials, request, hash, "sts", "eu-west-2", time.Now())
					if err != nil {
						t.Fatal(err)
					}
					if request.URL, err = url.Parse(signed); err != nil {
						t.Fatal(err)
					}
					for name, values := range headers {
						request.Header[name] = values
					}
				} else if err := signer.SignHTTP(t.Context(), credentials, request, hash, "sts", "eu-west-2", time.Now()); err != nil {
					t.Fatal(err)
				}
				if accept != "" {
					request.Header.Set("Accept", accept)
				}
				answer, err := s.Client().Do(request)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				var inXML struct {
					Result struct{ Arn string } `xml:"GetCallerIdentityResult"`
				}
				var inJSON struct {
					GetCallerIdentityResponse struct {
						GetCallerIdentityResult struct{ Arn string }
						ResponseMetadata        struct{ RequestID string }
					}
				}
				contentType, got := "text/xml", &inXML.Result.Arn
				err = xml.Unmarshal(text, &inXML)
				if accept != "" {
					contentType, got = "application/json", &inJSON.GetCallerIdentityResponse.GetCallerIdentityResult.Arn
					err = json.Unmarshal(text, &inJSON)
				}
				if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != contentType || *got != arn("user/bob") {
					t.Errorf("%s, presigned %v, Accept %q: %v, %s %s", method, presigned, accept, err, answer.Status, text)
				}
			}
		}
	}
}

func TestSessionsOfUsers(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	bob := newUser(t, s, "bob", anything)
	newUser(t, s, "carol", "")
	serial, code := newDevice(t, s, "bob", now)
	hers, _ := newDevice(t, s, "carol", now)
	client, ctx := sts.NewFromConfig(bob), t.Context()
	get := func(input sts.GetSessionTokenInput) error { return errorOf(client.GetSessionToken(ctx, &input)) }
	wrong := aws.String("000000")
	if *wrong == *code(now) {
		wrong = aws.String("000001")
	}
	expect(t,
		attempt{"the shortest", get(sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}), ""},
		attempt{"the longest", get(sts.GetSessionTokenInput{DurationSeconds: aws.Int32(129600)}), ""},
		attempt{"too short", get(sts.GetSessionTokenInput{DurationSeconds: aws.Int32(899)}), "ValidationError"},
		attempt{"too long", get(sts.GetSessionTokenInput{DurationSeconds: aws.Int32(129601)}), "ValidationError"},
		attempt{"a device without a code", get(sts.GetSessionTokenInput{SerialNumber: serial}), "AccessDenied"},
		attempt{"a code without a device", get(sts.GetSessionTokenInput{TokenCode: code(now)}), "AccessDenied"},
		attempt{"a code of five digits", get(sts.GetSessionTokenInput{SerialNumber: serial, TokenCode: aws.String("12345")}), "ValidationError"},
		attempt{"a code of letters", get(sts.GetSessionTokenInput{SerialNumber: serial, TokenCode: aws.String("abcdef")}), "ValidationError"},
		attempt{"a wrong code", get(sts.GetSessionTokenInput{SerialNumber: serial, TokenCode: wrong}), "AccessDenied"},
		attempt{"another's device", get(sts.GetSessionTokenInput{SerialNumber: hers, TokenCode: code(now)}), "AccessDenied"},
		attempt{"no device", get(sts.GetSessionTokenInput{SerialNumber: aws.String(arn("mfa/none")), TokenCode: code(now)}), "AccessDenied"},
	)
	for want, input := range map[string]sts.GetSessionTokenInput{
		"MultiFactorAuthentication failed with invalid MFA one time pass code.":                         {SerialNumber: serial, TokenCode: wrong},
		"MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.": {SerialNumber: serial},
		"Please verify your MFA serial number is valid and associated with this user.":                  {SerialNumber: hers, TokenCode: wrong},
	} {
		if err := get(input); !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}

	plain := sessionToken(t, bob, &sts.GetSessionTokenInput{})
	if lasts := plain.Expiration.Sub(now); lasts != 12*time.Hour || !strings.HasPrefix(*plain.AccessKeyId, "ASIA") {
		t.Errorf("%s lasts %s", *plain.AccessKeyId, lasts)
	}
	withMFA := sessionToken(t, bob, &sts.GetSessionTokenInput{SerialNumber: serial, TokenCode: code(now)})
	itsARN, itsID := whoami(t, bob)
	for _, session := range []*ststypes.Credentials{plain, withMFA} {
		if arn, id := whoami(t, as(s, session)); arn != itsARN || id != itsID {
			t.Errorf("the session is %s %s, the user is %s %s", arn, id, itsARN, itsID)
		}
	}

	newRole(t, s, "r", trust(`{"AWS":"`+account+`"}`))
	assume := &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/r")), RoleSessionName: aws.String("session")}
	for name, test := range map[string]struct {
		session *ststypes.Credentials
		iam     string
	}{"without MFA": {plain, "InvalidClientTokenId"}, "with MFA": {withMFA, ""}} {
		config := as(s, test.session)
		client := sts.NewFromConfig(config)
		expect(t,
			attempt{name + ": ListUsers", errorOf(iam.NewFromConfig(config).ListUsers(ctx, &iam.ListUsersInput{})), test.iam},
			attempt{name + ": ListClusters", errorOf(eks.NewFromConfig(config).ListClusters(ctx, &eks.ListClustersInput{})), ""},
			attempt{name + ": AssumeRole", errorOf(client.AssumeRole(ctx, assume)), ""},
			attempt{name + ": GetSessionToken", errorOf(client.GetSessionToken(ctx, &sts.GetSessionTokenInput{})), "AccessDenied"},
			attempt{name + ": GetFederationToken", errorOf(client.GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("fed")})), "AccessDenied"},
			attempt{name + ": GetAccessKeyInfo", errorOf(client.GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: test.session.AccessKeyId})), "AccessDenied"},
		)
	}
	if err := errorOf(sts.NewFromConfig(as(s, plain)).GetSessionToken(ctx, &sts.GetSessionTokenInput{})); !strings.Contains(err.Error(), "Cannot call GetSessionToken with session credentials") {
		t.Error(err)
	}
}

// TestMFAConditions checks that requests with a long-term key lack the MFA keys, so
// that ...IfExists conditions on them are true.
func TestMFAConditions(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	user := func(name, condition string) aws.Config {
		return newUser(t, s, name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*","Condition":`+condition+`}]}`)
	}
	for name, test := range map[string]struct {
		condition              string
		key, session, mfa, old bool
	}{
		"present":     {`{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, false, false, true, true},
		"not-present": {`{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, false, true, false, false},
		"if-exists":   {`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`, true, false, true, true},
		"no-key":      {`{"Null":{"aws:MultiFactorAuthPresent":"true"}}`, true, false, false, false},
		"age":         {`{"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}}`, false, false, true, false},
		"no-age":      {`{"Null":{"aws:MultiFactorAuthAge":"true"}}`, true, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			began := now
			defer func() { now = began }()
			key := user(name, test.condition)
			serial, code := newDevice(t, s, name, now)
			session := as(s, sessionToken(t, key, &sts.GetSessionTokenInput{}))
			withMFA := as(s, sessionToken(t, key, &sts.GetSessionTokenInput{SerialNumber: serial, TokenCode: code(now)}))
			may := func(what string, config aws.Config, want bool) {
				t.Helper()
				_, err := eks.NewFromConfig(config).ListClusters(t.Context(), &eks.ListClustersInput{})
				if got := err == nil; got != want {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			may("a key", key, test.key)
			may("a session", session, test.session)
			may("a session with MFA", withMFA, test.mfa)
			now = now.Add(10 * time.Minute)
			may("ten minutes on", withMFA, test.old)
		})
	}
}

// TestSessionsEnd checks that sessions end at their expiry and with their user or
// role, but not with the access key that requested them.
func TestSessionsEnd(t *testing.T) {
	began := time.Now()
	now := began
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	bob := newUser(t, s, "bob", anything)
	session := sessionToken(t, bob, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)})
	call := func(config aws.Config) error { return errorOf(sts.NewFromConfig(config).GetCallerIdentity(ctx, nil)) }

	now = began.Add(15*time.Minute - time.Second)
	expect(t, attempt{"just before its end", call(as(s, session)), ""})
	now = began.Add(15 * time.Minute)
	expect(t, attempt{"at its end", call(as(s, session)), "ExpiredToken"})
	if err := errorOf(eks.NewFromConfig(as(s, session)).ListClusters(ctx, &eks.ListClustersInput{})); code(err) != "ExpiredTokenException" {
		t.Errorf("EKS: %v", err)
	}
	if err := errorOf(ec2.NewFromConfig(as(s, session)).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})); code(err) != "RequestExpired" {
		t.Errorf("EC2: %v", err)
	}
	now = began

	session = sessionToken(t, bob, &sts.GetSessionTokenInput{})
	other := sessionToken(t, bob, &sts.GetSessionTokenInput{})
	swapped := *session
	swapped.SessionToken = other.SessionToken
	expect(t, attempt{"another session's token", call(as(s, &swapped)), "InvalidClientTokenId"})

	credentials, err := bob.Credentials.Retrieve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	name := aws.String("bob")
	expect(t,
		attempt{"deactivate the key", errorOf(client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: &credentials.AccessKeyID, Status: iamtypes.StatusTypeInactive})), ""},
		attempt{"with the key", call(bob), "InvalidClientTokenId"},
		attempt{"in the session", call(as(s, session)), ""},
		attempt{"delete the key", errorOf(client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: &credentials.AccessKeyID})), ""},
		attempt{"in the session without the key", call(as(s, session)), ""},
	)
	revoked := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + now.Add(time.Minute).UTC().Format(time.RFC3339) + `"}}}]}`
	list := func() error {
		return errorOf(eks.NewFromConfig(as(s, session)).ListClusters(ctx, &eks.ListClustersInput{}))
	}
	expect(t,
		attempt{"a call", list(), ""},
		attempt{"revoke what was issued until now", errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("p"), PolicyDocument: &revoked})), ""},
		attempt{"a call in a revoked session", list(), "AccessDeniedException"},
		attempt{"delete the policy", errorOf(client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("p")})), ""},
		attempt{"delete the user", errorOf(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})), ""},
		attempt{"in a session of a deleted user", call(as(s, session)), "InvalidClientTokenId"},
	)
}

func TestFederatedUsers(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	bob := newUser(t, s, "bob", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["eks:*","iam:*","sts:AssumeRole","sts:GetSessionToken"],"Resource":"*"},
		{"Effect":"Allow","Action":"sts:GetFederationToken","Resource":"arn:aws:sts::`+account+`:federated-user/fed*"},
		{"Effect":"Allow","Action":"sts:TagSession","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}}]}`)
	client, ctx := sts.NewFromConfig(bob), t.Context()
	get := func(input sts.GetFederationTokenInput) error { return errorOf(client.GetFederationToken(ctx, &input)) }
	tag := func(key, value string) []ststypes.Tag {
		return []ststypes.Tag{{Key: &key, Value: &value}}
	}
	fed := aws.String("fed")
	expect(t,
		attempt{"the longest name", get(sts.GetFederationTokenInput{Name: aws.String("fed" + strings.Repeat("x", 29))}), ""},
		attempt{"too long a name", get(sts.GetFederationTokenInput{Name: aws.String("fed" + strings.Repeat("x", 30))}), "ValidationError"},
		attempt{"a name that is none", get(sts.GetFederationTokenInput{Name: aws.String("fed user")}), "ValidationError"},
		attempt{"a name that the user may not use", get(sts.GetFederationTokenInput{Name: aws.String("other")}), "AccessDenied"},
		attempt{"too long", get(sts.GetFederationTokenInput{Name: fed, DurationSeconds: aws.Int32(129601)}), "ValidationError"},
		attempt{"a policy that is none", get(sts.GetFederationTokenInput{Name: fed, Policy: aws.String("{}")}), "MalformedPolicyDocument"},
		attempt{"a tag that the user may pass", get(sts.GetFederationTokenInput{Name: fed, Tags: tag("team", "red")}), ""},
		attempt{"a tag that it may not", get(sts.GetFederationTokenInput{Name: fed, Tags: tag("team", "blue")}), "AccessDenied"},
	)
	token := func(input sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, aws.Config) {
		t.Helper()
		input.Name = fed
		got, err := client.GetFederationToken(ctx, &input)
		if err != nil {
			t.Fatal(err)
		}
		return got, as(s, got.Credentials)
	}
	got, bare := token(sts.GetFederationTokenInput{})
	if *got.FederatedUser.Arn != "arn:aws:sts::"+account+":federated-user/fed" || *got.FederatedUser.FederatedUserId != account+":fed" || got.PackedPolicySize == nil || *got.PackedPolicySize != 0 ||
		got.Credentials.Expiration.Sub(now) != 12*time.Hour {
		t.Errorf("%+v", got)
	}
	if arn, id := whoami(t, bare); arn != *got.FederatedUser.Arn || id != *got.FederatedUser.FederatedUserId {
		t.Errorf("the caller is %s %s", arn, id)
	}
	got, full := token(sts.GetFederationTokenInput{Policy: aws.String(anything)})
	if got.PackedPolicySize == nil || *got.PackedPolicySize < 1 {
		t.Errorf("%+v", got)
	}
	_, byARN := token(sts.GetFederationTokenInput{PolicyArns: []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}}})
	_, tagged := token(sts.GetFederationTokenInput{Tags: tag("team", "red"), Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
		"StringEquals":{"aws:PrincipalTag/team":"red","aws:PrincipalType":"FederatedUser","aws:userid":"` + account + `:fed"},
		"ArnEquals":{"aws:PrincipalArn":"arn:aws:sts::` + account + `:federated-user/fed"},"Null":{"aws:username":"true"}}}]}`)})
	list := func(config aws.Config) error {
		return errorOf(eks.NewFromConfig(config).ListClusters(ctx, &eks.ListClustersInput{}))
	}
	describe := func(config aws.Config) error {
		return errorOf(ec2.NewFromConfig(config).DescribeInstances(ctx, &ec2.DescribeInstancesInput{}))
	}
	newRole(t, s, "r", trust(`{"AWS":"`+account+`"}`))
	calls := sts.NewFromConfig(full)
	expect(t,
		attempt{"without a policy nothing", list(bare), "AccessDeniedException"},
		attempt{"what the policy and the user's allow", list(full), ""},
		attempt{"by a managed policy", list(byARN), ""},
		attempt{"by its tags and its name", list(tagged), ""},
		attempt{"what the user may not", describe(full), "UnauthorizedOperation"},
		attempt{"IAM", errorOf(iam.NewFromConfig(full).ListUsers(ctx, &iam.ListUsersInput{})), "InvalidClientTokenId"},
		attempt{"AssumeRole", errorOf(calls.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/r")), RoleSessionName: aws.String("session")})), "AccessDenied"},
		attempt{"GetSessionToken", errorOf(calls.GetSessionToken(ctx, &sts.GetSessionTokenInput{})), "AccessDenied"},
		attempt{"GetFederationToken", errorOf(calls.GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: fed})), "AccessDenied"},
		attempt{"DecodeAuthorizationMessage", errorOf(calls.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String("x")})), "AccessDenied"},
	)
}

func TestAccessKeyInfo(t *testing.T) {
	s := start(t, localaws.Config{})
	bob := newUser(t, s, "bob", "")
	credentials, err := bob.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session := sessionToken(t, bob, &sts.GetSessionTokenInput{})
	client := sts.NewFromConfig(s.SDK())
	for _, id := range []string{credentials.AccessKeyID, *session.AccessKeyId} {
		got, err := client.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &id})
		if err != nil || *got.Account != account {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	get := func(client *sts.Client, id string) error {
		return errorOf(client.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &id}))
	}
	expect(t,
		attempt{"an unknown key", get(client, "AKIAIOSFODNN7EXAMPLE"), "ValidationError"},
		attempt{"a malformed key", get(client, "AKIA-IOSFODNN7-EXAMPLE"), "ValidationError"},
		attempt{"without permission", get(sts.NewFromConfig(bob), credentials.AccessKeyID), "AccessDenied"},
	)
}

func TestDecodeAuthorizationMessage(t *testing.T) {
	s := start(t, localaws.Config{})
	admin := sts.NewFromConfig(s.SDK())
	const mark = "Encoded authorization failure message: "
	encoded := func(config aws.Config) string {
		t.Helper()
		_, err := ec2.NewFromConfig(config).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		if code(err) != "UnauthorizedOperation" || !strings.Contains(err.Error(), mark) {
			t.Fatal(err)
		}
		return err.Error()[strings.Index(err.Error(), mark)+len(mark):]
	}
	type decoded struct {
		Allowed, ExplicitDeny bool
		MatchedStatements     struct {
			Items []struct{ StatementID, Effect string }
		}
		Failures struct{ Items []any }
		Context  struct {
			Principal        struct{ ID, Name, ARN string }
			Action, Resource string
			Conditions       struct {
				Items []struct {
					Key    string
					Values struct{ Items []struct{ Value string } }
				}
			}
		}
	}
	decode := func(message string) (d decoded) {
		t.Helper()
		got, err := admin.DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &message})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(*got.DecodedMessage), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	silent := newUser(t, s, "silent", "")
	first := encoded(silent)
	d := decode(first)
	if d.Allowed || d.ExplicitDeny || len(d.MatchedStatements.Items) != 0 || d.Context.Principal.Name != "silent" || d.Context.Principal.ARN != arn("user/silent") ||
		!strings.HasPrefix(d.Context.Principal.ID, "AIDA") || d.Context.Action != "ec2:DescribeInstances" || d.Context.Resource != "*" {
		t.Errorf("%+v", d)
	}
	region := ""
	for _, key := range d.Context.Conditions.Items {
		if key.Key == "aws:requestedregion" {
			region = key.Values.Items[0].Value
		}
	}
	if region != "eu-west-2" {
		t.Errorf("aws:RequestedRegion is missing or wrong: %+v", d.Context.Conditions)
	}
	if second := encoded(silent); second == first {
		t.Error("two messages with the same content are equal")
	}

	d = decode(encoded(newUser(t, s, "denied", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"NoEC2","Effect":"Deny","Action":"ec2:*","Resource":"*"}]}`)))
	if !d.ExplicitDeny || len(d.MatchedStatements.Items) != 1 || d.MatchedStatements.Items[0].StatementID != "NoEC2" || d.MatchedStatements.Items[0].Effect != "DENY" {
		t.Errorf("%+v", d)
	}

	bounds, err := iam.NewFromConfig(s.SDK()).CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("bounds"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Sid":"Bound","Effect":"Deny","Action":"ec2:*","Resource":"*"},{"Sid":"Other","Effect":"Deny","Action":"s3:*","Resource":"*"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	bounded := newUser(t, s, "bounded", anything)
	if _, err := iam.NewFromConfig(s.SDK()).PutUserPermissionsBoundary(t.Context(), &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("bounded"), PermissionsBoundary: bounds.Policy.Arn}); err != nil {
		t.Fatal(err)
	}
	d = decode(encoded(bounded))
	if !d.ExplicitDeny || len(d.MatchedStatements.Items) != 1 || d.MatchedStatements.Items[0].StatementID != "Bound" {
		t.Errorf("%+v", d)
	}

	// A user with the most tags possible, which exceed the size of a message.
	many := newUser(t, s, "many", "")
	var values []iamtypes.Tag
	for i := range 50 {
		values = append(values, iamtypes.Tag{Key: aws.String(fmt.Sprintf("key%d", i)), Value: aws.String(strings.Repeat("x", 256))})
	}
	if _, err := iam.NewFromConfig(s.SDK()).TagUser(t.Context(), &iam.TagUserInput{UserName: aws.String("many"), Tags: values}); err != nil {
		t.Fatal(err)
	}
	long := encoded(many)
	if d = decode(long); d.Context.Principal.Name != "many" || len(long) > 10240 {
		t.Errorf("%d characters: %+v", len(long), d)
	}

	ask := func(client *sts.Client, message string) error {
		return errorOf(client.DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &message}))
	}
	other := start(t, localaws.Config{})
	expect(t,
		attempt{"nonsense", ask(admin, "nonsense"), "InvalidAuthorizationMessageException"},
		attempt{"one character changed", ask(admin, first[:len(first)-2]+string(first[len(first)-2]^1)+first[len(first)-1:]), "InvalidAuthorizationMessageException"},
		attempt{"a line break", ask(admin, first[:10]+"\n"+first[10:]), "InvalidAuthorizationMessageException"},
		attempt{"too long", ask(admin, strings.Repeat("A", 10241)), "ValidationError"},
		attempt{"another AWS's", ask(sts.NewFromConfig(other.SDK()), first), "InvalidAuthorizationMessageException"},
		attempt{"without permission", ask(sts.NewFromConfig(silent), first), "AccessDenied"},
	)
}

// TestDenialsWhileUsersMove checks, with the race detector, that encoded messages
// read their caller under the lock.
func TestDenialsWhileUsersMove(t *testing.T) {
	s := start(t, localaws.Config{})
	silent, admin := ec2.NewFromConfig(newUser(t, s, "silent", "")), iam.NewFromConfig(s.SDK())
	var moves sync.WaitGroup
	moves.Go(func() {
		for i := range 50 {
			path := fmt.Sprintf("/%d/", i)
			if _, err := admin.UpdateUser(t.Context(), &iam.UpdateUserInput{UserName: aws.String("silent"), NewPath: &path}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 50 {
		if _, err := silent.DescribeInstances(t.Context(), nil); code(err) != "UnauthorizedOperation" {
			t.Error(err)
		}
	}
	moves.Wait()
}

// TestRegionsOfSignatures checks that a signature must name an AWS region, and that
// of the host if the host has one.
func TestRegionsOfSignatures(t *testing.T) {
	s := start(t, localaws.Config{})
	for region, hosts := range map[string]map[string]string{
		"eu-west-2": {"https://eks.eu-west-2.amazonaws.com": "", "http://127.0.0.1:4566": ""},
		"us-east-1": {"https://eks.eu-west-2.amazonaws.com": "InvalidSignatureException", "http://127.0.0.1:4566": ""},
		"eu-west2":  {"http://127.0.0.1:4566": "InvalidSignatureException"},
		"EU-WEST-2": {"http://127.0.0.1:4566": "InvalidSignatureException"},
		// AWS has no host of a mistyped region. A new region is served.
		"eu-wset-2":      {"https://eks.eu-wset-2.amazonaws.com": "InvalidSignatureException", "http://127.0.0.1:4566": "InvalidSignatureException"},
		"ue-west-2":      {"https://eks.ue-west-2.amazonaws.com": "InvalidSignatureException"},
		"ap-northwest-9": {"https://eks.ap-northwest-9.amazonaws.com": ""},
	} {
		for host, want := range hosts {
			config := s.SDK()
			config.Region, config.BaseEndpoint = region, &host
			_, err := eks.NewFromConfig(config).ListClusters(t.Context(), nil)
			if code(err) != want || want != "" && !strings.Contains(err.Error(), "Credential should be scoped to a valid region, not '"+region+"'.") {
				t.Errorf("%s at %s: %v", region, host, err)
			}
		}
	}
	config := s.SDK()
	config.Region = "eu-wset-2"
	if _, err := ec2.NewFromConfig(config).DescribeVpcs(t.Context(), nil); code(err) != "AuthFailure" || !strings.Contains(err.Error(), "not 'eu-wset-2'") {
		t.Errorf("EC2: %v", err)
	}
}
