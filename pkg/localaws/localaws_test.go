package localaws_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/presign"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const account = "231144931069"

func start(t testing.TB, config localaws.Config) *localawstest.Server {
	t.Helper()
	config.AccountID, config.Region = account, "eu-west-2"
	s := localawstest.Start(t, config)
	t.Cleanup(func() { wantMarks(t, s.Events()) })
	return s
}

// wantMarks checks that the trail marks each error that says "localaws", and no other. A
// failure to save the state is no refusal, and faults have a mark of their own.
func wantMarks(t testing.TB, events []localaws.Event) {
	t.Helper()
	for _, e := range events {
		says, marked := strings.Contains(e.ErrorMessage, "localaws"), e.AdditionalEventData["localaws"]
		if marked != "fault" && e.ErrorCode != "ServiceFailure" && says != (marked == "refused") {
			t.Errorf("%s: marked %q: %s: %s", e.EventName, marked, e.ErrorCode, e.ErrorMessage)
		}
	}
}

// code returns the code of an AWS error.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// send sends a request that no SDK would send, signed for a service in a region.
func send(t testing.TB, s *localawstest.Server, as aws.Config, request *http.Request, body, service, region string) (status int, answered string) {
	t.Helper()
	credentials, err := as.Credentials.Retrieve(t.Context())
	must(t, err)
	hash := sha256.Sum256([]byte(body))
	must(t, v4.NewSigner().SignHTTP(t.Context(), credentials, request, hex.EncodeToString(hash[:]), service, region, time.Now()))
	answer, err := s.Client().Do(request)
	must(t, err)
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(text)
}

// sendForm sends a form to a service of the Query protocol.
func sendForm(t testing.TB, s *localawstest.Server, as aws.Config, host, form, service, region string) (answered string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/", strings.NewReader(form))
	must(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, answered = send(t, s, as, request, form, service, region)
	return answered
}

// newUser creates a user with a policy.
func newUser(t testing.TB, s *localawstest.Server, name, policy string) aws.Config {
	t.Helper()
	admin := iam.NewFromConfig(s.SDK())
	if _, err := admin.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	if policy != "" {
		if _, err := admin.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	made, err := admin.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return s.SDKAs(localaws.AccessKey{ID: *made.AccessKey.AccessKeyId, Secret: *made.AccessKey.SecretAccessKey}, "")
}

// TestCAIsOfRealTime checks that clients trust a local AWS whose clock is another.
func TestCAIsOfRealTime(t *testing.T) {
	a, err := localaws.New(localaws.Config{Now: func() time.Time { return time.Now().AddDate(-1, 0, 0) }})
	must(t, err)
	block, _ := pem.Decode(a.CA())
	ca, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if now := time.Now(); now.Before(ca.NotBefore) || now.After(ca.NotAfter) {
		t.Errorf("the CA is valid from %v to %v", ca.NotBefore, ca.NotAfter)
	}
}

func statement(effect, action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"` + action + `","Resource":"` + resource + `"}]}`
}

func TestCallerIdentity(t *testing.T) {
	s := start(t, localaws.Config{})
	answer, err := sts.NewFromConfig(s.SDK()).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *answer.Account != account || *answer.Arn != "arn:aws:iam::"+account+":user/administrator" || !strings.HasPrefix(*answer.UserId, "AIDA") {
		t.Errorf("%s %s %s", *answer.Account, *answer.Arn, *answer.UserId)
	}
}

func TestIdentityPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	if err := s.RegisterCluster("eu-west-2", "kubedemy", "https://127.0.0.1:6443", []byte("CA")); err != nil {
		t.Fatal(err)
	}
	const cluster = "arn:aws:eks:eu-west-2:" + account + ":cluster/kubedemy"
	for name, test := range map[string]struct {
		policy string
		want   string // part of the error; empty if allowed
	}{
		"none":              {"", "because no identity-based policy allows the eks:DescribeCluster action"},
		"the story's":       {statement("Allow", "eks:DescribeCluster", cluster), ""},
		"action wildcard":   {statement("Allow", "eks:Describe*", cluster), ""},
		"resource wildcard": {statement("Allow", "eks:DescribeCluster", "arn:aws:eks:*:*:cluster/kube?emy"), ""},
		"case of actions":   {statement("Allow", "EKS:describecluster", cluster), ""},
		"another cluster":   {statement("Allow", "eks:DescribeCluster", cluster+"2"), "no identity-based policy"},
		"another action":    {statement("Allow", "eks:ListClusters", "*"), "no identity-based policy"},
		"a deny beats all":  {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"eks:*","Resource":"` + cluster + `"}]}`, "with an explicit deny"},
		"another region":    {statement("Allow", "eks:DescribeCluster", strings.Replace(cluster, "eu-west-2", "eu-west-1", 1)), "no identity-based policy"},
		"a condition":       {`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks:DescribeCluster","Resource":"*","Condition":{"StringEquals":{"aws:username":"${aws:username}"}}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := eks.NewFromConfig(newUser(t, s, "u-"+strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", ""), test.policy))
			answer, err := client.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("kubedemy")})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if *answer.Cluster.Endpoint != "https://127.0.0.1:6443" || *answer.Cluster.CertificateAuthority.Data != "Q0E=" || answer.Cluster.Status != ekstypes.ClusterStatusActive {
					t.Errorf("%+v", answer.Cluster)
				}
				return
			}
			if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
}

// TestBadSignatures checks the error code of each service for invalid keys and
// signatures.
func TestBadSignatures(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	ask := func(config aws.Config) map[string]string {
		config.DisableClockSkewCorrection = true
		_, stsError := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		_, iamError := iam.NewFromConfig(config).ListUsers(t.Context(), &iam.ListUsersInput{})
		_, eksError := eks.NewFromConfig(config).ListClusters(t.Context(), &eks.ListClustersInput{})
		_, ec2Error := ec2.NewFromConfig(config).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		return map[string]string{"sts": code(stsError), "iam": code(iamError), "eks": code(eksError), "ec2": code(ec2Error)}
	}
	now = time.Now() // the SDK signs with real time
	good := s.Administrator()
	for name, test := range map[string]struct {
		config aws.Config
		skew   time.Duration
		want   map[string]string
	}{
		"good":              {s.SDK(), 0, map[string]string{"sts": "", "iam": "", "eks": "", "ec2": ""}},
		"another secret":    {s.SDKAs(localaws.AccessKey{ID: good.ID, Secret: "x"}, ""), 0, map[string]string{"sts": "SignatureDoesNotMatch", "iam": "SignatureDoesNotMatch", "eks": "InvalidSignatureException", "ec2": "AuthFailure"}},
		"an unknown key":    {s.SDKAs(localaws.AccessKey{ID: "AKIAUNKNOWN", Secret: "x"}, ""), 0, map[string]string{"sts": "InvalidClientTokenId", "iam": "InvalidClientTokenId", "eks": "UnrecognizedClientException", "ec2": "AuthFailure"}},
		"a session's token": {s.SDKAs(good, "token"), 0, map[string]string{"sts": "InvalidClientTokenId", "iam": "InvalidClientTokenId", "eks": "UnrecognizedClientException", "ec2": "AuthFailure"}},
		"a clock behind":    {s.SDK(), 16 * time.Minute, map[string]string{"sts": "SignatureDoesNotMatch", "iam": "SignatureDoesNotMatch", "eks": "InvalidSignatureException", "ec2": "RequestExpired"}},
		"a clock ahead":     {s.SDK(), -16 * time.Minute, map[string]string{"sts": "SignatureDoesNotMatch", "iam": "SignatureDoesNotMatch", "eks": "InvalidSignatureException", "ec2": "RequestExpired"}},
	} {
		now = time.Now().Add(test.skew)
		for service, want := range test.want {
			if got := ask(test.config)[service]; got != want {
				t.Errorf("%s: %s returns %q, want %q", name, service, got, want)
			}
		}
	}
}

func TestUnsignedAndUnknown(t *testing.T) {
	s := start(t, localaws.Config{})
	for url, want := range map[string]string{
		"https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15": "MissingAuthenticationToken",
		"https://s3.eu-west-2.amazonaws.com/":                                              "UnknownService",
		"https://eks.eu-west-2.amazonaws.com/clusters":                                     "Missing Authentication Token",
	} {
		answer, err := s.Client().Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode < 400 || !strings.Contains(strings.ToLower(string(body)), strings.ToLower(want)) {
			if !strings.Contains(answer.Header.Get("X-Amzn-Errortype"), "MissingAuthenticationToken") {
				t.Errorf("%s: %s %s, want %q", url, answer.Status, body, want)
			}
		}
	}
}

func TestUsersAndKeys(t *testing.T) {
	s := start(t, localaws.Config{})
	client := iam.NewFromConfig(s.SDK())
	ctx := t.Context()
	name := aws.String("Bob")
	made, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: name, Path: aws.String("/div/"), Tags: []iamtypes.Tag{{Key: aws.String("owner"), Value: aws.String("me")}}})
	if err != nil {
		t.Fatal(err)
	}
	if *made.User.Arn != "arn:aws:iam::"+account+":user/div/Bob" || *made.User.Tags[0].Value != "me" {
		t.Errorf("%+v", made.User)
	}
	refused := func(want string, err error) {
		t.Helper()
		if code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err = client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("bOB")})
	refused("EntityAlreadyExists", err)
	_, err = client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("a b")})
	refused("ValidationError", err)
	_, err = client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(strings.Repeat("x", 65))})
	refused("ValidationError", err)
	_, err = client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("x"), Path: aws.String("nopath")})
	refused("ValidationError", err)
	_, err = client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("nobody")})
	refused("NoSuchEntity", err)
	_, err = client.CreateServiceSpecificCredential(ctx, &iam.CreateServiceSpecificCredentialInput{UserName: name, ServiceName: aws.String("x")})
	refused("InvalidAction", err)

	first, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name}); err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	refused("LimitExceeded", err)
	_, err = client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})
	refused("DeleteConflict", err)

	bob := sts.NewFromConfig(s.SDKAs(localaws.AccessKey{ID: *first.AccessKey.AccessKeyId, Secret: *first.AccessKey.SecretAccessKey}, ""))
	if _, err := bob.GetCallerIdentity(ctx, nil); err != nil {
		t.Error(err)
	}
	if _, err = client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: first.AccessKey.AccessKeyId, Status: iamtypes.StatusTypeInactive}); err != nil {
		t.Fatal(err)
	}
	_, err = bob.GetCallerIdentity(ctx, nil)
	refused("InvalidClientTokenId", err)
	keys, err := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: name})
	if err != nil || len(keys.AccessKeyMetadata) != 2 {
		t.Fatalf("%+v, %v", keys, err)
	}
	for _, key := range keys.AccessKeyMetadata {
		if _, err := client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: key.AccessKeyId}); err != nil {
			t.Error(err)
		}
	}
	if _, err = client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}); err != nil {
		t.Error(err)
	}
}

func TestListsArePaged(t *testing.T) {
	s := start(t, localaws.Config{})
	client := iam.NewFromConfig(s.SDK())
	for _, name := range []string{"a", "b", "c"} {
		if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := iam.NewListUsersPaginator(client, &iam.ListUsersInput{MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range page.Users {
			names = append(names, *user.UserName)
		}
	}
	if !slices.Equal(names, []string{"a", "administrator", "b", "c"}) {
		t.Errorf("%q", names)
	}
}

func TestPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	client := iam.NewFromConfig(s.SDK())
	newUser(t, s, "bob", "")
	const good = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}`
	for name, test := range map[string]struct{ document, want string }{
		"good":                {good, ""},
		"not JSON":            {"{", "MalformedPolicyDocument"},
		"a principal":         {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}]}`, "MalformedPolicyDocument"},
		"an unknown operator": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Nonsense":{"a":"b"}}}]}`, "MalformedPolicyDocument"},
		"too long":            {strings.Replace(good, `"*"`, `"arn:aws:s3:::`+strings.Repeat("x", 2048)+`"`, 1), "LimitExceeded"},
	} {
		_, err := client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p"), PolicyDocument: &test.document})
		if code(err) != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p"), PolicyDocument: aws.String(good)}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetUserPolicy(t.Context(), &iam.GetUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p")})
	if err != nil || !strings.Contains(*got.PolicyDocument, "%22s3%3A%2A%22") {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAssumeRole(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	client := iam.NewFromConfig(s.SDK())
	ctx := t.Context()
	bob := newUser(t, s, "bob", "")
	mayAssume := newUser(t, s, "carol", statement("Allow", "sts:AssumeRole", "*"))
	denied := newUser(t, s, "dave", statement("Deny", "sts:AssumeRole", "*"))
	role := func(name, principal, condition string) string {
		made, err := client.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: &name, Path: aws.String("/team/"),
			AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"` + condition + `}]}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		return *made.Role.Arn
	}
	byAccount := role("ByAccount", `{"AWS":"`+account+`"}`, "")
	byUser := role("ByUser", `{"AWS":["arn:aws:iam::`+account+`:user/bob","arn:aws:iam::`+account+`:user/dave"]}`, "")
	byService := role("ByService", `{"Service":"ec2.amazonaws.com"}`, "")
	withID := role("WithID", `{"AWS":"`+account+`"}`, `,"Condition":{"StringEquals":{"sts:ExternalId":"42"}}`)
	for name, test := range map[string]struct {
		caller aws.Config
		input  sts.AssumeRoleInput
		want   string
	}{
		"by the account, allowed":           {mayAssume, sts.AssumeRoleInput{RoleArn: &byAccount}, ""},
		"by the account, not allowed":       {bob, sts.AssumeRoleInput{RoleArn: &byAccount}, "AccessDenied"},
		"by the user, no permission needed": {bob, sts.AssumeRoleInput{RoleArn: &byUser}, ""},
		"by the user, denied":               {denied, sts.AssumeRoleInput{RoleArn: &byUser}, "AccessDenied"},
		"by another user":                   {mayAssume, sts.AssumeRoleInput{RoleArn: &byUser}, "AccessDenied"},
		"by a service":                      {mayAssume, sts.AssumeRoleInput{RoleArn: &byService}, "AccessDenied"},
		"with the external ID":              {mayAssume, sts.AssumeRoleInput{RoleArn: &withID, ExternalId: aws.String("42")}, ""},
		"with another external ID":          {mayAssume, sts.AssumeRoleInput{RoleArn: &withID, ExternalId: aws.String("43")}, "AccessDenied"},
		"without the external ID":           {mayAssume, sts.AssumeRoleInput{RoleArn: &withID}, "AccessDenied"},
		"no such role":                      {mayAssume, sts.AssumeRoleInput{RoleArn: aws.String(byAccount + "x")}, "AccessDenied"},
		"without the role's path":           {mayAssume, sts.AssumeRoleInput{RoleArn: aws.String(strings.Replace(byAccount, "/team", "", 1))}, "AccessDenied"},
		"a session name that is none":       {mayAssume, sts.AssumeRoleInput{RoleArn: &byAccount, RoleSessionName: aws.String("a b")}, "ValidationError"},
		"too long":                          {mayAssume, sts.AssumeRoleInput{RoleArn: &byAccount, DurationSeconds: aws.Int32(7200)}, "ValidationError"},
		"a session policy that is none":     {mayAssume, sts.AssumeRoleInput{RoleArn: &byAccount, Policy: aws.String("{}")}, "MalformedPolicyDocument"},
	} {
		if test.input.RoleSessionName == nil {
			test.input.RoleSessionName = aws.String("session")
		}
		_, err := sts.NewFromConfig(test.caller).AssumeRole(ctx, &test.input)
		if code(err) != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}

	assumed, err := sts.NewFromConfig(mayAssume).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &byAccount, RoleSessionName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	key := localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}
	session := sts.NewFromConfig(s.SDKAs(key, *assumed.Credentials.SessionToken))
	who, err := session.GetCallerIdentity(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Arn != "arn:aws:sts::"+account+":assumed-role/ByAccount/alice" || !strings.HasSuffix(*who.UserId, ":alice") {
		t.Errorf("%s %s", *who.Arn, *who.UserId)
	}
	_, err = sts.NewFromConfig(s.SDKAs(key, *assumed.Credentials.SessionToken+"x")).GetCallerIdentity(ctx, nil)
	if code(err) != "InvalidClientTokenId" {
		t.Errorf("with another session token: %v", err)
	}
	_, err = sts.NewFromConfig(s.SDKAs(key, "")).GetCallerIdentity(ctx, nil)
	if code(err) != "InvalidClientTokenId" {
		t.Errorf("without a session token: %v", err)
	}
	if _, err := client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("ByAccount")}); err != nil {
		t.Fatal(err)
	}
	if _, err = session.GetCallerIdentity(ctx, nil); code(err) != "InvalidClientTokenId" {
		t.Errorf("a session of a deleted role: %v", err)
	}
}

// TestTokens verifies tokens with the authenticator's own verifier.
func TestTokens(t *testing.T) {
	s := start(t, localaws.Config{})
	key := s.Administrator()
	t.Setenv("AWS_ACCESS_KEY_ID", key.ID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", key.Secret)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_CA_BUNDLE", "")
	presigner, err := presign.New(t.Context(), presign.Config{ClusterID: "kubedemy", Region: "eu-west-2"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := presigner.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	request, err := token.Parse(made.Token, hosts, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for cluster, good := range map[string]bool{"kubedemy": true, "production": false} {
		proven, err := verify.New(verify.Config{Transport: s.Client().Transport}).Verify(t.Context(), cluster, request)
		id := proven.Principal()
		if good && (err != nil || id.ARN != "arn:aws:iam::"+account+":user/administrator" || id.AccessKeyID != key.ID) {
			t.Errorf("%s: %+v, %v", cluster, id, err)
		}
		if refused, ok := errors.AsType[*verify.RefusedError](err); !good && (!ok || refused.Code != "SignatureDoesNotMatch") {
			t.Errorf("%s: %+v, %v", cluster, id, err)
		}
	}
}

func TestLogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	s := start(t, localaws.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	config := newUser(t, s, "bob", "")
	_, _ = iam.NewFromConfig(config).ListUsers(t.Context(), &iam.ListUsersInput{})
	credentials, err := config.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{credentials.SecretAccessKey, s.Administrator().Secret, "Signature="} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log contains %q", secret)
		}
	}
	if !strings.Contains(log.String(), "code=AccessDenied") || !strings.Contains(log.String(), "operation=iam:CreateUser") {
		t.Errorf("the log: %s", log.String())
	}
}

func TestNewRefuses(t *testing.T) {
	for _, config := range []localaws.Config{{AccountID: "1"}, {Region: "nowhere"}} {
		if _, err := localaws.New(config); err == nil {
			t.Errorf("%+v: no error", config)
		}
	}
}

func BenchmarkGetCallerIdentity(b *testing.B) {
	s := start(b, localaws.Config{})
	client := sts.NewFromConfig(s.SDK())
	for b.Loop() {
		if _, err := client.GetCallerIdentity(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

var _ http.Handler = (*localaws.AWS)(nil)
