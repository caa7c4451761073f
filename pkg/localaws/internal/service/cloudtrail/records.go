package cloudtrail

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
)

// A record is a trail.
type record struct {
	ARN    string `json:"arn"`
	Region string `json:"region"`
	settings
	Tags []tag `json:"tags,omitempty"`
	// Selectors are nil for the default.
	Selectors []selector         `json:"eventSelectors,omitempty"`
	Advanced  []advancedSelector `json:"advancedEventSelectors,omitempty"`
	Logging   bool               `json:"logging"`
	// Started and Stopped are the last times of each; zero before.
	Started time.Time `json:"started,omitzero"`
	Stopped time.Time `json:"stopped,omitzero"`
}

// settings are what a client chooses of a trail, as in requests, answers and the
// state.
type settings struct {
	Name                       string
	S3BucketName               string
	S3KeyPrefix                string `json:",omitempty"`
	SnsTopicName               string `json:",omitempty"`
	IncludeGlobalServiceEvents bool
	IsMultiRegionTrail         bool
	CloudWatchLogsLogGroupArn  string `json:",omitempty"`
	CloudWatchLogsRoleArn      string `json:",omitempty"`
	KmsKeyID                   string `json:"KmsKeyId,omitempty"`
	// LogFileValidationEnabled is EnableLogFileValidation in requests.
	LogFileValidationEnabled bool
}

// changes are the settings in a request; nil means those of before.
type changes struct {
	Name                       string
	S3BucketName               *string
	S3KeyPrefix                *string
	SnsTopicName               *string
	IncludeGlobalServiceEvents *bool
	IsMultiRegionTrail         *bool
	EnableLogFileValidation    *bool
	CloudWatchLogsLogGroupArn  *string
	CloudWatchLogsRoleArn      *string
	KmsKeyID                   *string `json:"KmsKeyId"`
	IsOrganizationTrail        bool
}

type creation struct {
	changes
	TagsList []tag
}

// A named input names a trail by its name or its ARN.
type named struct{ Name string }

func (n named) trail() string   { return n.Name }
func (c changes) trail() string { return c.Name }

type naming interface{ trail() string }

const (
	// maxTrails bounds the trails of a region, as on AWS.
	maxTrails = 5
	// maxText bounds texts that AWS gives no other limit.
	maxText = 2048
)

func recordOperations() []api.Operation {
	return []api.Operation{
		onTrail("CreateTrail", createTrail),
		onTrail("UpdateTrail", updateTrail),
		onTrail("DeleteTrail", withTrail(func(tx *account.Tx, r *record, _ named) (any, error) {
			delete(account.Get[*state](tx).Trails, r.ARN)
			return struct{}{}, nil
		})),
		onTrail("GetTrail", func(tx *account.Tx, in named) (any, error) {
			r, err := find(tx, in.Name)
			if err != nil {
				return nil, err
			}
			return map[string]any{"Trail": r.described()}, nil
		}),
		onTrail("GetTrailStatus", func(tx *account.Tx, in named) (any, error) {
			r, err := find(tx, in.Name)
			if err != nil {
				return nil, err
			}
			return r.status(), nil
		}),
		onTrail("StartLogging", withTrail(func(tx *account.Tx, r *record, _ named) (any, error) {
			if !r.Logging {
				r.Logging, r.Started = true, tx.Time
			}
			return struct{}{}, nil
		})),
		onTrail("StopLogging", withTrail(func(tx *account.Tx, r *record, _ named) (any, error) {
			if r.Logging {
				r.Logging, r.Stopped = false, tx.Time
			}
			return struct{}{}, nil
		})),
		api.Define(api.Definition[describeInput]{
			Facts: api.Facts{Name: "DescribeTrails", ReadOnly: true}, Decode: decode[describeInput], Resource: api.Anything[describeInput], Run: describeTrails,
		}),
		api.Define(api.Definition[listInput]{
			Facts: api.Facts{Name: "ListTrails", ReadOnly: true}, Decode: decode[listInput], Resource: api.Anything[listInput], Run: listTrails,
		}),
	}
}

// onTrail makes an operation that needs permission for a trail.
func onTrail[In naming](name string, run func(*account.Tx, In) (any, error)) api.Operation {
	return api.Define(api.Definition[In]{
		Facts: api.Facts{Name: name, ReadOnly: strings.HasPrefix(name, "Get")}, Decode: decode[In],
		Resource: func(tx *account.Tx, in In) string { return arnOf(tx, in.trail()) }, Run: run,
	})
}

// withTrail finds the trail for an operation that changes it, in its home region.
func withTrail[In naming](run func(*account.Tx, *record, In) (any, error)) func(*account.Tx, In) (any, error) {
	return func(tx *account.Tx, in In) (any, error) {
		r, err := find(tx, in.trail())
		if err != nil {
			return nil, err
		}
		if r.Region != tx.Region {
			return nil, badRequest("InvalidHomeRegionException", "The trail "+r.ARN+" can only be changed in its home region, "+r.Region+".")
		}
		return run(tx, r, in)
	}
}

// arnOf returns the ARN of a trail, named by its name or its ARN.
func arnOf(tx *account.Tx, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return tx.ARN("cloudtrail", tx.Region, "trail/"+name)
}

// find returns the trail with a name or an ARN. A name also finds a trail of another
// region that is for all regions.
func find(tx *account.Tx, name string) (*record, error) {
	trails := account.Get[*state](tx).Trails
	if r, ok := trails[arnOf(tx, name)]; ok {
		return r, nil
	}
	for _, r := range sorted(tx) {
		if r.Name == name && r.IsMultiRegionTrail {
			return r, nil
		}
	}
	return nil, badRequest("TrailNotFoundException", "Unknown trail: "+name+" for the user: "+tx.Account.ID)
}

// sorted returns all trails, by ARN.
func sorted(tx *account.Tx) []*record {
	trails := account.Get[*state](tx).Trails
	var all []*record
	for _, arn := range slices.Sorted(maps.Keys(trails)) {
		all = append(all, trails[arn])
	}
	return all
}

func createTrail(tx *account.Tx, in creation) (any, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	chosen, err := in.apply(tx, settings{Name: in.Name, IncludeGlobalServiceEvents: true})
	if err != nil {
		return nil, err
	}
	if err := checkTags(nil, in.TagsList); err != nil {
		return nil, err
	}
	here := 0
	for _, r := range sorted(tx) {
		if r.Region == tx.Region || r.IsMultiRegionTrail {
			here++
		}
		if r.Name == in.Name && (r.Region == tx.Region || r.IsMultiRegionTrail) {
			return nil, badRequest("TrailAlreadyExistsException", "Trail "+in.Name+" already exists for customer: "+tx.Account.ID)
		}
	}
	if here >= maxTrails {
		return nil, badRequest("MaximumNumberOfTrailsExceededException", "User: "+tx.Account.ID+" already has "+strconv.Itoa(maxTrails)+" trails in "+tx.Region+".")
	}
	r := &record{ARN: arnOf(tx, in.Name), Region: tx.Region, settings: chosen, Tags: in.TagsList}
	account.Get[*state](tx).Trails[r.ARN] = r
	return r.answer(), nil
}

func updateTrail(tx *account.Tx, in changes) (any, error) {
	return withTrail(func(tx *account.Tx, r *record, in changes) (any, error) {
		chosen, err := in.apply(tx, r.settings)
		if err != nil {
			return nil, err
		}
		r.settings = chosen
		return r.answer(), nil
	})(tx, in)
}

// apply returns settings with the changes.
func (c changes) apply(tx *account.Tx, now settings) (settings, error) {
	set(&now.S3BucketName, c.S3BucketName)
	set(&now.S3KeyPrefix, c.S3KeyPrefix)
	set(&now.SnsTopicName, c.SnsTopicName)
	set(&now.IncludeGlobalServiceEvents, c.IncludeGlobalServiceEvents)
	set(&now.IsMultiRegionTrail, c.IsMultiRegionTrail)
	set(&now.LogFileValidationEnabled, c.EnableLogFileValidation)
	set(&now.CloudWatchLogsLogGroupArn, c.CloudWatchLogsLogGroupArn)
	set(&now.CloudWatchLogsRoleArn, c.CloudWatchLogsRoleArn)
	set(&now.KmsKeyID, c.KmsKeyID)
	if c.IsOrganizationTrail {
		return now, api.Refuse(http.StatusBadRequest, "UnsupportedOperationException", "localaws does not support trails of an organization: leave IsOrganizationTrail out.")
	}
	return now, now.check(tx)
}

func set[T any](at, by *T) {
	if by != nil {
		*at = *by
	}
}

func (s settings) check(tx *account.Tx) error {
	for _, text := range []string{s.SnsTopicName, s.CloudWatchLogsLogGroupArn, s.CloudWatchLogsRoleArn, s.KmsKeyID} {
		if len(text) > maxText {
			return badRequest("ValidationException", "Value "+strconv.Quote(text[:64]+"…")+" is longer than "+strconv.Itoa(maxText)+" characters.")
		}
	}
	switch {
	case !isBucket(s.S3BucketName):
		return badRequest("InvalidS3BucketNameException", "Bucket name is invalid: "+strconv.Quote(s.S3BucketName[:min(len(s.S3BucketName), 64)]))
	case len(s.S3KeyPrefix) > 200:
		return badRequest("InvalidS3PrefixException", "S3 prefix is longer than maximum length: 200")
	case s.IsMultiRegionTrail && !s.IncludeGlobalServiceEvents:
		return badRequest("InvalidParameterCombinationException", "Multi-Region trail must include global service events.")
	case (s.CloudWatchLogsLogGroupArn == "") != (s.CloudWatchLogsRoleArn == ""):
		return badRequest("InvalidParameterCombinationException", "You must specify both the ARN of a CloudWatch Logs log group and the ARN of a role, or neither.")
	}
	if s.CloudWatchLogsRoleArn != "" {
		if role, ok := tx.Identities().Role(s.CloudWatchLogsRoleArn); !ok || !tx.Account.Trusts(role, "cloudtrail") {
			return badRequest("InvalidCloudWatchLogsRoleArnException", "Access denied. Check the trust relationships for your role.")
		}
	}
	return nil
}

// isBucket reports whether a text may be the name of a bucket. localaws has none.
func isBucket(name string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789"
	return len(name) >= 3 && len(name) <= 63 && strings.Trim(name, characters+".-") == "" &&
		strings.Contains(characters, name[:1]) && strings.Contains(characters, name[len(name)-1:])
}

// checkName checks the name of a new trail.
func checkName(name string) error {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	const separators = "._-"
	problem := ""
	switch {
	case len(name) < 3 || len(name) > 128:
		problem = "must have 3 to 128 characters"
	case !strings.Contains(characters, name[:1]) || !strings.Contains(characters, name[len(name)-1:]):
		problem = "must begin and end with a letter or a number"
	case strings.Trim(name, characters+separators) != "" || strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(characters+separators, r) }):
		problem = "must have only letters, numbers, periods, underscores and dashes"
	default:
		for i := 1; i < len(name); i++ {
			if strings.Contains(separators, name[i:i+1]) && strings.Contains(separators, name[i-1:i]) {
				problem = "must not have adjacent periods, underscores or dashes"
			}
		}
		if _, err := netip.ParseAddr(name); err == nil {
			problem = "must not be an IP address"
		}
	}
	if problem == "" {
		return nil
	}
	return badRequest("InvalidTrailNameException", "Trail name "+strconv.Quote(name[:min(len(name), 128)])+" "+problem+".")
}

// answer returns the trail as the calls that change it do.
func (r *record) answer() any {
	return struct {
		settings
		TrailARN            string
		SnsTopicARN         string `json:",omitempty"`
		IsOrganizationTrail bool
	}{settings: r.settings, TrailARN: r.ARN, SnsTopicARN: r.topic()}
}

// described returns the trail as the calls that describe it do.
func (r *record) described() any {
	return struct {
		settings
		TrailARN                string
		SnsTopicARN             string `json:",omitempty"`
		HomeRegion              string
		HasCustomEventSelectors bool
		HasInsightSelectors     bool
		IsOrganizationTrail     bool
	}{settings: r.settings, TrailARN: r.ARN, SnsTopicARN: r.topic(), HomeRegion: r.Region, HasCustomEventSelectors: r.Selectors != nil || r.Advanced != nil}
}

// topic returns the ARN of the trail's SNS topic, which is in its region.
func (r *record) topic() string {
	if r.SnsTopicName == "" || strings.HasPrefix(r.SnsTopicName, "arn:") {
		return r.SnsTopicName
	}
	parts := strings.SplitN(r.ARN, ":", 6)
	return strings.Join([]string{parts[0], parts[1], "sns", r.Region, parts[4], r.SnsTopicName}, ":")
}

// status returns the status of the trail. There is no delivery.
func (r *record) status() any {
	status := map[string]any{
		"IsLogging": r.Logging, "LatestDeliveryAttemptTime": "", "LatestNotificationAttemptTime": "",
		"LatestNotificationAttemptSucceeded": "", "LatestDeliveryAttemptSucceeded": "", "TimeLoggingStarted": "", "TimeLoggingStopped": "",
	}
	if !r.Started.IsZero() {
		status["StartLoggingTime"], status["TimeLoggingStarted"] = protocol.Timestamp(r.Started), r.Started.Format(time.RFC3339)
	}
	if !r.Stopped.IsZero() {
		status["StopLoggingTime"], status["TimeLoggingStopped"] = protocol.Timestamp(r.Stopped), r.Stopped.Format(time.RFC3339)
	}
	return status
}

type describeInput struct {
	Names      []string `json:"trailNameList"`
	ShadowsToo *bool    `json:"includeShadowTrails"`
}

// describeTrails returns the trails of the region, and those of other regions that are
// for all regions, unless the client wants none of these.
func describeTrails(tx *account.Tx, in describeInput) (any, error) {
	found := []any{}
	for _, r := range sorted(tx) {
		shadow := r.Region != tx.Region
		if shadow && (!r.IsMultiRegionTrail || in.ShadowsToo != nil && !*in.ShadowsToo) && !slices.Contains(in.Names, r.ARN) {
			continue
		}
		if in.Names == nil || slices.Contains(in.Names, r.Name) || slices.Contains(in.Names, r.ARN) {
			found = append(found, r.described())
		}
	}
	return map[string]any{"trailList": found}, nil
}

type listInput struct{ NextToken string }

// listTrails returns the trails of all regions, a hundred at a time.
func listTrails(tx *account.Tx, in listInput) (any, error) {
	page, next, ok := api.PageAfter(sorted(tx), func(r *record) string { return r.ARN }, in.NextToken, 100)
	if !ok {
		return nil, badRequest("InvalidTokenException", "The token is invalid.")
	}
	type listed struct{ TrailARN, Name, HomeRegion string }
	all := []listed{}
	for _, r := range page {
		all = append(all, listed{r.ARN, r.Name, r.Region})
	}
	return struct {
		Trails    []listed
		NextToken string `json:",omitempty"`
	}{all, next}, nil
}

// A tag of a trail.
type tag struct {
	Key   string
	Value string `json:",omitempty"`
}

type tagInput struct {
	ResourceID string `json:"ResourceId"`
	TagsList   []tag
}

func (i tagInput) trail() string { return i.ResourceID }

type listTagsInput struct {
	ResourceIDList []string `json:"ResourceIdList"`
	NextToken      string
}

func tagOperations() []api.Operation {
	return []api.Operation{
		onTrail("AddTags", withTagged(func(r *record, in tagInput) error {
			if err := checkTags(r.Tags, in.TagsList); err != nil {
				return err
			}
			r.Tags = merged(r.Tags, in.TagsList)
			return nil
		})),
		onTrail("RemoveTags", withTagged(func(r *record, in tagInput) error {
			r.Tags = slices.DeleteFunc(slices.Clone(r.Tags), func(t tag) bool {
				return slices.ContainsFunc(in.TagsList, func(gone tag) bool { return gone.Key == t.Key })
			})
			return nil
		})),
		api.Define(api.Definition[listTagsInput]{Facts: api.Facts{Name: "ListTags", ReadOnly: true}, Decode: decode[listTagsInput], Run: listTags}),
	}
}

func withTagged(run func(*record, tagInput) error) func(*account.Tx, tagInput) (any, error) {
	return func(tx *account.Tx, in tagInput) (any, error) {
		r, err := tagged(tx, in.ResourceID)
		if err != nil {
			return nil, err
		}
		return struct{}{}, run(r, in)
	}
}

// tagged returns the trail with an ARN.
func tagged(tx *account.Tx, arn string) (*record, error) {
	if !strings.HasPrefix(arn, "arn:"+tx.Account.Partition+":cloudtrail:") {
		return nil, badRequest("CloudTrailARNInvalidException", "Resource ARN is invalid: "+strconv.Quote(arn[:min(len(arn), maxText)]))
	}
	if r, ok := account.Get[*state](tx).Trails[arn]; ok {
		return r, nil
	}
	return nil, badRequest("ResourceNotFoundException", "Resource not found: "+arn)
}

func listTags(tx *account.Tx, in listTagsInput) (any, error) {
	if len(in.ResourceIDList) < 1 || len(in.ResourceIDList) > 20 || in.NextToken != "" {
		return nil, badRequest("ValidationException", "Expected 1 to 20 resources, and no token.")
	}
	for _, arn := range in.ResourceIDList {
		if err := tx.Authorize(tx.Action(), arn, nil); err != nil {
			return nil, err
		}
	}
	type of struct {
		ResourceID string `json:"ResourceId"`
		TagsList   []tag
	}
	all := []of{}
	for _, arn := range in.ResourceIDList {
		r, err := tagged(tx, arn)
		if err != nil {
			return nil, err
		}
		all = append(all, of{arn, slices.Concat([]tag{}, r.Tags)})
	}
	return map[string]any{"ResourceTagList": all}, nil
}

// checkTags checks the tags that are added to others.
func checkTags(now, added []tag) error {
	for _, t := range added {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 || strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return badRequest("InvalidTagParameterException", "A tag has a key of 1 to 128 characters that does not begin with aws:, and a value of up to 256 characters.")
		}
	}
	if len(merged(now, added)) > 50 {
		return badRequest("TagsLimitExceededException", "A trail cannot have more than 50 tags.")
	}
	return nil
}

// merged returns tags with others added, by key.
func merged(now, added []tag) []tag {
	all := slices.Clone(now)
	for _, t := range added {
		if at := slices.IndexFunc(all, func(old tag) bool { return old.Key == t.Key }); at >= 0 {
			all[at] = t
		} else {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b tag) int { return cmp.Compare(a.Key, b.Key) })
	return all
}
