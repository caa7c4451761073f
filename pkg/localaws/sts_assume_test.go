package localaws_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// withTagsAndSource are all the actions that assuming a role may need.
const withTagsAndSource = `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`

// trusting returns a trust policy that allows the actions to the whole account.
func trusting(actions, condition string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":` + actions + `,"Condition":` + condition + `}]}`)
}

// assume assumes a role; the input may set more parameters.
func assume(t testing.TB, config aws.Config, role string, with sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	t.Helper()
	with.RoleArn = aws.String(arn("role/" + role))
	if with.RoleSessionName == nil {
		with.RoleSessionName = aws.String("session")
	}
	return sts.NewFromConfig(config).AssumeRole(t.Context(), &with)
}

// assumed returns a session of a role, and fails the test if it cannot.
func assumed(t testing.TB, s *localawstest.Server, config aws.Config, role string, with sts.AssumeRoleInput) aws.Config {
	t.Helper()
	got, err := assume(t, config, role, with)
	if err != nil {
		t.Fatal(err)
	}
	return as(s, got.Credentials)
}

// passing returns session tags from pairs of key and value.
func passing(pairs ...string) (list []ststypes.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, ststypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return list
}

// allowAll gives a role every permission.
func allowAll(t testing.TB, s *localawstest.Server, role string) {
	t.Helper()
	if _, err := iam.NewFromConfig(s.SDK()).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("p"), PolicyDocument: aws.String(anything)}); err != nil {
		t.Fatal(err)
	}
}

func listClusters(t testing.TB, config aws.Config) error {
	t.Helper()
	return errorOf(eks.NewFromConfig(config).ListClusters(t.Context(), &eks.ListClustersInput{}))
}

// TestTrustConditions assumes roles with one condition each.
func TestTrustConditions(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	bob := newUser(t, s, "bob", anything)
	serial, shown := newDevice(t, s, "bob", now)
	const bare, tagging, sourcing = `"sts:AssumeRole"`, `["sts:AssumeRole","sts:TagSession"]`, `["sts:AssumeRole","sts:SetSourceIdentity"]`
	none := sts.AssumeRoleInput{}
	externalID := func(id string) sts.AssumeRoleInput { return sts.AssumeRoleInput{ExternalId: &id} }
	named := func(name string) sts.AssumeRoleInput { return sts.AssumeRoleInput{RoleSessionName: &name} }
	source := func(id string) sts.AssumeRoleInput { return sts.AssumeRoleInput{SourceIdentity: &id} }
	tagged := func(pairs ...string) sts.AssumeRoleInput { return sts.AssumeRoleInput{Tags: passing(pairs...)} }
	transitive := sts.AssumeRoleInput{Tags: passing("team", "red", "cost", "1"), TransitiveTagKeys: []string{"team"}}
	for name, test := range map[string]struct {
		actions, condition string
		input              sts.AssumeRoleInput
		mfa, want          bool
	}{
		"the external ID":              {bare, `{"StringEquals":{"sts:ExternalId":"42:a/b"}}`, externalID("42:a/b"), false, true},
		"another external ID":          {bare, `{"StringEquals":{"sts:ExternalId":"42:a/b"}}`, externalID("43"), false, false},
		"no external ID":               {bare, `{"StringEquals":{"sts:ExternalId":"42:a/b"}}`, none, false, false},
		"an external ID not asked for": {bare, `{}`, externalID("42"), false, true},
		"the session's name":           {bare, `{"StringLike":{"sts:RoleSessionName":"${aws:username}"}}`, named("bob"), false, true},
		"another session's name":       {bare, `{"StringLike":{"sts:RoleSessionName":"${aws:username}"}}`, named("alice"), false, false},
		"the caller":                   {bare, `{"ArnEquals":{"aws:PrincipalArn":"` + arn("user/bob") + `"}}`, none, false, true},
		"another caller":               {bare, `{"ArnEquals":{"aws:PrincipalArn":"` + arn("user/alice") + `"}}`, none, false, false},
		"MFA":                          {bare, `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, none, true, true},
		"no MFA":                       {bare, `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, none, false, false},
		"no MFA only if it is said":    {bare, `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`, none, false, true},
		"MFA just now":                 {bare, `{"NumericLessThan":{"aws:MultiFactorAuthAge":"10"}}`, none, true, true},
		"no MFA of any age":            {bare, `{"NumericLessThan":{"aws:MultiFactorAuthAge":"10"}}`, none, false, false},
		"the source identity":          {sourcing, `{"StringEquals":{"sts:SourceIdentity":"bob"}}`, source("bob"), false, true},
		"another source identity":      {sourcing, `{"StringEquals":{"sts:SourceIdentity":"bob"}}`, source("eve"), false, false},
		"a source that may not be set": {bare, `{}`, source("bob"), false, false},
		"the tag":                      {tagging, `{"StringEquals":{"aws:RequestTag/Team":"red"}}`, tagged("team", "red"), false, true},
		"another tag":                  {tagging, `{"StringEquals":{"aws:RequestTag/Team":"red"}}`, tagged("team", "blue"), false, false},
		"a tag that may not be passed": {bare, `{}`, tagged("team", "red"), false, false},
		"these keys":                   {tagging, `{"ForAllValues:StringEquals":{"aws:TagKeys":["team","cost"]}}`, tagged("team", "red", "cost", "1"), false, true},
		"more keys":                    {tagging, `{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`, tagged("team", "red", "cost", "1"), false, false},
		"the transitive key":           {tagging, `{"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"team"}}`, transitive, false, true},
		"another transitive key":       {tagging, `{"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"cost"}}`, transitive, false, false},
		"the role's tag":               {bare, `{"StringEquals":{"aws:ResourceTag/stage":"test","iam:ResourceTag/stage":"test"}}`, none, false, true},
		"the account":                  {bare, `{"StringEquals":{"aws:ResourceAccount":"` + account + `"}}`, none, false, true},
		"another account":              {bare, `{"StringEquals":{"aws:ResourceAccount":"111122223333"}}`, none, false, false},
		"another tag of the role":      {bare, `{"StringEquals":{"aws:ResourceTag/stage":"live"}}`, none, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			role := strings.NewReplacer(" ", "-", "'", "").Replace(name)
			if _, err := iam.NewFromConfig(s.SDK()).CreateRole(t.Context(), &iam.CreateRoleInput{
				RoleName: &role, AssumeRolePolicyDocument: trusting(test.actions, test.condition), Tags: []iamtypes.Tag{{Key: aws.String("stage"), Value: aws.String("test")}},
			}); err != nil {
				t.Fatal(err)
			}
			if test.mfa {
				now = now.Add(30 * time.Second) // each code is accepted once
				test.input.SerialNumber, test.input.TokenCode = serial, shown(now)
			}
			switch _, err := assume(t, bob, role, test.input); {
			case test.want && err != nil:
				t.Error(err)
			case !test.want && code(err) != "AccessDenied":
				t.Errorf("%v, want AccessDenied", err)
			}
		})
	}
}

func TestAssumeRoleIsChecked(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	bob := newUser(t, s, "bob", anything)
	serial, shown := newDevice(t, s, "bob", now)
	newRole(t, s, "r", trusting(withTagsAndSource, `{}`))
	if _, err := iam.NewFromConfig(s.SDK()).CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: aws.String("long"), AssumeRolePolicyDocument: trusting(withTagsAndSource, `{}`), MaxSessionDuration: aws.Int32(43200),
	}); err != nil {
		t.Fatal(err)
	}
	asked := func(role string, with sts.AssumeRoleInput) error { return errorOf(assume(t, bob, role, with)) }
	managed := func(n int) []ststypes.PolicyDescriptorType {
		list := make([]ststypes.PolicyDescriptorType, n)
		for i := range list {
			list[i].Arn = aws.String("arn:aws:iam::aws:policy/AdministratorAccess")
		}
		return list
	}
	const long = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::%s"}]}`
	policyOf := func(length int) *string {
		return aws.String(fmt.Sprintf(long, strings.Repeat("x", length-len(long)+len("%s"))))
	}
	var big []string
	for i := range 50 {
		big = append(big, fmt.Sprintf("key%02d", i), randomText(256))
	}
	expect(t,
		attempt{"nothing else", asked("r", sts.AssumeRoleInput{}), ""},
		attempt{"a name of 64", asked("r", sts.AssumeRoleInput{RoleSessionName: aws.String(strings.Repeat("x", 64))}), ""},
		attempt{"a name of 65", asked("r", sts.AssumeRoleInput{RoleSessionName: aws.String(strings.Repeat("x", 65))}), "ValidationError"},
		attempt{"no such role", asked("none", sts.AssumeRoleInput{}), "AccessDenied"},
		attempt{"an ARN that is too short", errorOf(sts.NewFromConfig(bob).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("role/r"), RoleSessionName: aws.String("session")})), "ValidationError"},
		attempt{"an external ID of one", asked("r", sts.AssumeRoleInput{ExternalId: aws.String("x")}), "ValidationError"},
		attempt{"an external ID with a space", asked("r", sts.AssumeRoleInput{ExternalId: aws.String("x y")}), "ValidationError"},
		attempt{"a source identity of 65", asked("r", sts.AssumeRoleInput{SourceIdentity: aws.String(strings.Repeat("x", 65))}), "ValidationError"},
		attempt{"an hour", asked("r", sts.AssumeRoleInput{DurationSeconds: aws.Int32(3600)}), ""},
		attempt{"more than the role's hour", asked("r", sts.AssumeRoleInput{DurationSeconds: aws.Int32(3601)}), "ValidationError"},
		attempt{"twelve hours", asked("long", sts.AssumeRoleInput{DurationSeconds: aws.Int32(43200)}), ""},
		attempt{"more", asked("long", sts.AssumeRoleInput{DurationSeconds: aws.Int32(43201)}), "ValidationError"},
		attempt{"less than a quarter", asked("long", sts.AssumeRoleInput{DurationSeconds: aws.Int32(899)}), "ValidationError"},
		attempt{"a policy of 2048", asked("r", sts.AssumeRoleInput{Policy: policyOf(2048)}), ""},
		attempt{"a policy of 2049", asked("r", sts.AssumeRoleInput{Policy: policyOf(2049)}), "ValidationError"},
		attempt{"a policy that is none", asked("r", sts.AssumeRoleInput{Policy: aws.String(`{"Version":"2012-10-17"}`)}), "MalformedPolicyDocument"},
		attempt{"ten managed policies", asked("r", sts.AssumeRoleInput{PolicyArns: managed(10)}), ""},
		attempt{"eleven", asked("r", sts.AssumeRoleInput{PolicyArns: managed(11)}), "ValidationError"},
		attempt{"a managed policy that is none", asked("r", sts.AssumeRoleInput{PolicyArns: []ststypes.PolicyDescriptorType{{Arn: aws.String(arn("policy/none"))}}}), "MalformedPolicyDocument"},
		attempt{"a tag twice", asked("r", sts.AssumeRoleInput{Tags: passing("a", "1", "A", "2")}), "InvalidParameterValue"},
		attempt{"fifty-one tags", asked("r", sts.AssumeRoleInput{Tags: passing(append(big, "one", "more")...)}), "ValidationError"},
		attempt{"tags that take too much room", asked("r", sts.AssumeRoleInput{Tags: passing(big...)}), "PackedPolicyTooLarge"},
		attempt{"the same and a policy", asked("r", sts.AssumeRoleInput{Tags: passing(big...), Policy: aws.String(anything)}), "PackedPolicyTooLarge"},
		attempt{"a transitive key that is not passed", asked("r", sts.AssumeRoleInput{Tags: passing("a", "1"), TransitiveTagKeys: []string{"b"}}), "InvalidParameterValue"},
		attempt{"a code without a device", asked("r", sts.AssumeRoleInput{TokenCode: shown(now)}), "AccessDenied"},
		attempt{"a device without a code", asked("r", sts.AssumeRoleInput{SerialNumber: serial}), "AccessDenied"},
		attempt{"a device and its code", asked("r", sts.AssumeRoleInput{SerialNumber: serial, TokenCode: shown(now)}), ""},
		attempt{"the same code again", asked("r", sts.AssumeRoleInput{SerialNumber: serial, TokenCode: shown(now)}), "AccessDenied"},
		attempt{"an unsupported parameter", asked("r", sts.AssumeRoleInput{ProvidedContexts: []ststypes.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/x")}}}), "ValidationError"},
	)
	packed := func(with sts.AssumeRoleInput) int32 {
		t.Helper()
		got, err := assume(t, bob, "r", with)
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToInt32(got.PackedPolicySize)
	}
	small, large := packed(sts.AssumeRoleInput{Policy: aws.String(anything)}), packed(sts.AssumeRoleInput{Policy: aws.String(anything), Tags: passing("a", randomText(256))})
	if nothing := packed(sts.AssumeRoleInput{}); nothing != 0 || small < 1 || large <= small || large > 100 {
		t.Errorf("packed size: nothing %d%%, a policy %d%%, with a tag %d%%", nothing, small, large)
	}
}

// randomText returns letters that compress badly.
func randomText(length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var b strings.Builder
	for range length {
		b.WriteByte(letters[rand.IntN(len(letters))])
	}
	return b.String()
}

func TestSessionPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx := t.Context()
	bob := newUser(t, s, "bob", anything)
	newRole(t, s, "r", trusting(withTagsAndSource, `{}`))
	allowAll(t, s, "r")
	newRole(t, s, "poor", trusting(withTagsAndSource, `{}`))
	admin := []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}}
	only := func(action string) *string { return aws.String(statement("Allow", action, "*")) }
	for name, test := range map[string]struct {
		role  string
		input sts.AssumeRoleInput
		want  string
	}{
		"none":                             {"r", sts.AssumeRoleInput{}, ""},
		"one that allows it":               {"r", sts.AssumeRoleInput{Policy: only("eks:ListClusters")}, ""},
		"one that allows something else":   {"r", sts.AssumeRoleInput{Policy: only("eks:DescribeCluster")}, "because no session policy allows the eks:ListClusters action"},
		"one that denies it":               {"r", sts.AssumeRoleInput{Policy: aws.String(statement("Deny", "eks:*", "*"))}, "with an explicit deny in a session policy"},
		"a managed one":                    {"r", sts.AssumeRoleInput{PolicyArns: admin}, ""},
		"a managed one or one's own":       {"r", sts.AssumeRoleInput{PolicyArns: admin, Policy: only("eks:DescribeCluster")}, ""},
		"one that allows what no role may": {"poor", sts.AssumeRoleInput{PolicyArns: admin}, "because no identity-based policy allows the eks:ListClusters action"},
	} {
		err := listClusters(t, assumed(t, s, bob, test.role, test.input))
		if test.want == "" && err != nil || test.want != "" && (code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	made, err := iam.NewFromConfig(s.SDK()).CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("describing"), PolicyDocument: only("eks:DescribeCluster")})
	if err != nil {
		t.Fatal(err)
	}
	describing := assumed(t, s, bob, "r", sts.AssumeRoleInput{PolicyArns: []ststypes.PolicyDescriptorType{{Arn: made.Policy.Arn}}})
	expect(t,
		attempt{"another managed one", listClusters(t, describing), "AccessDeniedException"},
		attempt{"delete it", errorOf(iam.NewFromConfig(s.SDK()).DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: made.Policy.Arn})), ""},
		attempt{"one that was deleted", listClusters(t, describing), "AccessDeniedException"},
	)
	// Session policies also limit a session when another role's trust policy names
	// its role, but not when it names the session itself.
	newRole(t, s, "byRole", trust(`{"AWS":"`+arn("role/r")+`"}`))
	newRole(t, s, "bySession", trust(`{"AWS":"arn:aws:sts::`+account+`:assumed-role/r/session"}`))
	free, bounded := assumed(t, s, bob, "r", sts.AssumeRoleInput{}), assumed(t, s, bob, "r", sts.AssumeRoleInput{Policy: only("eks:*")})
	if _, err := iam.NewFromConfig(s.SDK()).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p")}); err != nil {
		t.Fatal(err)
	}
	expect(t,
		attempt{"the role is named", errorOf(assume(t, free, "byRole", sts.AssumeRoleInput{})), ""},
		attempt{"the role is named, the session bounded", errorOf(assume(t, bounded, "byRole", sts.AssumeRoleInput{})), "AccessDenied"},
		attempt{"the session is named", errorOf(assume(t, bounded, "bySession", sts.AssumeRoleInput{})), ""},
		attempt{"the account is named", errorOf(assume(t, free, "poor", sts.AssumeRoleInput{})), "AccessDenied"},
	)
}

// TestChains assumes one role from another.
func TestChains(t *testing.T) {
	s := start(t, localaws.Config{})
	bob := newUser(t, s, "bob", anything)
	for _, role := range []string{"one", "two", "three", "untaggable"} {
		actions := withTagsAndSource
		if role == "untaggable" {
			actions = `"sts:AssumeRole"`
		}
		if _, err := iam.NewFromConfig(s.SDK()).CreateRole(t.Context(), &iam.CreateRoleInput{
			RoleName: &role, AssumeRolePolicyDocument: trusting(actions, `{}`), MaxSessionDuration: aws.Int32(43200),
			Tags: []iamtypes.Tag{{Key: aws.String("sun"), Value: aws.String(role)}, {Key: aws.String("star"), Value: aws.String("of " + role)}},
		}); err != nil {
			t.Fatal(err)
		}
		allowAll(t, s, role)
	}
	first := assumed(t, s, bob, "one", sts.AssumeRoleInput{Tags: passing("Star", "1", "heart", "1"), TransitiveTagKeys: []string{"star"}, SourceIdentity: aws.String("bob")})
	got, err := assume(t, first, "two", sts.AssumeRoleInput{Tags: passing("moon", "2"), TransitiveTagKeys: []string{"moon"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.AssumedRoleUser == nil || *got.AssumedRoleUser.Arn != "arn:aws:sts::"+account+":assumed-role/two/session" || aws.ToString(got.SourceIdentity) != "bob" {
		t.Errorf("%+v", got)
	}
	second := as(s, got.Credentials)
	third := assumed(t, s, second, "three", sts.AssumeRoleInput{})
	// Policies can test the keys of a session.
	for name, test := range map[string]struct {
		config    aws.Config
		condition string
	}{
		"first":  {first, `{"StringEquals":{"aws:PrincipalTag/star":"1","aws:PrincipalTag/heart":"1","aws:PrincipalTag/sun":"one","aws:SourceIdentity":"bob"}}`},
		"second": {second, `{"StringEquals":{"aws:PrincipalTag/star":"1","aws:PrincipalTag/moon":"2","aws:PrincipalTag/sun":"two","aws:SourceIdentity":"bob"},"Null":{"aws:PrincipalTag/heart":"true"}}`},
		"third":  {third, `{"StringEquals":{"aws:PrincipalTag/star":"1","aws:PrincipalTag/moon":"2","aws:PrincipalTag/sun":"three","aws:SourceIdentity":"bob","aws:PrincipalType":"AssumedRole"},"Bool":{"aws:MultiFactorAuthPresent":"false"}}`},
	} {
		for _, role := range []string{"one", "two", "three"} {
			if _, err := iam.NewFromConfig(s.SDK()).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("p"), PolicyDocument: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*","Condition":` + test.condition + `}]}`)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := listClusters(t, test.config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, role := range []string{"one", "two", "three"} {
		allowAll(t, s, role)
	}
	plain := assumed(t, s, bob, "one", sts.AssumeRoleInput{})
	session := as(s, sessionToken(t, bob, &sts.GetSessionTokenInput{}))
	client := sts.NewFromConfig(plain)
	expect(t,
		attempt{"a transitive tag again", errorOf(assume(t, second, "three", sts.AssumeRoleInput{Tags: passing("STAR", "3")})), "InvalidParameterValue"},
		attempt{"another tag again", errorOf(assume(t, first, "three", sts.AssumeRoleInput{Tags: passing("heart", "3")})), ""},
		attempt{"another source identity", errorOf(assume(t, first, "two", sts.AssumeRoleInput{SourceIdentity: aws.String("eve")})), "AccessDenied"},
		attempt{"the same", errorOf(assume(t, first, "two", sts.AssumeRoleInput{SourceIdentity: aws.String("bob")})), ""},
		attempt{"a role that takes neither tags nor source", errorOf(assume(t, first, "untaggable", sts.AssumeRoleInput{})), "AccessDenied"},
		attempt{"the same without them", errorOf(assume(t, plain, "untaggable", sts.AssumeRoleInput{})), ""},
		attempt{"an hour in a chain", errorOf(assume(t, plain, "two", sts.AssumeRoleInput{DurationSeconds: aws.Int32(3600)})), ""},
		attempt{"more than an hour in a chain", errorOf(assume(t, plain, "two", sts.AssumeRoleInput{DurationSeconds: aws.Int32(3601)})), "ValidationError"},
		attempt{"by a user's session, which is not a chain", errorOf(assume(t, session, "two", sts.AssumeRoleInput{DurationSeconds: aws.Int32(43200)})), ""},
		attempt{"GetSessionToken", errorOf(client.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})), "AccessDenied"},
		attempt{"GetFederationToken", errorOf(client.GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("fed")})), "AccessDenied"},
		attempt{"IAM", errorOf(iam.NewFromConfig(plain).ListUsers(t.Context(), &iam.ListUsersInput{})), ""},
	)
}

// TestDenialsOfTrust checks that errors name the policy that denied.
func TestDenialsOfTrust(t *testing.T) {
	s := start(t, localaws.Config{})
	bob := newUser(t, s, "bob", anything)
	poor := newUser(t, s, "poor", "")
	newRole(t, s, "open", trusting(`"sts:AssumeRole"`, `{}`))
	newRole(t, s, "service", byEC2())
	newRole(t, s, "denying", aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"},
		{"Effect":"Deny","Principal":{"AWS":"`+arn("user/bob")+`"},"Action":"sts:AssumeRole"}]}`))
	for name, test := range map[string]struct {
		config aws.Config
		role   string
		want   string
	}{
		"own policies":     {poor, "open", "because no identity-based policy allows the sts:AssumeRole action"},
		"the trust policy": {bob, "service", "because no role trust policy allows the sts:AssumeRole action"},
		"a deny in it":     {bob, "denying", "role trust policy"},
		"no role at all":   {bob, "none", "because no role trust policy allows the sts:AssumeRole action"},
	} {
		_, err := assume(t, test.config, test.role, sts.AssumeRoleInput{})
		if code(err) != "AccessDenied" || !strings.Contains(err.Error(), "is not authorized to perform: sts:AssumeRole on resource: "+arn("role/"+test.role)) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestAssumeRoleInJSON(t *testing.T) {
	s := start(t, localaws.Config{})
	newRole(t, s, "r", trusting(withTagsAndSource, `{}`))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://sts.eu-west-2.amazonaws.com/?Action=AssumeRole&Version=2011-06-15&RoleSessionName=session&RoleArn="+arn("role/r"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	_, text := send(t, s, s.SDK(), request, "", "sts", "eu-west-2")
	var got struct {
		AssumeRoleResponse struct {
			AssumeRoleResult struct {
				AssumedRoleUser struct{ Arn, AssumedRoleID string }
				Credentials     struct {
					AccessKeyID, SecretAccessKey, SessionToken string
					Expiration                                 float64
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	result := got.AssumeRoleResponse.AssumeRoleResult
	if lasts := time.Until(time.Unix(int64(result.Credentials.Expiration), 0)); lasts < 59*time.Minute || lasts > time.Hour {
		t.Errorf("the session lasts %s", lasts)
	}
	made := result.Credentials
	if arn, id := whoami(t, s.SDKAs(localaws.AccessKey{ID: made.AccessKeyID, Secret: made.SecretAccessKey}, made.SessionToken)); arn != result.AssumedRoleUser.Arn || id != result.AssumedRoleUser.AssumedRoleID {
		t.Errorf("the caller is %s %s, the response has %+v", arn, id, result.AssumedRoleUser)
	}
}

// TestMessagesOfSTS checks the words of validation errors, which people search for.
func TestMessagesOfSTS(t *testing.T) {
	s := start(t, localaws.Config{})
	const role = "RoleArn=arn:aws:iam::" + account + ":role/r&"
	for _, test := range []struct{ action, form, code, message string }{
		{"AssumeRole", role + "RoleSessionName=S1:2", "ValidationError", `1 validation error detected: Value 'S1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"AssumeRole", role, "ValidationError", "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null"},
		{"AssumeRole", "RoleArn=x&RoleSessionName=y", "ValidationError", "2 validation errors detected: Value 'x' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; " +
			"Value 'y' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2"},
		{"AssumeRole", "RoleArn=nothing-valid-in-here&RoleSessionName=yy", "ValidationError", "nothing-valid-in-here is invalid"},
		{"AssumeRole", role + "RoleSessionName=yy&DurationSeconds=1", "ValidationError", "1 validation error detected: Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		{"AssumeRole", role + "RoleSessionName=yy&Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.2.Key=A&Tags.member.2.Value=c", "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"GetSessionToken", "SerialNumber=arn:aws:iam::" + account + ":mfa/x&TokenCode=hushhh", "ValidationError", `1 validation error detected: Value '***' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: \d*`},
	} {
		form := "Action=" + test.action + "&Version=2011-06-15&" + test.form
		if code, message := failureOf(t, sendForm(t, s, s.SDK(), "sts.us-east-1.amazonaws.com", form, "sts", "us-east-1")); code != test.code || message != test.message {
			t.Errorf("%s %s: %s: %s\nwant %s: %s", test.action, test.form, code, message, test.code, test.message)
		}
	}
}
