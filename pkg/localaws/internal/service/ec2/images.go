package ec2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
)

type imagesInput struct {
	listing
	paging
	IDs               []string `ec2:"ImageId"`
	Owners            []string `ec2:"Owner"`
	ExecutableBy      []string
	IncludeDeprecated bool
	IncludeDisabled   bool
}

type xmlImage struct {
	ID           string                `xml:"imageId"`
	Location     string                `xml:"imageLocation"`
	State        string                `xml:"imageState"`
	Owner        string                `xml:"imageOwnerId"`
	Alias        string                `xml:"imageOwnerAlias"`
	Created      string                `xml:"creationDate"`
	Public       bool                  `xml:"isPublic"`
	Architecture string                `xml:"architecture"`
	Type         string                `xml:"imageType"`
	ENA          bool                  `xml:"enaSupport"`
	Name         string                `xml:"name"`
	Description  string                `xml:"description"`
	RootType     string                `xml:"rootDeviceType"`
	Root         string                `xml:"rootDeviceName"`
	Devices      items[xmlImageDevice] `xml:"blockDeviceMapping"`
	Virtual      string                `xml:"virtualizationType"`
	Hypervisor   string                `xml:"hypervisor"`
	Platform     string                `xml:"platformDetails"`
	Usage        string                `xml:"usageOperation"`
}

type xmlImageDevice struct {
	Name string `xml:"deviceName"`
	EBS  struct {
		Delete    bool   `xml:"deleteOnTermination"`
		Size      int    `xml:"volumeSize"`
		Type      string `xml:"volumeType"`
		Encrypted bool   `xml:"encrypted"`
	} `xml:"ebs"`
}

func createdOn(i image.Image) string { return i.Created.UTC().Format("2006-01-02T15:04:05.000Z") }

func xmlImageOf(i image.Image) xmlImage {
	x := xmlImage{
		i.ID, "amazon/" + i.Name, "available", i.Owner, "amazon", createdOn(i), true, i.Architecture, "machine", true, i.Name, i.Description,
		"ebs", i.RootDevice, items[xmlImageDevice]{}, "hvm", "xen", "Linux/UNIX", "RunInstances",
	}
	device := xmlImageDevice{Name: i.RootDevice}
	device.EBS.Delete, device.EBS.Size, device.EBS.Type = true, i.Gibibytes, "gp3"
	x.Devices.Item = append(x.Devices.Item, device)
	return x
}

// imageKeys returns the condition keys of an image.
func imageKeys(i image.Image) map[string][]string {
	return map[string][]string{
		"aws:resourceaccount": {i.Owner}, "ec2:owner": {"amazon"}, "ec2:public": {"true"},
		"ec2:imageid": {i.ID}, "ec2:imagetype": {"machine"}, "ec2:rootdevicetype": {"ebs"},
	}
}

func checkImageID(id string) error {
	if !imageIDPattern.MatchString(id) {
		return refuse("InvalidAMIID.Malformed", fmt.Sprintf("Invalid id: %q (expecting \"ami-...\")", id))
	}
	return nil
}

// imageWith returns the image with an ID. The image of configured instances is no image
// that can be launched.
func (c *call) imageWith(id string) (image.Image, error) {
	found, ok := image.Find(c.Region, id)
	if !ok {
		return found, refuse("InvalidAMIID.NotFound", "The image id '["+id+"]' does not exist")
	}
	return found, nil
}

// describeImages describes the images of Amazon. An account here has none of its own.
func describeImages(c *call, in imagesInput) (any, error) {
	all := image.All(c.Region)
	for _, id := range in.IDs {
		if err := checkImageID(id); err != nil {
			return nil, err
		}
		if _, err := c.imageWith(id); err != nil {
			return nil, err
		}
	}
	all = slices.DeleteFunc(all, func(i image.Image) bool {
		return len(in.IDs) > 0 && !slices.Contains(in.IDs, i.ID) ||
			len(in.Owners) > 0 && !slices.Contains(in.Owners, i.Owner) && !slices.Contains(in.Owners, "amazon") ||
			len(in.ExecutableBy) > 0 && !slices.Contains(in.ExecutableBy, "all")
	})
	slices.SortFunc(all, func(a, b image.Image) int { return strings.Compare(a.ID, b.ID) })
	of := always[image.Image]
	all, err := filtered(in.Filter, all, map[string]field[image.Image]{
		"architecture":        one(func(i image.Image) string { return i.Architecture }),
		"creation-date":       one(createdOn),
		"description":         one(func(i image.Image) string { return i.Description }),
		"ena-support":         of("true"),
		"hypervisor":          of("xen"),
		"image-id":            one(func(i image.Image) string { return i.ID }),
		"image-type":          of("machine"),
		"is-public":           of("true"),
		"name":                one(func(i image.Image) string { return i.Name }),
		"owner-alias":         of("amazon"),
		"owner-id":            one(func(i image.Image) string { return i.Owner }),
		"platform":            func(image.Image) []string { return nil },
		"root-device-name":    one(func(i image.Image) string { return i.RootDevice }),
		"root-device-type":    of("ebs"),
		"state":               of("available"),
		"virtualization-type": of("hvm"),
	}, func(image.Image) map[string]string { return nil })
	if err != nil {
		return nil, err
	}
	return page(in.paging, "imagesSet", all, func(i image.Image) string { return i.ID }, xmlImageOf)
}
