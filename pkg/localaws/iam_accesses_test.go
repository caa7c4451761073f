package localaws_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// allow returns a policy that allows actions.
func allow(actions ...string) string {
	return strings.Replace(statement("Allow", "actions", "*"), `"actions"`, `["`+strings.Join(actions, `","`)+`"]`, 1)
}

// generate creates a report, and returns its ID.
func generate(t *testing.T, client *iam.Client, arn string, granularity iamtypes.AccessAdvisorUsageGranularityType) string {
	t.Helper()
	made, err := client.GenerateServiceLastAccessedDetails(t.Context(), &iam.GenerateServiceLastAccessedDetailsInput{Arn: &arn, Granularity: granularity})
	must(t, err)
	return *made.JobId
}

// accesses creates a report and formats it, one line for each service.
func accesses(t *testing.T, client *iam.Client, arn string, granularity iamtypes.AccessAdvisorUsageGranularityType) string {
	t.Helper()
	id := generate(t, client, arn, granularity)
	got, err := client.GetServiceLastAccessedDetails(t.Context(), &iam.GetServiceLastAccessedDetailsInput{JobId: &id})
	must(t, err)
	if got.JobStatus != "COMPLETED" || got.JobCreationDate == nil || got.JobCompletionDate == nil || granularity != "" && got.JobType != granularity {
		t.Errorf("%+v", got)
	}
	var all []string
	for _, s := range got.ServicesLastAccessed {
		line := fmt.Sprintf("%s (%s) by %d", *s.ServiceNamespace, *s.ServiceName, *s.TotalAuthenticatedEntities)
		if s.LastAuthenticated != nil {
			line += fmt.Sprintf(", last %s in %s at %s", *s.LastAuthenticatedEntity, *s.LastAuthenticatedRegion, s.LastAuthenticated.Format(time.TimeOnly))
		}
		for _, a := range s.TrackedActionsLastAccessed {
			line += fmt.Sprintf("; %s by %s in %s at %s", *a.ActionName, *a.LastAccessedEntity, *a.LastAccessedRegion, a.LastAccessedTime.Format(time.TimeOnly))
		}
		all = append(all, line)
	}
	return strings.Join(all, "\n")
}

// users formats who can access a service by a report, the last one first.
func users(t *testing.T, client *iam.Client, id, service string) string {
	t.Helper()
	pages := iam.GetServiceLastAccessedDetailsWithEntitiesInput{JobId: &id, ServiceNamespace: &service, MaxItems: aws.Int32(1)}
	var all []string
	for {
		got, err := client.GetServiceLastAccessedDetailsWithEntities(t.Context(), &pages)
		must(t, err)
		if got.JobStatus != "COMPLETED" || got.JobCreationDate == nil || got.JobCompletionDate == nil {
			t.Errorf("%+v", got)
		}
		for _, e := range got.EntityDetailsList {
			if *e.EntityInfo.Id == "" || !strings.HasSuffix(*e.EntityInfo.Arn, *e.EntityInfo.Path+*e.EntityInfo.Name) {
				t.Errorf("%+v", e.EntityInfo)
			}
			line := fmt.Sprintf("%s %s", e.EntityInfo.Type, *e.EntityInfo.Name)
			if e.LastAuthenticated != nil {
				line += " " + e.LastAuthenticated.Format(time.TimeOnly)
			}
			all = append(all, line)
		}
		if pages.Marker = got.Marker; !got.IsTruncated {
			return strings.Join(all, ", ")
		}
	}
}

func TestServiceLastAccessed(t *testing.T) {
	// Near the real time, with which clients sign: AWS's SDK corrects its clock for IAM,
	// but not for EC2.
	began := time.Now().UTC().Truncate(time.Second)
	now := began
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	bob := newUser(t, s, "bob", allow("sts:*", "s3:GetObject", "x-y:z"))
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: aws.String("bob"), GroupName: aws.String("devs")})))
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: aws.String("alice"), GroupName: aws.String("devs")})))
	own := arn("policy/team/ec2")
	must(t, errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: aws.String("devs"), PolicyArn: &own})))
	must(t, errorOf(client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("deployer"), PolicyArn: &own})))
	compare := func(got, want string) {
		t.Helper()
		for minute := range 5 {
			got = strings.ReplaceAll(got, began.Add(time.Duration(minute)*time.Minute).Format(time.TimeOnly), fmt.Sprintf("+%dm", minute))
		}
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	const unused = "ec2 (Amazon EC2) by 0\ns3 (Amazon S3) by 0\nsts (AWS Security Token Service) by 0\nx-y (x-y) by 0"
	compare(accesses(t, client, arn("user/bob"), ""), unused)

	// A user's own calls, allowed or not, those of its sessions, and none that it cannot
	// have made.
	must(t, errorOf(ec2.NewFromConfig(bob).DescribeVpcs(ctx, nil)))
	wantCode(t, "AccessDeniedException", errorOf(eks.NewFromConfig(bob).ListClusters(ctx, nil))) // no policy grants it
	now = now.Add(time.Minute)
	wantCode(t, "UnauthorizedOperation", errorOf(ec2.NewFromConfig(newUser(t, s, "eve", ""), func(o *ec2.Options) { o.Region = "eu-west-1" }).DescribeVpcs(ctx, nil)))
	session, err := sts.NewFromConfig(bob).GetSessionToken(ctx, nil)
	must(t, err)
	now = now.Add(time.Minute)
	as := s.SDKAs(localaws.AccessKey{ID: *session.Credentials.AccessKeyId, Secret: *session.Credentials.SecretAccessKey}, *session.Credentials.SessionToken)
	must(t, errorOf(ec2.NewFromConfig(as, func(o *ec2.Options) { o.Region = "eu-west-1" }).DescribeRegions(ctx, nil)))
	const bobs = "arn:aws:iam::" + account + ":user/bob"
	compare(accesses(t, client, bobs, "SERVICE_LEVEL"), "ec2 (Amazon EC2) by 1, last "+bobs+" in eu-west-1 at +2m\ns3 (Amazon S3) by 0\n"+
		"sts (AWS Security Token Service) by 1, last "+bobs+" in eu-west-2 at +1m\nx-y (x-y) by 0")
	compare(accesses(t, client, bobs, "ACTION_LEVEL"), "ec2 (Amazon EC2) by 1, last "+bobs+" in eu-west-1 at +2m"+
		"; DescribeRegions by "+bobs+" in eu-west-1 at +2m; DescribeVpcs by "+bobs+" in eu-west-2 at +0m\ns3 (Amazon S3) by 0\n"+
		"sts (AWS Security Token Service) by 1, last "+bobs+" in eu-west-2 at +1m; GetSessionToken by "+bobs+" in eu-west-2 at +1m\nx-y (x-y) by 0")
	compare(accesses(t, client, arn("user/eve"), ""), "")

	// Sessions of a role, and the policy of a role and a group.
	assumed, err := sts.NewFromConfig(s.SDK()).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/team/deployer")), RoleSessionName: aws.String("session")})
	must(t, err)
	now = now.Add(time.Minute)
	role := s.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken)
	must(t, errorOf(ec2.NewFromConfig(role).DescribeVpcs(ctx, nil)))
	roles := arn("role/team/deployer")
	compare(accesses(t, client, roles, ""), "ec2 (Amazon EC2) by 1, last "+roles+" in eu-west-2 at +3m")
	compare(accesses(t, client, arn("group/team/devs"), ""), "ec2 (Amazon EC2) by 1, last "+bobs+" in eu-west-1 at +2m")
	compare(accesses(t, client, own, "ACTION_LEVEL"), "ec2 (Amazon EC2) by 2, last "+roles+" in eu-west-2 at +3m"+
		"; DescribeRegions by "+bobs+" in eu-west-1 at +2m; DescribeVpcs by "+roles+" in eu-west-2 at +3m")
	ofPolicy, ofGroup, ofUser := generate(t, client, own, ""), generate(t, client, arn("group/team/devs"), ""), generate(t, client, bobs, "")
	compare(users(t, client, ofPolicy, "ec2"), "ROLE deployer +3m, USER bob +2m, USER alice")
	compare(users(t, client, ofGroup, "ec2"), "USER bob +2m, USER alice")
	compare(users(t, client, ofUser, "sts"), "USER bob +1m")
	compare(users(t, client, ofGroup, "s3"), "")

	// A report stays as it was, and only its creator reads it.
	now = now.Add(time.Minute)
	must(t, errorOf(ec2.NewFromConfig(bob).DescribeVpcs(ctx, nil)))
	compare(users(t, client, ofGroup, "ec2"), "USER bob +2m, USER alice")
	mallory := iam.NewFromConfig(newUser(t, s, "mallory", statement("Allow", "iam:*", "*")))
	wantCode(t, "NoSuchEntity", errorOf(mallory.GetServiceLastAccessedDetails(ctx, &iam.GetServiceLastAccessedDetailsInput{JobId: &ofGroup})))
	wantCode(t, "NoSuchEntity", errorOf(mallory.GetServiceLastAccessedDetailsWithEntities(ctx, &iam.GetServiceLastAccessedDetailsWithEntitiesInput{JobId: &ofGroup, ServiceNamespace: aws.String("ec2")})))

	// What is longer ago than the tracking period is forgotten.
	now = now.Add(400 * 24 * time.Hour)
	compare(accesses(t, client, arn("group/team/devs"), "ACTION_LEVEL"), "ec2 (Amazon EC2) by 1, last "+bobs+" in eu-west-2 at +4m; DescribeVpcs by "+bobs+" in eu-west-2 at +4m")
	now = now.Add(time.Second)
	compare(accesses(t, client, bobs, "ACTION_LEVEL"), unused)
	compare(users(t, client, generate(t, client, arn("group/team/devs"), ""), "ec2"), "USER alice, USER bob")
}

// TestAccessReportsOfWildcards checks which services policies with wildcards grant.
func TestAccessReportsOfWildcards(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	id := generate(t, client, "arn:aws:iam::aws:policy/AdministratorAccess", "")
	var all []string
	pages := iam.GetServiceLastAccessedDetailsInput{JobId: &id, MaxItems: aws.Int32(10)}
	for {
		got, err := client.GetServiceLastAccessedDetails(ctx, &pages)
		must(t, err)
		for _, service := range got.ServicesLastAccessed {
			all = append(all, *service.ServiceNamespace)
		}
		if len(got.ServicesLastAccessed) > 10 {
			t.Errorf("a page of %d", len(got.ServicesLastAccessed))
		}
		if pages.Marker = got.Marker; !got.IsTruncated {
			break
		}
	}
	if got := " " + strings.Join(all, " ") + " "; len(all) < 40 || !strings.HasPrefix(got, " account acm ") || !strings.Contains(got, " ec2 ec2messages ecr ") {
		t.Errorf("%s", got)
	}
	if services := accesses(t, client, "arn:aws:iam::aws:policy/PowerUserAccess", ""); !strings.Contains(services, "\neks ") || !strings.Contains(services, "\niam ") {
		t.Errorf("NotAction, and some actions of IAM: %s", services)
	}
	must(t, errorOf(client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("none"), AssumeRolePolicyDocument: aws.String(trustAccount)})))
	deny := statement("Deny", "ec2:*", "*")
	must(t, errorOf(client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("none"), PolicyName: aws.String("deny"), PolicyDocument: &deny})))
	if services := accesses(t, client, arn("role/none"), ""); services != "" {
		t.Errorf("a denial grants %s", services)
	}
}

// TestAccessesAreBounded checks that a new report replaces the oldest, that operations
// that do not exist are not recorded, and what a restart keeps.
func TestAccessesAreBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	s := start(t, localaws.Config{StateFile: file})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	administrator := arn("user/administrator")
	var ids []string
	for range 21 {
		ids = append(ids, generate(t, client, administrator, ""))
	}
	read := func(id string) error {
		return errorOf(client.GetServiceLastAccessedDetails(ctx, &iam.GetServiceLastAccessedDetailsInput{JobId: &id}))
	}
	wantCode(t, "NoSuchEntity", read(ids[0]))
	must(t, read(ids[1]))
	must(t, read(ids[20]))

	for _, action := range []string{"Sing", "Dance"} {
		if code, _ := askIAM(t, s, s.SDK(), action, ""); code != "InvalidAction" {
			t.Errorf("%s: %s", action, code)
		}
	}
	must(t, s.Close())
	text, err := os.ReadFile(file)
	must(t, err)
	if !strings.Contains(string(text), `"GenerateServiceLastAccessedDetails"`) || strings.Contains(string(text), "Sing") || strings.Contains(string(text), "Dance") {
		t.Errorf("the state: %s", text)
	}
	s = start(t, localaws.Config{StateFile: file})
	client = iam.NewFromConfig(s.SDK())
	wantCode(t, "NoSuchEntity", read(ids[20]))
	if got := accesses(t, client, administrator, "ACTION_LEVEL"); !strings.Contains(got, "; GetServiceLastAccessedDetails by "+administrator+" in us-east-1 at ") {
		t.Errorf("after a restart: %s", got)
	}
}

func TestPoliciesGrantingServiceAccess(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	alice, devs, own := aws.String("alice"), aws.String("devs"), aws.String(arn("policy/team/ec2"))
	document := allow("ec2:Describe*", "eks:ListClusters")
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: alice, GroupName: devs})))
	must(t, errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: alice, PolicyName: aws.String("mine"), PolicyDocument: &document})))
	must(t, errorOf(client.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: devs, PolicyName: aws.String("ours"), PolicyDocument: &document})))
	must(t, errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: devs, PolicyArn: own})))
	must(t, errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: alice, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})))
	list := func(of string) string {
		t.Helper()
		got, err := client.ListPoliciesGrantingServiceAccess(ctx, &iam.ListPoliciesGrantingServiceAccessInput{Arn: aws.String(arn(of)), ServiceNamespaces: []string{"s3", "eks", "ec2"}})
		must(t, err)
		var all []string
		for _, service := range got.PoliciesGrantingServiceAccess {
			line := *service.ServiceNamespace + ":"
			for _, p := range service.Policies {
				line += fmt.Sprintf(" %s %s %s%s%s,", p.PolicyType, *p.PolicyName, aws.ToString(p.PolicyArn), p.EntityType, aws.ToString(p.EntityName))
			}
			all = append(all, line)
		}
		return strings.Join(all, "\n")
	}
	managed := " MANAGED ec2 " + *own + ","
	for of, want := range map[string]string{
		"user/team/alice":    "s3:\neks: INLINE mine USERalice, INLINE ours GROUPdevs,\nec2: INLINE mine USERalice, INLINE ours GROUPdevs," + managed,
		"group/team/devs":    "s3:\neks: INLINE ours GROUPdevs,\nec2: INLINE ours GROUPdevs," + managed,
		"role/team/deployer": "s3:\neks:\nec2:",
	} {
		if got := list(of); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", of, got, want)
		}
	}
}

func TestAccessReportsAreChecked(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	const job, id = "JobId=", "8fb2a4d6-1c3e-4f5a-9b7c-0d1e2f3a4b5c"
	named := "Arn=" + arn("user/team/alice")
	list := named
	for i := range 201 {
		list += fmt.Sprintf("&ServiceNamespaces.member.%d=s3", i+1)
	}
	for _, test := range []struct{ action, form, code, part string }{
		{"GenerateServiceLastAccessedDetails", "", "ValidationError", "'arn' failed to satisfy constraint: Member must not be null"},
		{"GenerateServiceLastAccessedDetails", "Arn=arn", "ValidationError", "greater than or equal to 20"},
		{"GenerateServiceLastAccessedDetails", "Arn=" + strings.Repeat("a", 2049), "ValidationError", "less than or equal to 2048"},
		{"GenerateServiceLastAccessedDetails", named + "&Granularity=ALL", "ValidationError", "[SERVICE_LEVEL, ACTION_LEVEL]"},
		{"GenerateServiceLastAccessedDetails", "Arn=" + arn("user/nobody"), "NoSuchEntity", "The user with name nobody cannot be found."},
		{"GenerateServiceLastAccessedDetails", "Arn=" + arn("policy/none"), "NoSuchEntity", "was not found."},
		{"GenerateServiceLastAccessedDetails", "Arn=arn:aws:iam::aws:policy/AmazonSQSFullAccess", "NoSuchEntity", "localaws has the AWS-managed policies"},
		{"GenerateServiceLastAccessedDetails", "Arn=" + arn("instance-profile/x"), "InvalidInput", "does not name a user, group or role"},
		{"GetServiceLastAccessedDetails", "", "ValidationError", "'jobId'"},
		{"GetServiceLastAccessedDetails", job + id[1:], "ValidationError", "greater than or equal to 36"},
		{"GetServiceLastAccessedDetails", job + id + "1", "ValidationError", "less than or equal to 36"},
		{"GetServiceLastAccessedDetails", job + id, "NoSuchEntity", id},
		{"GetServiceLastAccessedDetailsWithEntities", job + id + "&ServiceNamespace=s3", "NoSuchEntity", id},
		{"ListPoliciesGrantingServiceAccess", named, "ValidationError", "'serviceNamespaces'"},
		{"ListPoliciesGrantingServiceAccess", list, "ValidationError", "less than or equal to 200"},
		{"ListPoliciesGrantingServiceAccess", "ServiceNamespaces.member.1=s3", "ValidationError", "'arn'"},
		{"ListPoliciesGrantingServiceAccess", named + "&ServiceNamespaces.member.1=a.b", "ValidationError", "regular expression pattern"},
		{"ListPoliciesGrantingServiceAccess", named + "&ServiceNamespaces.member.1=" + strings.Repeat("a", 65), "ValidationError", "less than or equal to 64"},
		{"ListPoliciesGrantingServiceAccess", "Arn=" + arn("policy/team/ec2") + "&ServiceNamespaces.member.1=s3", "InvalidInput", "does not name a user, group or role"},
	} {
		code, message := askIAM(t, s, s.SDK(), test.action, test.form)
		if code != test.code || !strings.Contains(message, test.part) {
			t.Errorf("%s %.80s: %s: %s; want %s: %s", test.action, test.form, code, message, test.code, test.part)
		}
	}
	ours := generate(t, iam.NewFromConfig(s.SDK()), arn("user/team/alice"), "")
	if code, message := askIAM(t, s, s.SDK(), "GetServiceLastAccessedDetailsWithEntities", job+ours); code != "ValidationError" || !strings.Contains(message, "'serviceNamespace'") {
		t.Errorf("%s: %s", code, message)
	}
}
