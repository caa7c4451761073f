package localaws_test

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// otherAccount is the second of two accounts.
const otherAccount = "111122223333"

func startTwo(t testing.TB) (s *localawstest.Server, other aws.Config) {
	t.Helper()
	s = start(t, localaws.Config{Accounts: []localaws.Account{{ID: otherAccount}}})
	return s, s.SDKAs(s.Accounts()[1].Administrator, "")
}

// userOf creates a user with a policy through an administrator.
func userOf(t testing.TB, s *localawstest.Server, admin aws.Config, name, policy string) aws.Config {
	t.Helper()
	client := iam.NewFromConfig(admin)
	wantCode(t, "", errorOf(client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name})))
	if policy != "" {
		wantCode(t, "", errorOf(client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy})))
	}
	made, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	must(t, err)
	return s.SDKAs(localaws.AccessKey{ID: *made.AccessKey.AccessKeyId, Secret: *made.AccessKey.SecretAccessKey}, "")
}

// trustOf returns a trust policy for a principal.
func trustOf(principal, condition string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole","Condition":` + condition + `}]}`)
}

func TestAccountsHaveTheirOwnResources(t *testing.T) {
	s, other := startTwo(t)
	ctx := t.Context()
	who, err := sts.NewFromConfig(other).GetCallerIdentity(ctx, nil)
	must(t, err)
	if *who.Account != otherAccount || *who.Arn != "arn:aws:iam::"+otherAccount+":user/administrator" {
		t.Errorf("%s, %s", *who.Account, *who.Arn)
	}
	for i, admin := range []aws.Config{s.SDK(), other} {
		id := []string{account, otherAccount}[i]
		userOf(t, s, admin, "bob", "")
		users, err := iam.NewFromConfig(admin).ListUsers(ctx, nil)
		must(t, err)
		if len(users.Users) != 2 || *users.Users[1].Arn != "arn:aws:iam::"+id+":user/bob" {
			t.Errorf("users of %s: %+v", id, users.Users)
		}
		clusters, err := eks.NewFromConfig(admin).ListClusters(ctx, nil)
		must(t, err)
		if len(clusters.Clusters) != 0 {
			t.Errorf("clusters of %s: %v", id, clusters.Clusters)
		}
		_, err = iam.NewFromConfig(admin).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("cluster"), AssumeRolePolicyDocument: trustOf(id, "{}")})
		must(t, err)
		key, err := admin.Credentials.Retrieve(ctx)
		must(t, err)
		info, err := sts.NewFromConfig(s.SDK()).GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: &key.AccessKeyID})
		must(t, err)
		if *info.Account != id {
			t.Errorf("the key of %s is of %s", id, *info.Account)
		}
	}
	wantMessage(t, "AccessDenied", "because no resource-based policy allows the iam:GetPolicy action",
		errorOf(iam.NewFromConfig(other).GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(arn("policy/p"))})))
	wantMessage(t, "AccessDeniedException", "because no resource-based policy allows the eks:ListTagsForResource action",
		errorOf(eks.NewFromConfig(other).ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:eks:eu-west-2:" + account + ":cluster/c")})))
}

// TestRolesAcrossAccounts checks that a role of another account takes both sides: its
// trust policy, and the caller's own policies.
func TestRolesAcrossAccounts(t *testing.T) {
	s, other := startTwo(t)
	ctx := t.Context()
	const root, eve = "arn:aws:iam::" + otherAccount + ":root", "arn:aws:iam::" + otherAccount + ":user/eve"
	allowed := userOf(t, s, other, "eve", statement("Allow", "sts:AssumeRole", "arn:aws:iam::*:role/*"))
	bare := userOf(t, s, other, "adam", "")
	const wantsID = `{"StringEquals":{"sts:ExternalId":"abc-123"}}`
	for i, test := range []struct {
		name       string
		caller     aws.Config
		trust      *string
		externalID string
		message    string // of AccessDenied; empty for none
	}{
		{"its root, and a user who may", allowed, trustOf(root, "{}"), "", ""},
		{"its ID, and a user who may", allowed, trustOf(otherAccount, "{}"), "", ""},
		{"the user by name", allowed, trustOf(eve, "{}"), "", ""},
		{"the external ID", allowed, trustOf(root, wantsID), "abc-123", ""},
		{"another external ID", allowed, trustOf(root, wantsID), "abc-124", "sts:AssumeRole on resource: arn:aws:iam::231144931069:role/r4"},
		{"no external ID", allowed, trustOf(root, wantsID), "", "not authorized"},
		{"another account", allowed, trustOf(account, "{}"), "", "not authorized"},
		{"its root, and a user who may not", bare, trustOf(root, "{}"), "", "because no identity-based policy allows the sts:AssumeRole action"},
		{"the user by name, who may not", bare, trustOf("arn:aws:iam::"+otherAccount+":user/adam", "{}"), "", "because no identity-based policy allows the sts:AssumeRole action"},
		{"anyone, and a user who may not", bare, trustOf("*", "{}"), "", "because no identity-based policy allows"},
	} {
		role := fmt.Sprintf("r%d", i)
		_, err := iam.NewFromConfig(s.SDK()).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role, AssumeRolePolicyDocument: test.trust})
		must(t, err)
		input := &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/" + role)), RoleSessionName: aws.String("session")}
		if test.externalID != "" {
			input.ExternalId = &test.externalID
		}
		opened, err := sts.NewFromConfig(test.caller).AssumeRole(ctx, input)
		if test.message != "" {
			if code(err) != "AccessDenied" || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%s: %v, want AccessDenied: %s", test.name, err, test.message)
			}
			if strings.HasPrefix(test.message, "not ") && strings.Contains(err.Error(), "because") {
				t.Errorf("%s: the reason is in another account: %v", test.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		who, err := sts.NewFromConfig(as(s, opened.Credentials)).GetCallerIdentity(ctx, nil)
		must(t, err)
		if *who.Account != account || *who.Arn != "arn:aws:sts::"+account+":assumed-role/"+role+"/session" {
			t.Errorf("%s: %s", test.name, *who.Arn)
		}
	}
	missing := errorOf(sts.NewFromConfig(allowed).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/none")), RoleSessionName: aws.String("session")}))
	if code(missing) != "AccessDenied" || strings.Contains(missing.Error(), "because") {
		t.Errorf("a role that does not exist: %v", missing)
	}
	unserved := errorOf(sts.NewFromConfig(allowed).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::999999999999:role/r0"), RoleSessionName: aws.String("session")}))
	wantCode(t, "AccessDenied", unserved)
	// The other direction: within one account, the trust policy alone can allow.
	own := "own"
	_, err := iam.NewFromConfig(other).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &own, AssumeRolePolicyDocument: trustOf("arn:aws:iam::"+otherAccount+":user/adam", "{}")})
	must(t, err)
	wantCode(t, "", errorOf(sts.NewFromConfig(bare).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + otherAccount + ":role/own"), RoleSessionName: aws.String("session")})))
}

// TestTrustNamesOneUser checks that a trust policy means the user of the other account
// that existed when it was set.
func TestTrustNamesOneUser(t *testing.T) {
	s, other := startTwo(t)
	ctx := t.Context()
	client := iam.NewFromConfig(s.SDK())
	const eve = "arn:aws:iam::" + otherAccount + ":user/eve"
	create := func(principal string) error {
		return errorOf(client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trustOf(principal, "{}")}))
	}
	wantMessage(t, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+eve+`"`, create(eve))
	take := func(as aws.Config) error {
		return errorOf(sts.NewFromConfig(as).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/r")), RoleSessionName: aws.String("session")}))
	}
	may := statement("Allow", "sts:AssumeRole", "*")
	first := userOf(t, s, other, "eve", may)
	wantCode(t, "", create(eve))
	wantCode(t, "", take(first))
	admin := iam.NewFromConfig(other)
	key, err := first.Credentials.Retrieve(ctx)
	must(t, err)
	wantCode(t, "", errorOf(admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("eve"), AccessKeyId: &key.AccessKeyID})))
	wantCode(t, "", errorOf(admin.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: aws.String("eve"), PolicyName: aws.String("p")})))
	wantCode(t, "", errorOf(admin.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("eve")})))
	wantCode(t, "AccessDenied", take(userOf(t, s, other, "eve", may)))
}

// TestTrailsOfTwoAccounts checks which account's CloudTrail has which event.
func TestTrailsOfTwoAccounts(t *testing.T) {
	s, other := startTwo(t)
	ctx := t.Context()
	eve := userOf(t, s, other, "eve", statement("Allow", "sts:AssumeRole", "*"))
	_, err := iam.NewFromConfig(s.SDK()).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trustOf(otherAccount, "{}")})
	must(t, err)
	for _, role := range []string{"r", "none"} {
		_, _ = sts.NewFromConfig(eve).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/" + role)), RoleSessionName: aws.String("session")})
	}
	var taken []localaws.Event
	for _, event := range s.Events() {
		if event.EventName == "AssumeRole" {
			taken = append(taken, event)
		}
	}
	if len(taken) != 3 {
		t.Fatalf("%d events of AssumeRole, want that of the caller, that of the role, and the denied one", len(taken))
	}
	callers, roles, denied := taken[0], taken[1], taken[2]
	if callers.RecipientAccountID != otherAccount || callers.UserIdentity.UserName != "eve" || callers.UserIdentity.AccountID != otherAccount {
		t.Errorf("the caller's event: %+v", callers)
	}
	if who := (localaws.UserIdentity{Type: "AWSAccount", PrincipalID: callers.UserIdentity.PrincipalID, AccountID: otherAccount}); roles.RecipientAccountID != account || !reflect.DeepEqual(roles.UserIdentity, who) {
		t.Errorf("the role's event: %+v", roles)
	}
	if callers.SharedEventID == "" || callers.SharedEventID != roles.SharedEventID || callers.EventID == roles.EventID || callers.Resources[0].AccountID != account {
		t.Errorf("%+v and %+v", callers, roles)
	}
	if denied.RecipientAccountID != otherAccount || denied.SharedEventID != "" || denied.ErrorCode != "AccessDenied" {
		t.Errorf("the denied event: %+v", denied)
	}
	for id, admin := range map[string]aws.Config{account: s.SDK(), otherAccount: other} {
		found, err := cloudtrail.NewFromConfig(admin).LookupEvents(ctx, nil)
		must(t, err)
		taken := 0
		for _, event := range found.Events {
			if !strings.Contains(*event.CloudTrailEvent, `"recipientAccountId":"`+id+`"`) {
				t.Errorf("%s sees %s", id, *event.CloudTrailEvent)
			}
			if *event.EventName == "AssumeRole" {
				taken++
			}
		}
		if want := map[string]int{account: 1, otherAccount: 2}[id]; taken != want {
			t.Errorf("%s sees %d events of AssumeRole, want %d", id, taken, want)
		}
	}
}

// TestWebIdentitiesOfTwoAccounts checks that the account of a role decides which
// identity providers may assume it.
func TestWebIdentitiesOfTwoAccounts(t *testing.T) {
	s, other := startTwo(t)
	i := newIssuer(t, httptest.NewServer)
	ctx := t.Context()
	federated := func(id string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + id + `:oidc-provider/` + i.provider() + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`)
	}
	_, err := iam.NewFromConfig(other).CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String(i.name()), ClientIDList: []string{"sts.amazonaws.com"}})
	must(t, err)
	for id, admin := range map[string]aws.Config{account: s.SDK(), otherAccount: other} {
		_, err := iam.NewFromConfig(admin).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("web"), AssumeRolePolicyDocument: federated(id)})
		must(t, err)
	}
	token := i.token(t, "ES256", i.claims(s.Clock().Now(), nil))
	take := func(id string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
		return sts.NewFromConfig(s.SDK()).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String("arn:aws:iam::" + id + ":role/web"), RoleSessionName: aws.String("session"), WebIdentityToken: &token,
		})
	}
	wantMessage(t, "InvalidIdentityToken", "No OpenIDConnect provider found in your account", errorOf(take(account)))
	if event := last(t, s); event.RecipientAccountID != account {
		t.Errorf("the event is of account %s", event.RecipientAccountID)
	}
	opened, err := take(otherAccount)
	must(t, err)
	if event := last(t, s); event.RecipientAccountID != otherAccount {
		t.Errorf("the event is of account %s", event.RecipientAccountID)
	}
	who, err := sts.NewFromConfig(as(s, opened.Credentials)).GetCallerIdentity(ctx, nil)
	must(t, err)
	if *who.Account != otherAccount {
		t.Errorf("%s", *who.Arn)
	}
}

// TestInstancesOfTwoAccounts checks that instances are of one account, and so are the
// credentials in their metadata.
func TestInstancesOfTwoAccounts(t *testing.T) {
	const configured = "i-0123456789abcdef0"
	s := start(t, localaws.Config{Accounts: []localaws.Account{{ID: otherAccount}}, Instances: []localaws.Instance{{ID: configured, PrivateDNSName: "one"}}})
	other, ctx := s.SDKAs(s.Accounts()[1].Administrator, ""), t.Context()
	client := iam.NewFromConfig(other)
	trusted := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	must(t, errorOf(client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("node"), AssumeRolePolicyDocument: trusted})))
	must(t, errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("node")})))
	must(t, errorOf(client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("node"), RoleName: aws.String("node")})))
	started, err := ec2.NewFromConfig(other).RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: aws.String(image), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), IamInstanceProfile: &ec2types.IamInstanceProfileSpecification{Name: aws.String("node")},
	})
	must(t, err)
	id := *started.Instances[0].InstanceId
	for want, admin := range map[string]aws.Config{configured: s.SDK(), id: other} {
		found, err := ec2.NewFromConfig(admin).DescribeInstances(ctx, nil)
		must(t, err)
		if len(found.Reservations) != 1 || *found.Reservations[0].Instances[0].InstanceId != want {
			t.Errorf("%+v, want %s alone", found.Reservations, want)
		}
	}
	provider := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = imds.New(imds.Options{Endpoint: metadata(t, s, id)}) })
	node := other.Copy()
	node.Credentials = provider
	who, err := sts.NewFromConfig(node).GetCallerIdentity(ctx, nil)
	must(t, err)
	if want := "arn:aws:sts::" + otherAccount + ":assumed-role/node/" + id; *who.Arn != want {
		t.Errorf("%s, want %s", *who.Arn, want)
	}
}

// TestTwoAccountsAreKept checks that one file keeps both accounts.
func TestTwoAccountsAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	config := localaws.Config{AccountID: account, Accounts: []localaws.Account{{ID: otherAccount}}, StateFile: file}
	a, err := localaws.New(config)
	must(t, err)
	before := a.Accounts()
	must(t, a.Close())
	for _, ids := range [][]string{{account, otherAccount}, {otherAccount, account}} {
		a, err := localaws.New(localaws.Config{AccountID: ids[0], Accounts: []localaws.Account{{ID: ids[1]}}, StateFile: file})
		must(t, err)
		for _, one := range a.Accounts() {
			if one != before[0] && one != before[1] {
				t.Errorf("the administrator of %s has another key", one.ID)
			}
		}
		must(t, a.Close())
	}
	_, err = localaws.New(localaws.Config{AccountID: otherAccount, StateFile: file})
	if err == nil || !strings.Contains(err.Error(), `it belongs to account "`+account+`", not `+otherAccount+`: serve it too with --account`) {
		t.Errorf("%v", err)
	}
}

func TestAccountsThatAreRefused(t *testing.T) {
	key := localaws.AccessKey{ID: "AKIA0", Secret: "x"}
	for want, config := range map[string]localaws.Config{
		"account " + account + " is listed twice":                                               {AccountID: account, Accounts: []localaws.Account{{ID: account}}},
		`account ID "1": expected 12 digits`:                                                    {Accounts: []localaws.Account{{ID: "1"}}},
		"expected 1 to 32 accounts, not 33":                                                     {Accounts: make([]localaws.Account, 32)},
		"access key AKIA0 is the administrator's of account " + account:                         {AccountID: account, Administrator: key, Accounts: []localaws.Account{{otherAccount, key}}},
		`unknown partition "aws-mars" (supported: aws, aws-cn`:                                  {Partition: "aws-mars"},
		"region eu-west-2 is in partition aws, not in aws-cn (expected one such as cn-north-1)": {Region: "eu-west-2", Partition: "aws-cn"},
	} {
		if _, err := localaws.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestGlobalEndpoints checks that a signature for a global endpoint names the region of
// its partition.
func TestGlobalEndpoints(t *testing.T) {
	for partition, test := range map[string]struct{ host, region, other string }{
		"aws":        {"iam.amazonaws.com", "us-east-1", "eu-west-2"},
		"aws-cn":     {"iam.amazonaws.com.cn", "cn-north-1", "cn-northwest-1"},
		"aws-us-gov": {"iam.us-gov.amazonaws.com", "us-gov-west-1", "us-gov-east-1"},
	} {
		s := localawstest.Start(t, localaws.Config{Partition: partition})
		for region, want := range map[string]string{test.region: "", test.other: "SignatureDoesNotMatch"} {
			text := sendForm(t, s, s.SDK(), test.host, "Action=ListUsers&Version=2010-05-08", "iam", region)
			got := ""
			if !strings.Contains(text, "ListUsersResult") {
				got, _ = failureOf(t, text)
			}
			if got != want {
				t.Errorf("%s, signed for %s: %q, want %q: %s", test.host, region, got, want, text)
			}
		}
	}
}

// TestPartitions checks that a local AWS serves one partition.
func TestPartitions(t *testing.T) {
	s := localawstest.Start(t, localaws.Config{Partition: "aws-cn"})
	if s.Region() != "cn-north-1" {
		t.Errorf("region %s", s.Region())
	}
	who, err := sts.NewFromConfig(s.SDK()).GetCallerIdentity(t.Context(), nil)
	must(t, err)
	if *who.Arn != "arn:aws-cn:iam::000000000000:user/administrator" {
		t.Error(*who.Arn)
	}
	for _, region := range []string{"eu-west-2", "us-gov-west-1"} {
		config := s.SDK()
		config.Region = region
		_, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		wantMessage(t, "InvalidClientTokenId", "localaws serves partition aws-cn, and region "+region+" is in partition", err)
		_, err = eks.NewFromConfig(config).ListClusters(t.Context(), nil)
		wantMessage(t, "UnrecognizedClientException", "start localaws with --partition aws", err)
		if marked := last(t, s).AdditionalEventData["localaws"]; marked != "refused" {
			t.Errorf("marked %q", marked)
		}
	}
}
