package ec2

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// launchData is what instances are launched with: by RunInstances, and in launch
// templates, as in requests, in answers and in the state.
type launchData struct {
	ImageID        string             `ec2:"ImageId" xml:"imageId,omitempty" json:",omitzero"`
	Type           string             `ec2:"InstanceType" xml:"instanceType,omitempty" json:",omitzero"`
	KeyName        string             `xml:"keyName,omitempty" json:",omitzero"`
	UserData       string             `xml:"userData,omitempty" json:",omitzero"`
	EbsOptimized   *bool              `xml:"ebsOptimized" json:",omitzero"`
	NoTermination  *bool              `ec2:"DisableApiTermination" xml:"disableApiTermination" json:",omitzero"`
	NoStop         *bool              `ec2:"DisableApiStop" xml:"disableApiStop" json:",omitzero"`
	Shutdown       string             `ec2:"InstanceInitiatedShutdownBehavior" xml:"instanceInitiatedShutdownBehavior,omitempty" json:",omitzero"`
	Profile        *profileName       `ec2:"IamInstanceProfile" xml:"iamInstanceProfile" json:",omitzero"`
	Metadata       *metadataInput     `ec2:"MetadataOptions" xml:"metadataOptions" json:",omitzero"`
	Monitoring     *monitoringInput   `xml:"monitoring" json:",omitzero"`
	Placement      *placementInput    `xml:"placement" json:",omitzero"`
	Credit         *creditInput       `ec2:"CreditSpecification" xml:"creditSpecification" json:",omitzero"`
	Groups         []string           `ec2:"SecurityGroupId" xml:"securityGroupIdSet>item" json:",omitzero"`
	GroupNames     []string           `ec2:"SecurityGroup" xml:"securityGroupSet>item" json:",omitzero"`
	Devices        []deviceInput      `ec2:"BlockDeviceMapping" xml:"blockDeviceMappingSet>item" json:",omitzero"`
	Interfaces     []interfaceInput   `ec2:"NetworkInterface" xml:"networkInterfaceSet>item" json:",omitzero"`
	Specifications []tagSpecification `ec2:"TagSpecification" xml:"tagSpecificationSet>item" json:",omitzero"`
}

type (
	monitoringInput struct {
		Enabled *bool `xml:"enabled"`
	}
	placementInput struct {
		Zone    string `ec2:"AvailabilityZone" xml:"availabilityZone,omitempty" json:",omitzero"`
		Tenancy string `xml:"tenancy,omitempty" json:",omitzero"`
	}
	creditInput struct {
		CpuCredits string `xml:"cpuCredits"`
	}
	deviceInput struct {
		Name string    `ec2:"DeviceName" xml:"deviceName,omitempty"`
		EBS  *ebsInput `ec2:"Ebs" xml:"ebs"`
	}
	ebsInput struct {
		DeleteOnTermination *bool  `xml:"deleteOnTermination" json:",omitzero"`
		Encrypted           *bool  `xml:"encrypted" json:",omitzero"`
		Iops                *int   `xml:"iops" json:",omitzero"`
		Throughput          *int   `xml:"throughput" json:",omitzero"`
		KmsKeyID            string `ec2:"KmsKeyId" xml:"kmsKeyId,omitempty" json:",omitzero"`
		Size                *int   `ec2:"VolumeSize" xml:"volumeSize" json:",omitzero"`
		Type                string `ec2:"VolumeType" xml:"volumeType,omitempty" json:",omitzero"`
	}
	interfaceInput struct {
		Index       *int     `ec2:"DeviceIndex" xml:"deviceIndex" json:",omitzero"`
		Public      *bool    `ec2:"AssociatePublicIpAddress" xml:"associatePublicIpAddress" json:",omitzero"`
		Delete      *bool    `ec2:"DeleteOnTermination" xml:"deleteOnTermination" json:",omitzero"`
		Subnet      string   `ec2:"SubnetId" xml:"subnetId,omitempty" json:",omitzero"`
		PrivateIP   string   `ec2:"PrivateIpAddress" xml:"privateIpAddress,omitempty" json:",omitzero"`
		Description string   `xml:"description,omitempty" json:",omitzero"`
		Groups      []string `ec2:"SecurityGroupId" xml:"groupSet>groupId" json:",omitzero"`
	}
)

// maxUserData bounds user data, before it is encoded in base64.
const maxUserData = 16 * 1024

// check validates what needs no state.
func (d launchData) check() error {
	if d.ImageID != "" && !strings.HasPrefix(d.ImageID, "resolve:ssm:") && !imageIDPattern.MatchString(d.ImageID) {
		return refuse("InvalidAMIID.Malformed", fmt.Sprintf("Invalid id: %q (expecting \"ami-...\")", d.ImageID))
	}
	if d.Type != "" {
		if _, ok := typeNamed(d.Type); !ok {
			return unsupported("InvalidParameterValue", "Invalid value '"+d.Type+"' for InstanceType. localaws has the types that DescribeInstanceTypes lists.")
		}
	}
	data, err := base64.StdEncoding.DecodeString(d.UserData)
	if err != nil {
		return refuse("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	}
	if len(data) > maxUserData {
		return invalid("User data is limited to 16384 bytes")
	}
	if d.Metadata != nil {
		if _, err := d.Metadata.options(); err != nil {
			return err
		}
	}
	for _, device := range d.Devices {
		if device.EBS != nil {
			if err := device.EBS.check(); err != nil {
				return err
			}
		}
	}
	credits := ""
	if d.Credit != nil {
		credits = d.Credit.CpuCredits
	}
	for _, values := range [][]string{{"instanceInitiatedShutdownBehavior", d.Shutdown, "stop", "terminate"}, {"cpuCredits", credits, "standard", "unlimited"}} {
		if values[1] != "" && !slices.Contains(values[2:], values[1]) {
			return invalid("Value (" + values[1] + ") for parameter " + values[0] + " is invalid. Expecting " + strings.Join(values[2:], " or ") + ".")
		}
	}
	if len(d.Interfaces) > 1 {
		return unsupported("InvalidParameterValue", "localaws gives an instance one network interface, not "+strconv.Itoa(len(d.Interfaces))+".")
	}
	return nil
}

// over returns the data with what other data has in its place.
func (d launchData) over(other launchData) launchData {
	own := reflect.ValueOf(d)
	merged := reflect.ValueOf(&other).Elem()
	for i := range own.NumField() {
		if !own.Field(i).IsZero() {
			merged.Field(i).Set(own.Field(i))
		}
	}
	return other
}

// A template is a launch template.
type template struct {
	base
	replayable
	Name     string             `json:"name"`
	Created  time.Time          `json:"created"`
	Creator  string             `json:"creator"`
	Default  int                `json:"default"`
	Latest   int                `json:"latest"`
	Versions []*templateVersion `json:"versions"`
}

type templateVersion struct {
	replayable
	Number      int        `json:"number"`
	Description string     `json:"description,omitempty"`
	Created     time.Time  `json:"created"`
	Creator     string     `json:"creator"`
	Data        launchData `json:"data"`

	size int // of Data
}

// check validates a template that was read.
func (t *template) check() error {
	if slices.Contains(t.Versions, nil) {
		return errNull
	}
	for _, v := range t.Versions {
		v.size = v.Data.size()
	}
	for _, number := range []int{t.Default, t.Latest} {
		if t.version(number) == nil {
			return fmt.Errorf("it has no version %d", number)
		}
	}
	return nil
}

func (t *template) version(number int) *templateVersion {
	for _, v := range t.Versions {
		if v.Number == number {
			return v
		}
	}
	return nil
}

// Bounds, below AWS's quotas of 5000 templates with 10000 versions each.
const (
	maxTemplates        = 500
	maxTemplateVersions = 100
	maxTemplateBytes    = 32 * 1024        // of a version
	maxRegionBytes      = 16 * 1024 * 1024 // of all versions in a region
)

var templateNamePattern = pattern.New(`^[a-zA-Z0-9().\-/_]{3,128}$`)

func templateOperations() []api.Operation {
	return []api.Operation{
		change("CreateLaunchTemplate", createTemplate), change("CreateLaunchTemplateVersion", createTemplateVersion),
		change("ModifyLaunchTemplate", modifyTemplate), change("DeleteLaunchTemplate", deleteTemplate),
		change("DeleteLaunchTemplateVersions", deleteTemplateVersions),
		describe("DescribeLaunchTemplates", describeTemplates), describe("DescribeLaunchTemplateVersions", describeTemplateVersions),
	}
}

func templateKind() kind[*template] {
	return kind[*template]{
		noun: "launch-template", prefix: "lt-", title: "launch template ID", malformed: "InvalidLaunchTemplateId.Malformed", absent: "InvalidLaunchTemplateId.NotFound",
		of: func(c *call) map[string]*template { return c.region.Templates }, set: "launchTemplates", xml: func(_ *call, t *template) any { return xmlTemplateOf(t) },
		filters: func(*call) map[string]field[*template] {
			return map[string]field[*template]{
				"create-time":          one(func(t *template) string { return t.Created.UTC().Format("2006-01-02T15:04:05.000Z") }),
				"launch-template-name": one(func(t *template) string { return t.Name }),
			}
		},
	}
}

type xmlTemplate struct {
	ID      string         `xml:"launchTemplateId"`
	Name    string         `xml:"launchTemplateName"`
	Created timestamp      `xml:"createTime"`
	Creator string         `xml:"createdBy"`
	Default int            `xml:"defaultVersionNumber"`
	Latest  int            `xml:"latestVersionNumber"`
	Tags    *items[xmlTag] `xml:"tagSet"`
}

func xmlTemplateOf(t *template) xmlTemplate {
	return xmlTemplate{t.ID, t.Name, timestamp(t.Created), t.Creator, t.Default, t.Latest, xmlTags(t.Tags)}
}

type xmlTemplateVersion struct {
	ID          string     `xml:"launchTemplateId"`
	Name        string     `xml:"launchTemplateName"`
	Number      int        `xml:"versionNumber"`
	Description string     `xml:"versionDescription,omitempty"`
	Created     timestamp  `xml:"createTime"`
	Creator     string     `xml:"createdBy"`
	Default     bool       `xml:"defaultVersion"`
	Data        launchData `xml:"launchTemplateData"`
}

func xmlVersionOf(t *template, v *templateVersion) xmlTemplateVersion {
	return xmlTemplateVersion{t.ID, t.Name, v.Number, v.Description, timestamp(v.Created), v.Creator, v.Number == t.Default, v.Data}
}

// checkData checks the data of a template.
func checkData(data launchData) error {
	if err := data.check(); err != nil {
		return err
	}
	if data.size() > maxTemplateBytes {
		return unsupported("InvalidParameterValue", fmt.Sprintf("localaws keeps at most %d bytes of launch template data.", maxTemplateBytes))
	}
	return nil
}

// size returns the number of bytes that the data takes in a state.
func (d launchData) size() int {
	text, _ := json.Marshal(d) // cannot fail: these types always encode
	return len(text)
}

// hasRoomFor returns an error if the region's launch templates would have too much data.
func (r *region) hasRoomFor(data launchData) error {
	size := data.size()
	for _, t := range r.Templates {
		for _, v := range t.Versions {
			size += v.size
		}
	}
	if size > maxRegionBytes {
		return unsupported("MaxTemplateVersionLimitExceeded", fmt.Sprintf("localaws keeps at most %d bytes of launch template data in a region.", maxRegionBytes))
	}
	return nil
}

type createTemplateInput struct {
	dryRun
	Name          string             `ec2:"LaunchTemplateName,required"`
	Description   string             `ec2:"VersionDescription"`
	Data          launchData         `ec2:"LaunchTemplateData,required"`
	Token         string             `ec2:"ClientToken"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in createTemplateInput) check() error {
	if !templateNamePattern.MatchString(in.Name) {
		return refuse("InvalidLaunchTemplateName.MalformedException", "The launch template name must have 3 to 128 letters, digits and the characters ().-/_.")
	}
	return cmp.Or(checkDescription(in.Description), checkToken(in.Token), checkData(in.Data))
}

func checkDescription(text string) error {
	if len(text) > 255 {
		return invalid("Expecting a description of at most 255 characters.")
	}
	return nil
}

func createTemplate(c *call, in createTemplateInput) (any, error) {
	made, err := templateKind().create(c, in.Specification, nil)
	if err != nil {
		return nil, err
	}
	t := &template{base: made, replayable: c.replayable(in.Token), Name: in.Name, Created: c.Time, Creator: c.Caller.ARN, Default: 1}
	if done, err := replayed(maps.Values(c.region.Templates), t.replayable); err != nil {
		return nil, err
	} else if len(done) > 0 {
		return fields{element("launchTemplate", xmlTemplateOf(done[0]))}, nil
	}
	for _, other := range c.region.Templates {
		if other.Name == in.Name {
			return nil, refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
	}
	if err := boundedHere(len(c.region.Templates), maxTemplates, "MaxTemplateLimitExceeded", "launch templates of a region"); err != nil {
		return nil, err
	}
	if err := c.region.hasRoomFor(in.Data); err != nil {
		return nil, err
	}
	t.add(c, &templateVersion{Description: in.Description, Data: in.Data})
	c.region.Templates[t.ID] = t
	return fields{element("launchTemplate", xmlTemplateOf(t))}, nil
}

// add adds a version.
func (t *template) add(c *call, v *templateVersion) {
	t.Latest++
	v.Number, v.Created, v.Creator, v.size = t.Latest, c.Time, c.Caller.ARN, v.Data.size()
	t.Versions = append(t.Versions, v)
}

// A templateName names a launch template by ID or name.
type templateName struct {
	ID   string `ec2:"LaunchTemplateId"`
	Name string `ec2:"LaunchTemplateName"`
}

func (n templateName) id(c *call) (string, error) {
	switch {
	case n.ID != "" && n.Name != "":
		return "", invalidCombination("Expected either a launch template ID or a launch template name.")
	case n.ID != "":
		return n.ID, nil
	case n.Name == "":
		return "", missing("LaunchTemplateId")
	}
	for id, t := range c.region.Templates {
		if t.Name == n.Name {
			return id, nil
		}
	}
	return "", refuse("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name "+n.Name+", does not exist.")
}

// taken returns the template, if the caller may act on it.
func (n templateName) taken(c *call) (*template, error) {
	id, err := n.id(c)
	if err != nil {
		if denied := c.authorize(grant{c.Operation, c.arn("launch-template", "*"), nil}); denied != nil {
			return nil, denied
		}
		return nil, err
	}
	return templateKind().taken(c, id)
}

// numbered returns the version that a text names: a number, $Default, $Latest or
// nothing, which is the default.
func (t *template) numbered(text string) (*templateVersion, error) {
	number := t.Default
	switch text {
	case "", "$Default":
	case "$Latest":
		number = t.Latest
	default:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, refuse("InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version "+strconv.Quote(text)+".")
		}
		number = n
	}
	v := t.version(number)
	if v == nil {
		return nil, refuse("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version "+strconv.Itoa(number)+" for the launch template with ID "+t.ID+".")
	}
	return v, nil
}

type createTemplateVersionInput struct {
	dryRun
	templateName
	Source      string     `ec2:"SourceVersion"`
	Description string     `ec2:"VersionDescription"`
	Data        launchData `ec2:"LaunchTemplateData,required"`
	Token       string     `ec2:"ClientToken"`
}

func (in createTemplateVersionInput) check() error {
	return cmp.Or(checkDescription(in.Description), checkToken(in.Token), checkData(in.Data))
}

func createTemplateVersion(c *call, in createTemplateVersionInput) (any, error) {
	t, err := in.taken(c)
	if err != nil {
		return nil, err
	}
	v := &templateVersion{replayable: c.replayable(in.Token), Description: in.Description, Data: in.Data}
	if done, err := replayed(slices.Values(t.Versions), v.replayable); err != nil {
		return nil, err
	} else if len(done) > 0 {
		return fields{element("launchTemplateVersion", xmlVersionOf(t, done[0]))}, nil
	}
	if in.Source != "" {
		source, err := t.numbered(in.Source)
		if err != nil {
			return nil, err
		}
		v.Data = v.Data.over(source.Data)
		if err := checkData(v.Data); err != nil {
			return nil, err
		}
	}
	if err := boundedHere(len(t.Versions), maxTemplateVersions, "MaxTemplateVersionLimitExceeded", "versions of a launch template"); err != nil {
		return nil, err
	}
	if err := c.region.hasRoomFor(v.Data); err != nil {
		return nil, err
	}
	t.add(c, v)
	return fields{element("launchTemplateVersion", xmlVersionOf(t, v))}, nil
}

type modifyTemplateInput struct {
	dryRun
	templateName
	Default string `ec2:"SetDefaultVersion,required"`
	Token   string `ec2:"ClientToken"`
}

func modifyTemplate(c *call, in modifyTemplateInput) (any, error) {
	t, err := in.taken(c)
	if err != nil {
		return nil, err
	}
	v, err := t.numbered(in.Default)
	if err != nil {
		return nil, err
	}
	t.Default = v.Number
	return fields{element("launchTemplate", xmlTemplateOf(t))}, nil
}

type templateInput struct {
	dryRun
	templateName
}

func deleteTemplate(c *call, in templateInput) (any, error) {
	t, err := in.taken(c)
	if err != nil {
		return nil, err
	}
	delete(c.region.Templates, t.ID)
	return fields{element("launchTemplate", xmlTemplateOf(t))}, nil
}

type deleteTemplateVersionsInput struct {
	dryRun
	templateName
	Versions []string `ec2:"LaunchTemplateVersion,required"`
}

type xmlDeletedVersion struct {
	ID     string           `xml:"launchTemplateId"`
	Name   string           `xml:"launchTemplateName"`
	Number int              `xml:"versionNumber"`
	Error  *xmlVersionError `xml:"responseError"`
}

type xmlVersionError struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

func deleteTemplateVersions(c *call, in deleteTemplateVersionsInput) (any, error) {
	t, err := in.taken(c)
	if err != nil {
		return nil, err
	}
	gone := map[int]bool{}
	var deleted, kept items[xmlDeletedVersion]
	for _, text := range in.Versions {
		v, err := t.numbered(text)
		if number, wrong := strconv.Atoi(text); err != nil && wrong == nil {
			absent := &xmlVersionError{"launchTemplateVersionDoesNotExist", api.ErrorOf(err).Message}
			kept.Item = append(kept.Item, xmlDeletedVersion{t.ID, t.Name, number, absent})
			continue
		}
		if err != nil {
			return nil, err
		}
		if v.Number == t.Default {
			return nil, invalid("The default version of a launch template cannot be deleted.")
		}
		gone[v.Number] = true
	}
	t.Versions = slices.DeleteFunc(t.Versions, func(v *templateVersion) bool { return gone[v.Number] })
	for _, number := range slices.Sorted(maps.Keys(gone)) {
		deleted.Item = append(deleted.Item, xmlDeletedVersion{t.ID, t.Name, number, nil})
	}
	return fields{element("successfullyDeletedLaunchTemplateVersionSet", deleted), element("unsuccessfullyDeletedLaunchTemplateVersionSet", kept)}, nil
}

type templatesInput struct {
	listing
	paging
	IDs   []string `ec2:"LaunchTemplateId"`
	Names []string `ec2:"LaunchTemplateName"`
}

func describeTemplates(c *call, in templatesInput) (any, error) {
	for _, name := range in.Names {
		id, err := templateName{Name: name}.id(c)
		if err != nil {
			return nil, err
		}
		in.IDs = append(in.IDs, id)
	}
	return templateKind().list(c, in.Filter, in.within(1, 200), in.IDs)
}

type templateVersionsInput struct {
	listing
	paging
	templateName
	Versions   []string `ec2:"LaunchTemplateVersion"`
	MinVersion string
	MaxVersion string
}

// versionBound returns the number in a bound of versions, or another one without a bound.
func versionBound(text string, without int) (int, error) {
	if text == "" {
		return without, nil
	}
	bound, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalid("Value (" + text + ") for a version is invalid. Expecting a number.")
	}
	return bound, nil
}

func describeTemplateVersions(c *call, in templateVersionsInput) (any, error) {
	id, err := in.id(c)
	if err != nil {
		return nil, err
	}
	t, err := templateKind().find(c, id)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(t.Versions)
	if len(in.Versions) > 0 {
		wanted := map[int]bool{}
		for _, text := range in.Versions {
			v, err := t.numbered(text)
			if err != nil {
				return nil, err
			}
			wanted[v.Number] = true
		}
		all = slices.DeleteFunc(all, func(v *templateVersion) bool { return !wanted[v.Number] })
	}
	from, err := versionBound(in.MinVersion, 1)
	if err != nil {
		return nil, err
	}
	to, err := versionBound(in.MaxVersion, t.Latest)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v *templateVersion) bool { return v.Number < from || v.Number > to })
	all, err = filtered(in.Filter, all, map[string]field[*templateVersion]{
		"create-time":        one(func(v *templateVersion) string { return v.Created.UTC().Format("2006-01-02T15:04:05.000Z") }),
		"image-id":           one(func(v *templateVersion) string { return v.Data.ImageID }),
		"instance-type":      one(func(v *templateVersion) string { return v.Data.Type }),
		"is-default-version": yes(func(v *templateVersion) bool { return v.Number == t.Default }),
	}, nil)
	if err != nil {
		return nil, err
	}
	key := func(v *templateVersion) string { return fmt.Sprintf("%08d", 99999999-v.Number) } // the latest first
	slices.SortFunc(all, func(a, b *templateVersion) int { return strings.Compare(key(a), key(b)) })
	return page(in.within(1, 200), "launchTemplateVersionSet", all, key, func(v *templateVersion) xmlTemplateVersion { return xmlVersionOf(t, v) })
}
