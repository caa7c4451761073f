package ec2

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// A volume is a disk, as a record.
type volume struct {
	base
	replayable
	Zone       string    `json:"zone"`
	Created    time.Time `json:"created"`
	Size       int       `json:"size"` // in GiB
	Type       string    `json:"type"`
	IOPS       int       `json:"iops,omitempty"`
	Throughput int       `json:"throughput,omitempty"`
	Encrypted  bool      `json:"encrypted,omitempty"`
	Key        string    `json:"key,omitempty"`
	// Instance is what the volume is attached to as Device; empty while it is available.
	Instance            string `json:"instance,omitempty"`
	Device              string `json:"device,omitempty"`
	DeleteOnTermination bool   `json:"deleteOnTermination,omitempty"`
	// Modified is the time of the last modification, Before what the volume was until then.
	Modified time.Time     `json:"modified,omitzero"`
	Before   *volumeBefore `json:"before,omitempty"`
}

type volumeBefore struct {
	Size       int    `json:"size"`
	Type       string `json:"type"`
	IOPS       int    `json:"iops,omitempty"`
	Throughput int    `json:"throughput,omitempty"`
}

// maxVolumes bounds the volumes of a region.
const maxVolumes = 1000

// A volumeType has the bounds of its sizes, and its IOPS.
type volumeType struct {
	name                string
	least, most         int
	leastIOPS, mostIOPS int // zero if a call cannot set them
	iops, throughput    int
}

func volumeTypes() []volumeType {
	return []volumeType{
		{"gp2", 1, 16384, 0, 0, 100, 0}, {"gp3", 1, 65536, 3000, 80000, 3000, 125}, {"io1", 4, 16384, 100, 64000, 0, 0},
		{"io2", 4, 65536, 100, 256000, 0, 0}, {"st1", 125, 16384, 0, 0, 0, 0}, {"sc1", 125, 16384, 0, 0, 0, 0}, {"standard", 1, 1024, 0, 0, 0, 0},
	}
}

// shape sets what a call asks of a volume, and defaults.
func (v *volume) shape(in ebsInput, size int) error {
	name := cmp.Or(in.Type, v.Type, "gp2")
	at := slices.IndexFunc(volumeTypes(), func(t volumeType) bool { return t.name == name })
	if at < 0 {
		return invalid("Invalid volume type: " + name)
	}
	t := volumeTypes()[at]
	if in.Size != nil {
		size = *in.Size
	}
	if size == 0 {
		return missing("Size")
	}
	if size < t.least || size > t.most {
		return invalid(fmt.Sprintf("Volume of %dGiB is invalid: a volume of type %s has %d to %d GiB.", size, name, t.least, t.most))
	}
	iops, throughput := t.iops, t.throughput
	if name == "gp2" {
		iops = min(max(100, 3*size), 16000)
	}
	if in.Iops != nil {
		if iops = *in.Iops; t.mostIOPS == 0 {
			return invalidCombination("The parameter iops is not supported for " + name + " volumes.")
		} else if iops < t.leastIOPS || iops > t.mostIOPS {
			return invalid(fmt.Sprintf("Volume iops of %d is invalid: expecting %d to %d for %s.", iops, t.leastIOPS, t.mostIOPS, name))
		}
	} else if name == "io1" || name == "io2" {
		return refuse("MissingParameter", "The parameter iops must be specified for "+name+" volumes.")
	}
	if in.Throughput != nil {
		if throughput = *in.Throughput; name != "gp3" {
			return invalidCombination("The parameter throughput is only supported for gp3 volumes.")
		} else if throughput < 125 || throughput > 2000 {
			return invalid(fmt.Sprintf("Volume throughput of %d is invalid: expecting 125 to 2000.", throughput))
		}
	}
	v.Type, v.Size, v.IOPS, v.Throughput = name, size, iops, throughput
	return nil
}

// encrypt encrypts the volume with a key, or the default one, if it is to be encrypted.
func (v *volume) encrypt(c *call, wanted bool, key string) {
	if v.Encrypted = wanted; wanted {
		v.Key = cmp.Or(key, c.ARN("kms", c.Region, "alias/aws/ebs"))
	}
}

// checkKey returns an error for a key without encryption.
func checkKey(key string, encrypted bool) error {
	if key != "" && !encrypted {
		return refuse("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	return nil
}

func (in ebsInput) encrypted() bool { return is(in.Encrypted) }

// check validates what needs no default.
func (in ebsInput) check() error {
	if in.Type != "" && !slices.ContainsFunc(volumeTypes(), func(t volumeType) bool { return t.name == in.Type }) {
		return invalid("Invalid volume type: " + in.Type)
	}
	if in.Size != nil && (*in.Size < 1 || *in.Size > 65536) {
		return invalid(fmt.Sprintf("Volume of %dGiB is invalid.", *in.Size))
	}
	return checkKey(in.KmsKeyID, in.encrypted())
}

func volumeOperations() []api.Operation {
	return []api.Operation{
		change("CreateVolume", createVolume), change("DeleteVolume", deleteVolume), change("ModifyVolume", modifyVolume),
		describe("DescribeVolumes", func(c *call, in volumesInput) (any, error) { return volumeKind().list(c, in.Filter, in.paging, in.IDs) }),
		describe("DescribeVolumesModifications", describeModifications),
	}
}

type volumesInput struct {
	listing
	paging
	IDs []string `ec2:"VolumeId"`
}

func volumeKind() kind[*volume] {
	return kind[*volume]{
		noun: "volume", prefix: "vol-", title: "volume", malformed: "InvalidVolumeID.Malformed", absent: "InvalidVolume.NotFound",
		of: func(c *call) map[string]*volume { return c.region.Volumes }, set: "volumeSet", xml: func(_ *call, v *volume) any { return xmlVolumeOf(v) },
		filters: func(*call) map[string]field[*volume] {
			attached := func(of func(*volume) string) field[*volume] {
				return func(v *volume) []string {
					if v.Instance == "" {
						return nil
					}
					return []string{of(v)}
				}
			}
			return map[string]field[*volume]{
				"attachment.attach-time":           attached(func(v *volume) string { return v.Created.UTC().Format("2006-01-02T15:04:05.000Z") }),
				"attachment.delete-on-termination": attached(func(v *volume) string { return strconv.FormatBool(v.DeleteOnTermination) }),
				"attachment.device":                attached(func(v *volume) string { return v.Device }),
				"attachment.instance-id":           attached(func(v *volume) string { return v.Instance }),
				"attachment.status":                attached(func(*volume) string { return "attached" }),
				"availability-zone":                one(func(v *volume) string { return v.Zone }),
				"create-time":                      one(func(v *volume) string { return v.Created.UTC().Format("2006-01-02T15:04:05.000Z") }),
				"encrypted":                        yes(func(v *volume) bool { return v.Encrypted }),
				"multi-attach-enabled":             always[*volume]("false"),
				"size":                             one(func(v *volume) string { return strconv.Itoa(v.Size) }),
				"snapshot-id":                      func(*volume) []string { return nil },
				"status":                           one((*volume).status),
				"volume-id":                        one((*volume).id),
				"volume-type":                      one(func(v *volume) string { return v.Type }),
			}
		},
	}
}

func (v *volume) status() string {
	if v.Instance != "" {
		return "in-use"
	}
	return "available"
}

type xmlVolumeAttachment struct {
	Volume   string    `xml:"volumeId"`
	Instance string    `xml:"instanceId"`
	Device   string    `xml:"device"`
	Status   string    `xml:"status"`
	Time     timestamp `xml:"attachTime"`
	Delete   bool      `xml:"deleteOnTermination"`
}

type xmlVolume struct {
	ID          string                     `xml:"volumeId"`
	Size        int                        `xml:"size"`
	Snapshot    string                     `xml:"snapshotId"`
	Zone        string                     `xml:"availabilityZone"`
	Status      string                     `xml:"status"`
	Created     timestamp                  `xml:"createTime"`
	Attachments items[xmlVolumeAttachment] `xml:"attachmentSet"`
	Tags        *items[xmlTag]             `xml:"tagSet"`
	Type        string                     `xml:"volumeType"`
	IOPS        int                        `xml:"iops,omitempty"`
	Throughput  int                        `xml:"throughput,omitempty"`
	Encrypted   bool                       `xml:"encrypted"`
	Key         string                     `xml:"kmsKeyId,omitempty"`
	Multi       bool                       `xml:"multiAttachEnabled"`
}

func xmlVolumeOf(v *volume) xmlVolume {
	x := xmlVolume{
		ID: v.ID, Size: v.Size, Zone: v.Zone, Status: v.status(), Created: timestamp(v.Created), Tags: xmlTags(v.Tags), Type: v.Type,
		IOPS: v.IOPS, Throughput: v.Throughput, Encrypted: v.Encrypted, Key: v.Key,
	}
	if v.Instance != "" {
		x.Attachments.Item = []xmlVolumeAttachment{{v.ID, v.Instance, v.Device, "attached", timestamp(v.Created), v.DeleteOnTermination}}
	}
	return x
}

type createVolumeInput struct {
	dryRun
	Zone          string `ec2:"AvailabilityZone"`
	ZoneID        string `ec2:"AvailabilityZoneId"`
	Size          *int
	Type          string `ec2:"VolumeType"`
	Iops          *int
	Throughput    *int
	Encrypted     bool
	MultiAttach   bool               `ec2:"MultiAttachEnabled,off"`
	KmsKeyID      string             `ec2:"KmsKeyId"`
	Token         string             `ec2:"ClientToken"`
	Specification []tagSpecification `ec2:"TagSpecification"`
}

func (in createVolumeInput) check() error {
	if in.Zone == "" && in.ZoneID == "" {
		return missing("AvailabilityZone")
	}
	return cmp.Or(checkKey(in.KmsKeyID, in.Encrypted), checkToken(in.Token))
}

func createVolume(c *call, in createVolumeInput) (any, error) {
	zone, err := c.zoneNamed(in.Zone, in.ZoneID)
	if err != nil {
		return nil, refuse("InvalidZone.NotFound", "The zone '"+in.Zone+in.ZoneID+"' does not exist.")
	}
	made, err := volumeKind().create(c, in.Specification, map[string][]string{"ec2:availabilityzone": {zone}})
	if err != nil {
		return nil, err
	}
	v := &volume{base: made, Zone: zone, Created: c.Time, replayable: c.replayable(in.Token)}
	v.encrypt(c, in.Encrypted, in.KmsKeyID)
	if err := v.shape(ebsInput{Size: in.Size, Type: in.Type, Iops: in.Iops, Throughput: in.Throughput}, 0); err != nil {
		return nil, err
	}
	if done, err := replayed(maps.Values(c.region.Volumes), v.replayable); err != nil {
		return nil, err
	} else if len(done) > 0 {
		return xmlFields(xmlVolumeOf(done[0])), nil
	}
	if err := boundedHere(len(c.region.Volumes), maxVolumes, "VolumeLimitExceeded", "volumes of a region"); err != nil {
		return nil, err
	}
	c.region.Volumes[v.ID] = v
	x := xmlVolumeOf(v)
	x.Status = "creating"
	return xmlFields(x), nil
}

// xmlFields returns a volume as the fields of a response.
func xmlFields(x xmlVolume) fields {
	response := fields{
		element("volumeId", x.ID), element("size", x.Size), element("snapshotId", ""), element("availabilityZone", x.Zone), element("status", x.Status),
		element("createTime", x.Created), element("volumeType", x.Type), element("iops", x.IOPS), element("encrypted", x.Encrypted), element("multiAttachEnabled", false),
	}
	if x.Throughput > 0 {
		response = append(response, element("throughput", x.Throughput))
	}
	if x.Key != "" {
		response = append(response, element("kmsKeyId", x.Key))
	}
	if x.Tags != nil {
		response = append(response, element("tagSet", x.Tags))
	}
	return response
}

type volumeInput struct {
	dryRun
	ID string `ec2:"VolumeId,required"`
}

func deleteVolume(c *call, in volumeInput) (any, error) {
	v, err := volumeKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	if v.Instance != "" {
		return nil, refuse("VolumeInUse", "Volume "+v.ID+" is currently attached to "+v.Instance)
	}
	delete(c.region.Volumes, v.ID)
	return nil, nil
}

type modifyVolumeInput struct {
	dryRun
	ID         string `ec2:"VolumeId,required"`
	Size       *int
	Type       string `ec2:"VolumeType"`
	Iops       *int
	Throughput *int
}

func modifyVolume(c *call, in modifyVolumeInput) (any, error) {
	v, err := volumeKind().taken(c, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Size != nil && *in.Size < v.Size {
		return nil, invalid(fmt.Sprintf("New size cannot be smaller than existing size %d", v.Size))
	}
	asked := ebsInput{Size: in.Size, Type: in.Type, Iops: in.Iops, Throughput: in.Throughput}
	if in.Type == "" || in.Type == v.Type { // what is not asked for stays
		if asked.Iops == nil && v.Type != "gp2" && v.IOPS > 0 {
			asked.Iops = &v.IOPS
		}
		if asked.Throughput == nil && v.Throughput > 0 {
			asked.Throughput = new(v.Throughput)
		}
	}
	before := volumeBefore{v.Size, v.Type, v.IOPS, v.Throughput}
	if err := v.shape(asked, v.Size); err != nil {
		return nil, err
	}
	v.Before, v.Modified = &before, c.Time
	return fields{element("volumeModification", xmlModificationOf(v))}, nil
}

type xmlModification struct {
	Volume   string    `xml:"volumeId"`
	State    string    `xml:"modificationState"`
	Size     int       `xml:"targetSize"`
	IOPS     int       `xml:"targetIops"`
	Type     string    `xml:"targetVolumeType"`
	Rate     int       `xml:"targetThroughput"`
	WasSize  int       `xml:"originalSize"`
	WasIOPS  int       `xml:"originalIops"`
	WasType  string    `xml:"originalVolumeType"`
	WasRate  int       `xml:"originalThroughput"`
	Progress int       `xml:"progress"`
	Started  timestamp `xml:"startTime"`
	Ended    timestamp `xml:"endTime"`
}

func xmlModificationOf(v *volume) xmlModification {
	return xmlModification{
		v.ID, "completed", v.Size, v.IOPS, v.Type, v.Throughput, v.Before.Size, v.Before.IOPS, v.Before.Type, v.Before.Throughput, 100,
		timestamp(v.Modified), timestamp(v.Modified),
	}
}

func describeModifications(c *call, in volumesInput) (any, error) {
	var all []*volume
	for _, id := range in.IDs {
		v, err := volumeKind().find(c, id)
		if err != nil {
			return nil, err
		}
		if v.Before == nil {
			return nil, refuse("InvalidVolumeModification.NotFound", "Modification for volume '"+id+"' does not exist.")
		}
		all = append(all, v)
	}
	if len(in.IDs) == 0 {
		all = slices.DeleteFunc(volumeKind().sorted(c), func(v *volume) bool { return v.Before == nil })
	}
	slices.SortFunc(all, func(a, b *volume) int { return strings.Compare(a.ID, b.ID) })
	all, err := filtered(in.Filter, all, map[string]field[*volume]{
		"modification-state":   always[*volume]("completed"),
		"original-size":        one(func(v *volume) string { return strconv.Itoa(v.Before.Size) }),
		"original-volume-type": one(func(v *volume) string { return v.Before.Type }),
		"target-size":          one(func(v *volume) string { return strconv.Itoa(v.Size) }),
		"target-volume-type":   one(func(v *volume) string { return v.Type }),
		"volume-id":            one((*volume).id),
	}, nil)
	if err != nil {
		return nil, err
	}
	return page(in.paging, "volumeModificationSet", all, (*volume).id, xmlModificationOf)
}
