package localaws_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// lines formats the results of a simulation, one line for each action on each
// resource.
func lines(results []iamtypes.EvaluationResult) string {
	var all []string
	for _, r := range results {
		line := fmt.Sprintf("%s %s %s", *r.EvalActionName, *r.EvalResourceName, r.EvalDecision)
		for _, s := range r.MatchedStatements {
			line += fmt.Sprintf(" by %s (%s) %d:%d-%d:%d", *s.SourcePolicyId, s.SourcePolicyType, s.StartPosition.Line, s.StartPosition.Column, s.EndPosition.Line, s.EndPosition.Column)
		}
		if len(r.MissingContextValues) > 0 {
			line += " without " + strings.Join(r.MissingContextValues, ", ")
		}
		if r.OrganizationsDecisionDetail != nil {
			line += fmt.Sprint(" organization ", r.OrganizationsDecisionDetail.AllowedByOrganizations)
		}
		if r.PermissionsBoundaryDecisionDetail != nil {
			line += fmt.Sprint(" boundary ", r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary)
		}
		all = append(all, line)
	}
	return strings.Join(all, "\n")
}

func entry(key string, kind iamtypes.ContextKeyTypeEnum, values ...string) iamtypes.ContextEntry {
	return iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: kind, ContextKeyValues: values}
}

func TestSimulateCustomPolicy(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	// The positions are those of real AWS responses for this formatting.
	pretty := `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "s3:*",
      "Resource": "*"
    },
    {
      "Effect": "Deny",
      "Action": "s3:Delete*",
      "Resource": "*"
    }
  ]
}`
	const first, second, boundary = "PolicyInputList.1", "PolicyInputList.2", "PermissionsBoundaryPolicyInputList.1"
	object, get, all := statement("Allow", "s3:GetObject", "*"), statement("Allow", "s3:Get*", "*"), statement("Allow", "s3:*", "*")
	denyGet, ec2 := statement("Deny", "s3:Get*", "*"), statement("Allow", "ec2:*", "*")
	levels := func(all ...[]string) (levels []iamtypes.OrderedOrganizationPolicyType) {
		for _, level := range all {
			levels = append(levels, iamtypes.OrderedOrganizationPolicyType{ServiceControlPolicyInputList: level})
		}
		return levels
	}
	oneLine := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::ü/${aws:username}"}]}`
	single := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}`
	for name, test := range map[string]struct {
		input iam.SimulateCustomPolicyInput
		want  string
	}{
		"allowed": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{pretty}, ActionNames: []string{"s3:PutObject"}},
			"s3:PutObject * allowed by PolicyInputList.1 (IAM Policy) 3:17-8:6",
		},
		"only a deny is reported": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{pretty}, ActionNames: []string{"s3:DeleteObject"}},
			"s3:DeleteObject * explicitDeny by PolicyInputList.1 (IAM Policy) 8:6-13:6",
		},
		"nothing": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{pretty}, ActionNames: []string{"ec2:RunInstances"}},
			"ec2:RunInstances * implicitDeny",
		},
		"two policies, two actions": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{object, get}, ActionNames: []string{"s3:GetObject", "s3:GetBucketAcl"}},
			"s3:GetObject * allowed " + by(first, object) + " " + by(second, get) + "\ns3:GetBucketAcl * allowed " + by(second, get),
		},
		"resources and a variable": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{oneLine}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{"arn:aws:s3:::ü/bob", "arn:aws:s3:::ü/eve"}, ContextEntries: []iamtypes.ContextEntry{entry("AWS:UserName", "string", "bob")}},
			"s3:GetObject arn:aws:s3:::ü/bob allowed " + by(first, oneLine) + "\ns3:GetObject arn:aws:s3:::ü/eve implicitDeny",
		},
		"a missing context key": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{single, oneLine}, ActionNames: []string{"ec2:RunInstances"}},
			"ec2:RunInstances * implicitDeny without aws:MultiFactorAuthPresent, aws:username",
		},
		"a condition": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{single}, ActionNames: []string{"ec2:RunInstances"}, ContextEntries: []iamtypes.ContextEntry{entry("aws:MultiFactorAuthPresent", "boolean", "true")}},
			"ec2:RunInstances * allowed by PolicyInputList.1 (IAM Policy) 1:38-1:" + strconv.Itoa(len(single)),
		},
		"a condition that does not hold": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{single}, ActionNames: []string{"ec2:RunInstances"}, ContextEntries: []iamtypes.ContextEntry{entry("aws:MultiFactorAuthPresent", "boolean", "false")}},
			"ec2:RunInstances * implicitDeny",
		},
		"a boundary that allows": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{all}, PermissionsBoundaryPolicyInputList: []string{get}, ActionNames: []string{"s3:GetObject", "s3:PutObject"}},
			"s3:GetObject * allowed " + by(first, all) + " " + by(boundary, get) + " boundary true\ns3:PutObject * implicitDeny boundary false",
		},
		"a boundary that denies": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{all}, PermissionsBoundaryPolicyInputList: []string{denyGet}, ActionNames: []string{"s3:GetObject"}},
			"s3:GetObject * explicitDeny " + by(boundary, denyGet) + " boundary false",
		},
		"an organization that allows": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{get}, ActionNames: []string{"s3:GetObject"}, OrderedOrganizationPolicyInputList: levels([]string{object}, []string{ec2, all})},
			"s3:GetObject * allowed " + by(first, get) + " organization true",
		},
		"an organization that denies": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{get}, ActionNames: []string{"s3:GetObject"}, OrderedOrganizationPolicyInputList: levels([]string{ec2}, []string{all, denyGet})},
			"s3:GetObject * explicitDeny organization false",
		},
		"a level that allows nothing, whatever a policy denies": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{denyGet}, ActionNames: []string{"s3:GetObject"}, OrderedOrganizationPolicyInputList: levels([]string{ec2}, []string{all}), PermissionsBoundaryPolicyInputList: []string{all}},
			"s3:GetObject * implicitDeny organization false",
		},
	} {
		answer, err := client.SimulateCustomPolicy(ctx, &test.input)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := lines(answer.EvaluationResults); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	user, group, role, own := aws.String("alice"), aws.String("devs"), aws.String("deployer"), aws.String(arn("policy/team/ec2"))
	self := statement("Allow", "iam:*", arn("user/team/${aws:username}"))
	s3, deny, eks := statement("Allow", "s3:*", "*"), statement("Deny", "s3:*", "*"), statement("Allow", "eks:*", "*")
	tagged := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a","aws:RequestedRegion":"eu-west-2"}}}]}`
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: group})))
	must(t, errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("self"), PolicyDocument: &self})))
	must(t, errorOf(client.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("s3"), PolicyDocument: &s3})))
	must(t, errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: own})))
	must(t, errorOf(client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("eks"), PolicyDocument: &tagged})))
	must(t, errorOf(client.TagRole(ctx, &iam.TagRoleInput{RoleName: role, Tags: tags("team", "a")})))
	simulate := func(source string, change func(*iam.SimulatePrincipalPolicyInput), actions ...string) string {
		t.Helper()
		input := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn(source)), ActionNames: actions}
		if change != nil {
			change(input)
		}
		answer, err := client.SimulatePrincipalPolicy(ctx, input)
		must(t, err)
		return lines(answer.EvaluationResults)
	}
	compare := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("\n%s\nwant\n%s", got, want)
		}
	}
	compare(simulate("user/team/alice", nil, "s3:GetObject", "ec2:RunInstances", "eks:ListClusters"),
		"s3:GetObject * allowed "+by("group_devs_s3", s3)+"\nec2:RunInstances * allowed "+by("ec2", document)+"\neks:ListClusters * implicitDeny")
	compare(simulate("user/team/alice", func(i *iam.SimulatePrincipalPolicyInput) {
		i.ResourceArns = []string{arn("user/team/alice"), arn("user/team/bob")}
	}, "iam:GetUser"),
		"iam:GetUser "+arn("user/team/alice")+" allowed "+by("user_alice_self", self)+"\niam:GetUser "+arn("user/team/bob")+" implicitDeny")
	compare(simulate("user/team/alice", func(i *iam.SimulatePrincipalPolicyInput) {
		i.PolicyInputList = []string{deny}
	}, "s3:GetObject"), "s3:GetObject * explicitDeny "+by("PolicyInputList.1", deny))
	compare(simulate("group/team/devs", nil, "ec2:RunInstances", "iam:GetUser"),
		"ec2:RunInstances * allowed "+by("ec2", document)+"\niam:GetUser * implicitDeny")
	compare(simulate("role/team/deployer", nil, "eks:ListClusters"), "eks:ListClusters * implicitDeny without aws:RequestedRegion")
	region := func(i *iam.SimulatePrincipalPolicyInput) {
		i.ContextEntries = []iamtypes.ContextEntry{entry("aws:RequestedRegion", "string", "eu-west-2")}
	}
	compare(simulate("role/team/deployer", region, "eks:ListClusters"), "eks:ListClusters * allowed "+by("role_deployer_eks", tagged))

	must(t, errorOf(client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: role, PermissionsBoundary: own})))
	compare(simulate("role/team/deployer", region, "eks:ListClusters"), "eks:ListClusters * implicitDeny boundary false")
	compare(simulate("role/team/deployer", func(i *iam.SimulatePrincipalPolicyInput) {
		region(i)
		i.PermissionsBoundaryPolicyInputList = []string{eks}
	}, "eks:ListClusters"), "eks:ListClusters * allowed "+by("role_deployer_eks", tagged)+" "+by("PermissionsBoundaryPolicyInputList.1", eks)+" boundary true")
}

// TestSimulationsInAnOrganization checks that the service control policies of the
// account decide, and for whom.
func TestSimulationsInAnOrganization(t *testing.T) {
	s, other := startTwo(t)
	ctx := t.Context()
	everything := statement("Allow", "*", "*")
	simulate := func(config aws.Config, source string, resources ...string) iamtypes.EvaluationResult {
		t.Helper()
		answer, err := iam.NewFromConfig(config).SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &source, ActionNames: []string{"eks:ListClusters"}, ResourceArns: resources, PolicyInputList: []string{everything},
		})
		must(t, err)
		return answer.EvaluationResults[0]
	}
	const member = "arn:aws:iam::" + otherAccount + ":"
	compare := func(config aws.Config, source, want string) {
		t.Helper()
		result := simulate(config, source)
		result.MatchedStatements = nil
		if got := lines([]iamtypes.EvaluationResult{result}); got != "eks:ListClusters * "+want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
	compare(other, member+"user/administrator", "allowed") // without an organization
	o := organizeAll(t, s, other)
	compare(other, member+"user/administrator", "allowed organization true")
	must(t, o.attach(o.policy("deny", statement("Deny", "eks:*", "*")), o.root))
	compare(other, member+"user/administrator", "explicitDeny organization false")
	compare(s.SDK(), arn("user/administrator"), "allowed organization true") // the account that manages the organization
	must(t, errorOf(iam.NewFromConfig(other).CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("devs")})))
	compare(other, member+"group/devs", "explicitDeny organization false")
	linked, err := iam.NewFromConfig(other).CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")})
	must(t, err)
	compare(other, *linked.Role.Arn, "allowed organization true")

	// No policy is evaluated after a denial.
	if denied := simulate(other, member+"user/administrator", "arn:aws:eks:eu-west-2:"+otherAccount+":cluster/c"); denied.EvalDecisionDetails != nil || len(denied.MatchedStatements) > 0 {
		t.Errorf("%+v", denied)
	}
	must(t, errorOf(o.manages.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &o.root, PolicyType: scp})))
	compare(other, member+"user/administrator", "allowed organization true")
}

// by formats the only statement of a one-line policy. Real AWS responses have column
// 38 for a policy with this beginning.
func by(source, document string) string {
	before, _, _ := strings.Cut(document, "]}")
	return fmt.Sprintf("by %s (IAM Policy) 1:38-1:%d", source, utf8.RuneCountInString(before)+1)
}

func TestContextKeys(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	own := statement("Allow", "s3:*", "arn:aws:s3:::${aws:username}")
	given := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"s3:prefix":"${AWS:UserName}/*","aws:SourceVpc":"*"}}}]}`
	must(t, errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("p"), PolicyDocument: &own})))
	custom, err := client.GetContextKeysForCustomPolicy(ctx, &iam.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{given}})
	if want := []string{"aws:SourceVpc", "AWS:UserName", "s3:prefix"}; err != nil || !slices.Equal(custom.ContextKeyNames, want) {
		t.Errorf("%+v, %v, want %q", custom, err, want)
	}
	alice := aws.String(arn("user/team/alice"))
	principal, err := client.GetContextKeysForPrincipalPolicy(ctx, &iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: alice})
	if want := []string{"aws:username"}; err != nil || !slices.Equal(principal.ContextKeyNames, want) {
		t.Errorf("%+v, %v, want %q", principal, err, want)
	}
	both, err := client.GetContextKeysForPrincipalPolicy(ctx, &iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: alice, PolicyInputList: []string{given}})
	if want := []string{"aws:SourceVpc", "aws:username", "s3:prefix"}; err != nil || !slices.Equal(both.ContextKeyNames, want) {
		t.Errorf("%+v, %v, want %q", both, err, want)
	}
	wantCode(t, "ValidationError", errorOf(client.GetContextKeysForCustomPolicy(ctx, &iam.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{}})))
	wantCode(t, "InvalidInput", errorOf(client.GetContextKeysForCustomPolicy(ctx, &iam.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{"{}"}})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetContextKeysForPrincipalPolicy(ctx, &iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: aws.String(arn("user/none"))})))
	wantCode(t, "InvalidInput", errorOf(client.GetContextKeysForPrincipalPolicy(ctx, &iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: alice, PolicyInputList: []string{"{}"}})))
}

func TestSimulationsAreChecked(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	custom := func(change func(*iam.SimulateCustomPolicyInput)) error {
		input := &iam.SimulateCustomPolicyInput{PolicyInputList: []string{statement("Allow", "*", "*")}, ActionNames: []string{"s3:GetObject"}}
		change(input)
		return errorOf(client.SimulateCustomPolicy(ctx, input))
	}
	context := func(entries ...iamtypes.ContextEntry) error {
		return custom(func(i *iam.SimulateCustomPolicyInput) { i.ContextEntries = entries })
	}
	action := func(names ...string) error {
		return custom(func(i *iam.SimulateCustomPolicyInput) { i.ActionNames = names })
	}
	resource := func(arns ...string) error {
		return custom(func(i *iam.SimulateCustomPolicyInput) { i.ResourceArns = arns })
	}
	principal := func(arn string, policies ...string) error {
		return errorOf(client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &arn, ActionNames: []string{"s3:GetObject"}, PolicyInputList: policies}))
	}
	key := "aws:username"
	expect(t,
		attempt{"all is well", custom(func(*iam.SimulateCustomPolicyInput) {}), ""},
		attempt{"no policy", custom(func(i *iam.SimulateCustomPolicyInput) { i.PolicyInputList = []string{} }), "ValidationError"},
		attempt{"a policy that is none", custom(func(i *iam.SimulateCustomPolicyInput) { i.PolicyInputList = []string{"{}"} }), "InvalidInput"},
		attempt{"a boundary that is none", custom(func(i *iam.SimulateCustomPolicyInput) { i.PermissionsBoundaryPolicyInputList = []string{"{}"} }), "InvalidInput"},
		attempt{"a service control policy that is none", custom(func(i *iam.SimulateCustomPolicyInput) {
			i.OrderedOrganizationPolicyInputList = []iamtypes.OrderedOrganizationPolicyType{{ServiceControlPolicyInputList: []string{"{}"}}}
		}), "InvalidInput"},
		attempt{"two boundaries", custom(func(i *iam.SimulateCustomPolicyInput) {
			i.PermissionsBoundaryPolicyInputList = []string{statement("Allow", "*", "*"), statement("Allow", "*", "*")}
		}), "InvalidInput"},
		attempt{"a resource policy, which is not simulated", custom(func(i *iam.SimulateCustomPolicyInput) { i.ResourcePolicy = aws.String("{}") }), "ValidationError"},
		attempt{"no action", action([]string{}...), "ValidationError"},
		attempt{"an action without a service", action("GetObject"), "InvalidInput"},
		attempt{"an action without a name", action("s3:"), "InvalidInput"},
		attempt{"an action with a wildcard", action("s3:Get*"), "InvalidInput"},
		attempt{"an action too long", action("s3:" + strings.Repeat("x", 126)), "InvalidInput"},
		attempt{"a resource that is not an ARN", resource("bucket"), "InvalidInput"},
		attempt{"a resource that is half an ARN", resource("arn:aws:s3"), "InvalidInput"},
		attempt{"everything as a resource", resource("*"), ""},
		attempt{"10 000 pairs", custom(func(i *iam.SimulateCustomPolicyInput) {
			i.ActionNames, i.ResourceArns = slices.Repeat([]string{"s3:GetObject"}, 100), slices.Repeat([]string{"*"}, 100)
		}), ""},
		attempt{"more of them", custom(func(i *iam.SimulateCustomPolicyInput) {
			i.ActionNames, i.ResourceArns = slices.Repeat([]string{"s3:GetObject"}, 100), slices.Repeat([]string{"*"}, 101)
		}), "InvalidInput"},
		attempt{"a context entry with a type that is none", context(entry(key, "text", "x")), "ValidationError"},
		attempt{"a context entry without a type", context(iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyValues: []string{"x"}}), "InvalidInput"},
		attempt{"a context entry of values alone", context(iamtypes.ContextEntry{ContextKeyValues: []string{"x"}}), "InvalidInput"},
		attempt{"two values of one", context(entry(key, "string", "x", "y")), "InvalidInput"},
		attempt{"two values of a list", context(entry(key, "stringList", "x", "y")), ""},
		attempt{"a user", principal(arn("user/administrator")), ""},
		attempt{"no user", principal(arn("user/nobody")), "NoSuchEntity"},
		attempt{"no group", principal(arn("group/x/nobody")), "NoSuchEntity"},
		attempt{"no role", principal(arn("role/nobody")), "NoSuchEntity"},
		attempt{"a session", principal("arn:aws:sts::" + account + ":assumed-role/r/s"), "InvalidInput"},
		attempt{"another account's user", principal("arn:aws:iam::111122223333:user/bob"), "AccessDenied"},
		attempt{"a user, with a policy that is none", principal(arn("user/administrator"), "{}"), "InvalidInput"},
	)

	one := statement("Allow", "s3:A1", "*")
	pages := iam.NewSimulateCustomPolicyPaginator(client, &iam.SimulateCustomPolicyInput{
		PolicyInputList: []string{one}, ActionNames: []string{"s3:A0", "s3:A1", "s3:A2"}, MaxItems: aws.Int32(2),
	})
	var all []iamtypes.EvaluationResult
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		all = append(all, page.EvaluationResults...)
	}
	if got, want := lines(all), "s3:A0 * implicitDeny\ns3:A1 * allowed "+by("PolicyInputList.1", one)+"\ns3:A2 * implicitDeny"; got != want {
		t.Errorf("in pages:\n%s\nwant\n%s", got, want)
	}
}

// TestLargeSimulationsComeInPages checks that a page is shorter than the call wants if
// every result could name many statements and missing keys.
func TestLargeSimulationsComeInPages(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	statements := strings.Repeat(`{"Effect":"Allow","Action":"*","Resource":"*"},`, 999) +
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}`
	input := iam.SimulateCustomPolicyInput{
		PolicyInputList: []string{`{"Version":"2012-10-17","Statement":[` + statements + `]}`}, MaxItems: aws.Int32(1000),
	}
	for i := range 50 {
		input.ActionNames = append(input.ActionNames, "s3:A"+strconv.Itoa(i))
	}
	var pages []int
	for {
		answer, err := client.SimulateCustomPolicy(ctx, &input)
		must(t, err)
		pages = append(pages, len(answer.EvaluationResults))
		if input.Marker = answer.Marker; !answer.IsTruncated {
			break
		}
	}
	if want := []int{19, 19, 12}; !slices.Equal(pages, want) { // 20000 / (1000 statements + 1 key)
		t.Errorf("pages of %d results, want %d", pages, want)
	}
}

// TestSimulationIsBounded checks that a simulation that would hold the state for long is
// refused in localaws's name.
func TestSimulationIsBounded(t *testing.T) {
	s := start(t, localaws.Config{})
	input := iam.SimulateCustomPolicyInput{PolicyInputList: []string{statement("Allow", "s3:*", "*")}}
	for n := range 101 {
		input.ActionNames = append(input.ActionNames, fmt.Sprintf("s3:Get%d", n))
		input.ResourceArns = append(input.ResourceArns, fmt.Sprintf("arn:aws:s3:::%d", n))
	}
	_, err := iam.NewFromConfig(s.SDK()).SimulateCustomPolicy(t.Context(), &input)
	wantMessage(t, "InvalidInput", "localaws simulates at most 10000 pairs", err)
}
