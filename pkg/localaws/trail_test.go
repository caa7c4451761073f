package localaws_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

func last(t testing.TB, s *localawstest.Server) localaws.Event {
	t.Helper()
	events := s.Events()
	if len(events) == 0 {
		t.Fatal("the trail is empty")
	}
	return events[len(events)-1]
}

// TestTrailOfOneCall checks every field of one record.
func TestTrailOfOneCall(t *testing.T) {
	s := start(t, localaws.Config{})
	at := time.Date(2026, 11, 23, 8, 0, 0, 500, time.UTC)
	s.Clock().Freeze()
	s.Clock().Set(at)
	admin := iam.NewFromConfig(s.SDK())
	who, err := admin.GetUser(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateUser(t.Context(), &iam.CreateUserInput{
		UserName: aws.String("bob"), Path: aws.String("/div/"), Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}},
	}); err != nil {
		t.Fatal(err)
	}
	want := localaws.Event{
		EventVersion: "1.11",
		UserIdentity: localaws.UserIdentity{
			Type: "IAMUser", PrincipalID: *who.User.UserId, ARN: *who.User.Arn, AccountID: account,
			AccessKeyID: s.Administrator().ID, UserName: "administrator",
		},
		EventTime: at.Truncate(time.Second), EventSource: "iam.amazonaws.com", EventName: "CreateUser", AWSRegion: "us-east-1", SourceIPAddress: "127.0.0.1",
		RequestParameters: map[string]any{
			"userName": "bob", "path": "/div/",
			"tags": []any{map[string]any{"key": "a", "value": "1"}, map[string]any{"key": "b", "value": "2"}},
		},
		Resources: []localaws.EventResource{{ARN: "arn:aws:iam::" + account + ":user/div/bob", AccountID: account, Type: "AWS::IAM::User"}},
		EventType: "AwsApiCall", ManagementEvent: true, RecipientAccountID: account, EventCategory: "Management",
	}
	got := last(t, s)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(localaws.Event{}, "RequestID", "EventID", "UserAgent")); diff != "" {
		t.Error(diff)
	}
	if len(got.RequestID) != 36 || len(got.EventID) != 36 || got.RequestID == got.EventID || !strings.Contains(got.UserAgent, "aws-sdk-go-v2") {
		t.Errorf("%+v", got)
	}
}

// TestTrailSaysWhoAndHowItEnded checks the caller and the result of calls by every
// kind of identity.
func TestTrailSaysWhoAndHowItEnded(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx := t.Context()
	bob := s.NewUser(t, "bob", statement("Allow", "sts:*", "*"))
	role := s.NewRole(t, "r", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}`, nil)
	assumed, err := sts.NewFromConfig(s.SDKAs(bob, "")).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	if got := last(t, s); got.EventName != "AssumeRole" || !got.ReadOnly || len(got.Resources) != 1 || got.Resources[0].ARN != role {
		t.Errorf("%+v", got)
	}
	session := s.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken)
	for name, test := range map[string]struct {
		call                               func() error
		identity, arn, event, source, code string
		readOnly                           bool
	}{
		"a user": {
			func() error { _, err := iam.NewFromConfig(s.SDKAs(bob, "")).GetUser(ctx, nil); return err },
			"IAMUser", ":user/bob", "GetUser", "iam", "AccessDenied", true,
		},
		"a role": {
			func() error {
				_, err := eks.NewFromConfig(session).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("c")})
				return err
			},
			"AssumedRole", ":assumed-role/r/alice", "DescribeCluster", "eks", "AccessDenied", true,
		},
		"a wrong secret": {
			func() error {
				_, err := sts.NewFromConfig(s.SDKAs(localaws.AccessKey{ID: bob.ID, Secret: "x"}, "")).GetCallerIdentity(ctx, nil)
				return err
			},
			"Unknown", "", "GetCallerIdentity", "sts", "SignatureDoesNotMatch", true,
		},
		"nobody": {
			func() error {
				_, err := s.Client().Get("https://iam.amazonaws.com/?Action=CreateUser&Version=2010-05-08")
				return err
			},
			"Unknown", "", "CreateUser", "iam", "MissingAuthenticationToken", false,
		},
		"no operation": {
			func() error {
				_, err := eks.NewFromConfig(session).ListCapabilities(ctx, &eks.ListCapabilitiesInput{ClusterName: aws.String("c")})
				return err
			},
			"AssumedRole", ":assumed-role/r/alice", "GET /clusters/c/capabilities", "eks", "NotFoundException", false,
		},
		"no service": {
			func() error { _, err := s.Client().Get("https://s3.amazonaws.com/"); return err },
			"Unknown", "", "", "unknown", "UnknownService", false,
		},
		"a clock behind": {
			func() error {
				s.Clock().Advance(time.Hour)
				defer s.Clock().Resume()
				config := s.SDK()
				config.DisableClockSkewCorrection = true
				_, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, nil)
				return err
			},
			"Unknown", "", "GetCallerIdentity", "sts", "SignatureDoesNotMatch", true,
		},
	} {
		_ = test.call()
		got := last(t, s)
		if got.UserIdentity.Type != test.identity || !strings.HasSuffix(got.UserIdentity.ARN, test.arn) || got.EventName != test.event ||
			got.EventSource != test.source+".amazonaws.com" || got.ErrorCode != test.code || got.ReadOnly != test.readOnly {
			t.Errorf("%s: %+v", name, got)
		}
		if got.ErrorCode != "" && got.ErrorMessage == "" {
			t.Errorf("%s: no message", name)
		}
	}
	_, _ = sts.NewFromConfig(session).GetCallerIdentity(ctx, nil)
	got := last(t, s).UserIdentity.SessionContext
	if got == nil || got.SessionIssuer == nil || got.SessionIssuer.ARN != role || got.SessionIssuer.UserName != "r" || got.Attributes.MFAAuthenticated != "false" || got.Attributes.CreationDate.IsZero() {
		t.Errorf("%+v", got)
	}
}

// TestTrailHoldsNoSecret checks that the trail contains no secret of a request or a
// response.
func TestTrailHoldsNoSecret(t *testing.T) {
	s := start(t, localaws.Config{})
	key := s.NewUser(t, "bob", "")
	role := s.NewRole(t, "r", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}]}`, nil)
	assumed, err := sts.NewFromConfig(s.SDK()).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("xx")})
	if err != nil {
		t.Fatal(err)
	}
	const public = "this is public"
	secret := []string{"TokenCode", "WebIdentityToken", "SAMLAssertion", "AuthenticationCode1", "SecretAccessKey", "Password", "X-Amz-Security-Token", "UserData", "Virtual.Seed", "AddPrivateKey"}
	for _, name := range secret {
		if _, err := s.Client().PostForm("https://sts.amazonaws.com/", url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, name: {"hidden-" + name}, "ExternalId": {public}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, unknown := range []struct{ host, target, contentType, body string }{ // none of these operations exists here
		{"iam", "", "application/x-www-form-urlencoded", "Action=UploadServerCertificate&Version=2010-05-08&PrivateKey=hidden"},
		{"cloudformation", "", "application/x-www-form-urlencoded", "Action=CreateStack&Version=2010-05-15&Parameters.member.1.ParameterKey=Pass&Parameters.member.1.ParameterValue=hidden"},
		{"ssm.eu-west-2", "AmazonSSM.PutParameter", "application/x-amz-json-1.1", `{"Name":"a","Type":"SecureString","Value":"hidden"}`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+unknown.host+".amazonaws.com/", strings.NewReader(unknown.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", unknown.contentType)
		r.Header.Set("X-Amz-Target", unknown.target)
		if _, err := s.Client().Do(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Client().Post("https://eks.eu-west-2.amazonaws.com/clusters", "application/json", strings.NewReader(`{"name":"c","deep":[{"password":"hidden-1","x":"`+public+`"}],"clientRequestToken":"hidden-2"}`)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s.Events())
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{key.Secret, s.Administrator().Secret, *assumed.Credentials.SecretAccessKey, *assumed.Credentials.SessionToken, "hidden", "Signature="} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("the trail contains %q", hidden)
		}
	}
	if got, want := strings.Count(string(text), public), len(secret)+1; got != want {
		t.Errorf("the public value occurs %d times, want %d", got, want)
	}
}

func TestLookupEvents(t *testing.T) {
	s := localawstest.Start(t, localaws.Config{AccountID: account, Region: "us-east-1"})
	ctx := t.Context()
	bob := s.NewUser(t, "bob", "")
	_, _ = sts.NewFromConfig(s.SDKAs(bob, "")).GetCallerIdentity(ctx, nil)
	_, _ = iam.NewFromConfig(s.SDKAs(bob, "")).DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("administrator")})
	denied := last(t, s)
	now := time.Now()
	client := cloudtrail.NewFromConfig(s.SDK())
	by := func(key types.LookupAttributeKey, value string) []types.LookupAttribute {
		return []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
	}
	for name, test := range map[string]struct {
		input cloudtrail.LookupEventsInput
		want  string // the newest first
		code  string
	}{
		"by name":              {cloudtrail.LookupEventsInput{LookupAttributes: by("EventName", "CreateUser")}, "CreateUser", ""},
		"by user":              {cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "bob")}, "DeleteUser GetCallerIdentity", ""},
		"by key":               {cloudtrail.LookupEventsInput{LookupAttributes: by("AccessKeyId", bob.ID)}, "DeleteUser GetCallerIdentity", ""},
		"by source":            {cloudtrail.LookupEventsInput{LookupAttributes: by("EventSource", "iam.amazonaws.com")}, "DeleteUser CreateAccessKey CreateUser", ""},
		"by ID":                {cloudtrail.LookupEventsInput{LookupAttributes: by("EventId", denied.EventID)}, "DeleteUser", ""},
		"by resource":          {cloudtrail.LookupEventsInput{LookupAttributes: by("ResourceName", "bob")}, "CreateAccessKey CreateUser", ""},
		"by resource's ARN":    {cloudtrail.LookupEventsInput{LookupAttributes: by("ResourceName", "arn:aws:iam::"+account+":user/bob")}, "CreateAccessKey CreateUser", ""},
		"by type":              {cloudtrail.LookupEventsInput{LookupAttributes: by("ResourceType", "AWS::IAM::User")}, "DeleteUser CreateAccessKey CreateUser", ""},
		"what reads":           {cloudtrail.LookupEventsInput{LookupAttributes: by("ReadOnly", "true"), EndTime: aws.Time(now.Add(time.Hour))}, "GetCallerIdentity", ""},
		"what writes":          {cloudtrail.LookupEventsInput{LookupAttributes: by("ReadOnly", "false")}, "DeleteUser CreateAccessKey CreateUser", ""},
		"by nobody":            {cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "nobody")}, "", ""},
		"later":                {cloudtrail.LookupEventsInput{StartTime: aws.Time(now.Add(time.Hour))}, "", ""},
		"earlier":              {cloudtrail.LookupEventsInput{EndTime: aws.Time(now.Add(-time.Hour))}, "", ""},
		"in time":              {cloudtrail.LookupEventsInput{LookupAttributes: by("EventName", "CreateUser"), StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Hour))}, "CreateUser", ""},
		"the newest":           {cloudtrail.LookupEventsInput{LookupAttributes: by("EventSource", "iam.amazonaws.com"), MaxResults: aws.Int32(1)}, "DeleteUser", ""},
		"the end before start": {cloudtrail.LookupEventsInput{StartTime: aws.Time(now), EndTime: aws.Time(now.Add(-time.Hour))}, "", "InvalidTimeRangeException"},
		"too many":             {cloudtrail.LookupEventsInput{MaxResults: aws.Int32(51)}, "", "InvalidMaxResultsException"},
		"none":                 {cloudtrail.LookupEventsInput{MaxResults: aws.Int32(0)}, "", "InvalidMaxResultsException"},
		"by nonsense":          {cloudtrail.LookupEventsInput{LookupAttributes: by("Nonsense", "")}, "", "InvalidLookupAttributesException"},
		"by two":               {cloudtrail.LookupEventsInput{LookupAttributes: slices.Concat(by("ReadOnly", "true"), by("Username", "bob"))}, "", "InvalidLookupAttributesException"},
		"insights":             {cloudtrail.LookupEventsInput{EventCategory: types.EventCategoryInsight}, "", "InvalidEventCategoryException"},
		"from nowhere":         {cloudtrail.LookupEventsInput{NextToken: aws.String("5-0")}, "", "InvalidNextTokenException"},
	} {
		// The lookups themselves are events too: leave them out.
		answer, err := client.LookupEvents(ctx, &test.input)
		if code(err) != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
		if err != nil {
			continue
		}
		var names []string
		for _, event := range answer.Events {
			if *event.EventName != "LookupEvents" {
				names = append(names, *event.EventName)
			}
		}
		if strings.Join(names, " ") != test.want {
			t.Errorf("%s: %q, want %q", name, names, test.want)
		}
	}
	_, err := cloudtrail.NewFromConfig(s.SDKAs(bob, "")).LookupEvents(ctx, nil)
	if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "cloudtrail:LookupEvents on resource: *") {
		t.Errorf("without permission: %v", err)
	}
	if _, err := client.ListEventDataStores(ctx, nil); code(err) != "UnknownOperationException" {
		t.Errorf("an unknown operation: %v", err)
	}
}

// TestLookupIsPaged checks that pages contain every event once, although each page
// adds an event.
func TestLookupIsPaged(t *testing.T) {
	s := localawstest.Start(t, localaws.Config{AccountID: account, Region: "us-east-1"})
	for i := range 7 {
		_, _ = iam.NewFromConfig(s.SDK()).CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String(fmt.Sprintf("user%d", i))})
	}
	client := cloudtrail.NewFromConfig(s.SDK())
	input := &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(3), LookupAttributes: []types.LookupAttribute{{AttributeKey: "EventName", AttributeValue: aws.String("CreateUser")}}}
	var got []string
	pages := cloudtrail.NewLookupEventsPaginator(client, input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range page.Events {
			var record localaws.Event
			if err := json.Unmarshal([]byte(*event.CloudTrailEvent), &record); err != nil {
				t.Fatal(err)
			}
			if *event.EventId != record.EventID || *event.Username != "administrator" || *event.ReadOnly != "false" || *event.Resources[0].ResourceType != "AWS::IAM::User" {
				t.Errorf("%+v of %+v", event, record)
			}
			got = append(got, *event.Resources[0].ResourceName)
		}
	}
	if want := []string{"user6", "user5", "user4", "user3", "user2", "user1", "user0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	first, err := client.LookupEvents(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{NextToken: first.NextToken}); code(err) != "InvalidNextTokenException" {
		t.Errorf("the token of another query: %v", err)
	}
}

// FuzzTrail checks that any request is recorded as one event.
func FuzzTrail(f *testing.F) {
	f.Add("sts.amazonaws.com", "application/x-www-form-urlencoded", "Action=A&Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.1=c&A.1.2.3=d&.=e&a..b=f", "")
	f.Add("eks.eu-west-2.amazonaws.com", "application/json", `{"a":[{"b":1},null,true],"c":{"1":"x","2":"y"},"token":"z"}`, "")
	f.Add("cloudtrail.eu-west-2.amazonaws.com", "application/x-amz-json-1.1", `null`, "CloudTrail_20131101.LookupEvents")
	f.Fuzz(func(t *testing.T, host, contentType, body, target string) {
		s := start(t, localaws.Config{})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://localhost/clusters", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("X-Amz-Target", target)
		if _, err := s.Client().Do(request); err != nil {
			t.Skip(err)
		}
		if got := len(s.Events()); got != 1 {
			t.Errorf("%d events, want 1", got)
		}
	})
}
