package localaws_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// cloudTrailIn returns CloudTrail's client for a region.
func cloudTrailIn(s *localawstest.Server, region string) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(s.SDK(), func(o *cloudtrail.Options) { o.Region = region })
}

// TestLookupIsOfOneRegion checks that each region has the events of its calls, and the
// first region of the partition those of global services.
func TestLookupIsOfOneRegion(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, config := t.Context(), s.SDK()
	_, _ = eks.NewFromConfig(config).ListClusters(ctx, nil)
	_, _ = sts.NewFromConfig(config).GetCallerIdentity(ctx, nil)
	_, _ = iam.NewFromConfig(config, func(o *iam.Options) { o.BaseEndpoint = aws.String("https://localhost") }).ListUsers(ctx, nil)
	config.Region = "us-east-1"
	_, _ = eks.NewFromConfig(config).ListAccessPolicies(ctx, nil)
	if _, err := s.Client().Get("https://sts.amazonaws.com/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15"); err != nil {
		t.Fatal(err)
	}
	for region, want := range map[string]string{
		"eu-west-2": "GetCallerIdentity ListClusters", "us-east-1": "AssumeRoleWithWebIdentity ListAccessPolicies ListUsers", "eu-north-1": "",
	} {
		answer, err := cloudTrailIn(s, region).LookupEvents(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, event := range answer.Events {
			names = append(names, *event.EventName)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s: %q, want %q", region, names, want)
		}
	}
}

func TestTrails(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, client := t.Context(), cloudTrailIn(s, "eu-west-2")
	s.Clock().Freeze()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s.Clock().Set(at)
	name, arn := aws.String("audit"), "arn:aws:cloudtrail:eu-west-2:"+account+":trail/audit"
	made, err := client.CreateTrail(ctx, &cloudtrail.CreateTrailInput{
		Name: name, S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("a"), SnsTopicName: aws.String("topic"), EnableLogFileValidation: aws.Bool(true),
		TagsList: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *made.TrailARN != arn || *made.SnsTopicARN != "arn:aws:sns:eu-west-2:"+account+":topic" || !*made.LogFileValidationEnabled || !*made.IncludeGlobalServiceEvents || *made.IsMultiRegionTrail {
		t.Errorf("%+v", made)
	}
	if got, err := client.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: name}); err != nil || *got.IsLogging || got.StartLoggingTime != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := client.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: &arn}); err != nil {
		t.Error(err)
	}
	s.Clock().Advance(time.Hour)
	if _, err := client.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: name}); err != nil {
		t.Error(err)
	}
	if got, err := client.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: name}); err != nil || *got.IsLogging || !got.StartLoggingTime.Equal(at) || *got.TimeLoggingStopped != "2026-11-23T09:00:00Z" {
		t.Errorf("%+v, %v", got, err)
	}

	// Another region sees the trail once it is for all regions, and cannot change it.
	elsewhere := cloudTrailIn(s, "us-east-1")
	if _, err := elsewhere.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: name}); code(err) != "TrailNotFoundException" {
		t.Errorf("in another region: %v", err)
	}
	if _, err := client.UpdateTrail(ctx, &cloudtrail.UpdateTrailInput{Name: name, IsMultiRegionTrail: aws.Bool(true), S3BucketName: aws.String("other")}); err != nil {
		t.Error(err)
	}
	got, err := elsewhere.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: name})
	if err != nil || *got.Trail.HomeRegion != "eu-west-2" || *got.Trail.S3BucketName != "other" || *got.Trail.S3KeyPrefix != "a" || *got.Trail.HasCustomEventSelectors {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := elsewhere.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: &arn}); code(err) != "InvalidHomeRegionException" {
		t.Errorf("deleted in another region: %v", err)
	}
	for want, input := range map[string]cloudtrail.DescribeTrailsInput{
		"all":         {},
		"shadows":     {IncludeShadowTrails: aws.Bool(true)},
		"its own":     {IncludeShadowTrails: aws.Bool(false)},
		"by name":     {TrailNameList: []string{"audit"}},
		"another one": {TrailNameList: []string{"other"}},
	} {
		described, err := elsewhere.DescribeTrails(ctx, &input)
		if err != nil || (len(described.TrailList) == 1) == (want == "its own" || want == "another one") {
			t.Errorf("%s: %+v, %v", want, described, err)
		}
	}
	if listed, err := elsewhere.ListTrails(ctx, nil); err != nil || len(listed.Trails) != 1 || *listed.Trails[0].TrailARN != arn || *listed.Trails[0].HomeRegion != "eu-west-2" {
		t.Errorf("%+v, %v", listed, err)
	}

	if _, err := client.AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: &arn, TagsList: []types.Tag{{Key: aws.String("b"), Value: aws.String("3")}, {Key: aws.String("c"), Value: aws.String("")}}}); err != nil {
		t.Error(err)
	}
	if _, err := client.RemoveTags(ctx, &cloudtrail.RemoveTagsInput{ResourceId: &arn, TagsList: []types.Tag{{Key: aws.String("a")}, {Key: aws.String("z")}}}); err != nil {
		t.Error(err)
	}
	tags, err := client.ListTags(ctx, &cloudtrail.ListTagsInput{ResourceIdList: []string{arn}})
	if err != nil || len(tags.ResourceTagList) != 1 || len(tags.ResourceTagList[0].TagsList) != 2 || *tags.ResourceTagList[0].TagsList[0].Value != "3" {
		t.Errorf("%+v, %v", tags, err)
	}

	if _, err := client.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: name}); err != nil {
		t.Error(err)
	}
	if _, err := client.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: name}); code(err) != "TrailNotFoundException" || !strings.Contains(err.Error(), "Unknown trail: audit for the user: "+account) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestEventSelectors(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, client, name := t.Context(), cloudTrailIn(s, "eu-west-2"), aws.String("audit")
	if _, err := client.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: name, S3BucketName: aws.String("logs")}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: name})
	if err != nil || len(got.EventSelectors) != 1 || got.EventSelectors[0].ReadWriteType != "All" || !*got.EventSelectors[0].IncludeManagementEvents {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := client.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: name, EventSelectors: []types.EventSelector{{ReadWriteType: "WriteOnly"}}}); err != nil {
		t.Error(err)
	}
	got, err = client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: name})
	if err != nil || len(got.EventSelectors) != 1 || got.EventSelectors[0].ReadWriteType != "WriteOnly" || !*got.EventSelectors[0].IncludeManagementEvents {
		t.Errorf("%+v, %v", got, err)
	}
	management := func(values int) []types.AdvancedEventSelector {
		return []types.AdvancedEventSelector{{FieldSelectors: []types.AdvancedFieldSelector{{Field: aws.String("eventCategory"), Equals: slices.Repeat([]string{"Management"}, values)}}}}
	}
	if _, err := client.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: name, AdvancedEventSelectors: management(500)}); err != nil {
		t.Error(err)
	}
	got, err = client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: name})
	if err != nil || len(got.AdvancedEventSelectors) != 1 || got.EventSelectors != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for reason, input := range map[string]cloudtrail.PutEventSelectorsInput{
		"none":                {},
		"both":                {EventSelectors: []types.EventSelector{{}}, AdvancedEventSelectors: management(1)},
		"six":                 {EventSelectors: make([]types.EventSelector, 6)},
		"an unknown type":     {EventSelectors: []types.EventSelector{{ReadWriteType: "Write"}}},
		"an unknown resource": {EventSelectors: []types.EventSelector{{DataResources: []types.DataResource{{Type: aws.String("AWS::X")}}}}},
		"251 resources":       {EventSelectors: []types.EventSelector{{DataResources: []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: make([]string, 251)}}}}},
		"501 values":          {AdvancedEventSelectors: management(501)},
		"no value":            {AdvancedEventSelectors: management(0)},
	} {
		input.TrailName = name
		if _, err := client.PutEventSelectors(ctx, &input); code(err) != "InvalidEventSelectorsException" {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func TestTrailsThatAreRefused(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, client := t.Context(), cloudTrailIn(s, "eu-west-2")
	for reason, test := range map[string]struct {
		change func(*cloudtrail.CreateTrailInput)
		code   string
	}{
		"a short name":         {func(i *cloudtrail.CreateTrailInput) { i.Name = aws.String("ab") }, "InvalidTrailNameException"},
		"a long name":          {func(i *cloudtrail.CreateTrailInput) { i.Name = aws.String(strings.Repeat("a", 129)) }, "InvalidTrailNameException"},
		"a name with a space":  {func(i *cloudtrail.CreateTrailInput) { i.Name = aws.String("a b") }, "InvalidTrailNameException"},
		"a name that ends in-": {func(i *cloudtrail.CreateTrailInput) { i.Name = aws.String("abc-") }, "InvalidTrailNameException"},
		"adjacent separators":  {func(i *cloudtrail.CreateTrailInput) { i.Name = aws.String("a._b") }, "InvalidTrailNameException"},
		"an address":           {func(i *cloudtrail.CreateTrailInput) { i.Name = aws.String("192.168.5.4") }, "InvalidTrailNameException"},
		"no bucket":            {func(i *cloudtrail.CreateTrailInput) { i.S3BucketName = aws.String("") }, "InvalidS3BucketNameException"},
		"not a bucket":         {func(i *cloudtrail.CreateTrailInput) { i.S3BucketName = aws.String("Logs") }, "InvalidS3BucketNameException"},
		"a long prefix":        {func(i *cloudtrail.CreateTrailInput) { i.S3KeyPrefix = aws.String(strings.Repeat("a", 201)) }, "InvalidS3PrefixException"},
		"a long topic":         {func(i *cloudtrail.CreateTrailInput) { i.SnsTopicName = aws.String(strings.Repeat("a", 2049)) }, "ValidationException"},
		"no global events": {func(i *cloudtrail.CreateTrailInput) {
			i.IsMultiRegionTrail, i.IncludeGlobalServiceEvents = aws.Bool(true), aws.Bool(false)
		}, "InvalidParameterCombinationException"},
		"a log group without a role": {func(i *cloudtrail.CreateTrailInput) { i.CloudWatchLogsLogGroupArn = aws.String("arn:aws:logs:a") }, "InvalidParameterCombinationException"},
		"a role that does not exist": {func(i *cloudtrail.CreateTrailInput) {
			i.CloudWatchLogsLogGroupArn, i.CloudWatchLogsRoleArn = aws.String("arn:aws:logs:a"), aws.String("arn:aws:iam::"+account+":role/nobody")
		}, "InvalidCloudWatchLogsRoleArnException"},
		"an organization": {func(i *cloudtrail.CreateTrailInput) { i.IsOrganizationTrail = aws.Bool(true) }, "UnsupportedOperationException"},
		"a tag of AWS":    {func(i *cloudtrail.CreateTrailInput) { i.TagsList = []types.Tag{{Key: aws.String("aws:a")}} }, "InvalidTagParameterException"},
		"51 tags": {func(i *cloudtrail.CreateTrailInput) {
			for n := range 51 {
				i.TagsList = append(i.TagsList, types.Tag{Key: aws.String(fmt.Sprint(n))})
			}
		}, "TagsLimitExceededException"},
	} {
		input := &cloudtrail.CreateTrailInput{Name: aws.String("audit"), S3BucketName: aws.String("logs")}
		test.change(input)
		if _, err := client.CreateTrail(ctx, input); code(err) != test.code {
			t.Errorf("%s: %v, want %s", reason, err, test.code)
		}
	}
	for n := range 6 {
		want := ""
		if n == 5 {
			want = "MaximumNumberOfTrailsExceededException"
		}
		if _, err := client.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: aws.String(fmt.Sprintf("trail-%d", n)), S3BucketName: aws.String("logs")}); code(err) != want {
			t.Errorf("trail %d: %v, want %q", n, err, want)
		}
	}
	if _, err := client.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: aws.String("trail-0"), S3BucketName: aws.String("logs")}); code(err) != "TrailAlreadyExistsException" {
		t.Errorf("the same name: %v", err)
	}
	for arn, want := range map[string]string{
		"trail-0": "CloudTrailARNInvalidException", "arn:aws:cloudtrail:eu-west-2:" + account + ":trail/nothing": "ResourceNotFoundException",
	} {
		if _, err := client.ListTags(ctx, &cloudtrail.ListTagsInput{ResourceIdList: []string{arn}}); code(err) != want {
			t.Errorf("tags of %s: %v, want %s", arn, err, want)
		}
	}
	bob := cloudtrail.NewFromConfig(s.SDKAs(s.NewUser(t, "bob", statement("Allow", "cloudtrail:StartLogging", "arn:aws:cloudtrail:eu-west-2:"+account+":trail/trail-0")), ""))
	if _, err := bob.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: aws.String("trail-0")}); err != nil {
		t.Error(err)
	}
	if _, err := bob.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: aws.String("trail-1")}); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "cloudtrail:StartLogging on resource: arn:aws:cloudtrail:eu-west-2:"+account+":trail/trail-1 ") {
		t.Errorf("without permission: %v", err)
	}
}

// TestTrailsAreInTheState checks that trails are there after a restart.
func TestTrailsAreInTheState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	config := localaws.Config{StateFile: file}
	s := start(t, config)
	if _, err := cloudTrailIn(s, "eu-west-2").CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{Name: aws.String("audit"), S3BucketName: aws.String("logs"), KmsKeyId: aws.String("alias/a")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	config.Administrator = s.Administrator()
	got, err := cloudTrailIn(start(t, config), "eu-west-2").GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: aws.String("audit")})
	if err != nil || *got.Trail.S3BucketName != "logs" || *got.Trail.KmsKeyId != "alias/a" {
		t.Errorf("%+v, %v", got, err)
	}
}
