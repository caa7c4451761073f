// Package image is the catalogue of machine images: those of EKS, Bottlerocket and
// Amazon Linux, with the public parameters of Systems Manager that name them.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An Image is a machine image (AMI) in a region.
type Image struct {
	// ID is "ami-" and 17 hex digits, which follow from the region and the name.
	ID, Name, Description string
	// Architecture is x86_64 or arm64.
	Architecture string
	// Owner is the account of Amazon that the image belongs to. Its alias is amazon.
	Owner   string
	Created time.Time
	// RootDevice is the name of the first volume, which has Gibibytes.
	RootDevice string
	Gibibytes  int
}

// Accounts that publish images.
const (
	ownerEKS          = "602401143452"
	ownerBottlerocket = "092701018921"
	ownerAmazonLinux  = "137112412989"
)

// published is the day of all images.
const published = "20260615"

// A release is a version of Kubernetes that images have.
type release struct {
	minor, patch string
	// linux2 reports that there are images of Amazon Linux 2.
	linux2 bool
}

// releases returns the versions of Kubernetes that EKS supports, the oldest first.
func releases() []release {
	return []release{
		{"1.31", "1.31.14", true},
		{"1.32", "1.32.11", true},
		{"1.33", "1.33.8", false},
		{"1.34", "1.34.4", false},
		{"1.35", "1.35.1", false},
		{"1.36", "1.36.0", false},
	}
}

// Patch returns the version of Kubernetes in the images of a minor version: 1.36.0 in
// those of 1.36. It is empty without images.
func Patch(minor string) string {
	for _, r := range releases() {
		if r.minor == minor {
			return r.patch
		}
	}
	return ""
}

// ReleaseVersion returns the release of EKS's images of a minor version, as node
// groups have it: 1.36.0-20260615. It is empty without images.
func ReleaseVersion(minor string) string {
	if patch := Patch(minor); patch != "" {
		return patch + "-" + published
	}
	return ""
}

// All returns the images in a region.
func All(region string) []Image {
	entries := catalogue().entries
	all := make([]Image, len(entries))
	for i, e := range entries {
		all[i] = e.in(region)
	}
	return all
}

// Find returns the image with an ID in a region.
func Find(region, id string) (Image, bool) {
	for _, e := range catalogue().entries {
		if idOf(region, e.Name) == id {
			return e.in(region), true
		}
	}
	return Image{}, false
}

func idOf(region, name string) string {
	sum := sha256.Sum256([]byte(region + "/" + name))
	return "ami-0" + hex.EncodeToString(sum[:8])
}

// An entry is an image of any region, with its parameters.
type entry struct {
	Image // without an ID
	// release is the image's version, for parameters.
	release string
	// parameters are the names of parameters, with what each is.
	parameters []parameter
}

func (e entry) in(region string) Image {
	e.ID = idOf(region, e.Name)
	return e.Image
}

type catalog struct {
	entries []entry
	// parameters are all parameters, by name; sorted has their names.
	parameters map[string]located
	sorted     []string
}

// catalogue is the same in all regions, but for the IDs.
var catalogue = sync.OnceValue(func() catalog {
	var entries []entry
	for _, r := range releases() {
		entries = append(entries, kubernetesImages(r)...)
	}
	return index(append(entries, amazonLinux()...))
})

// kubernetesImages returns the images with a version of Kubernetes.
func kubernetesImages(r release) []entry {
	version := r.patch + "-" + published
	var all []entry
	add := func(path, name, system, architecture string) {
		name += "-" + r.minor + "-v" + published
		all = append(all, entry{
			Image: Image{
				Name: name, Description: "EKS-optimized Kubernetes node based on " + system + " (k8s: " + r.patch + ")",
				Architecture: architecture, Owner: ownerEKS, Created: day(), RootDevice: "/dev/xvda", Gibibytes: 20,
			},
			release: version, parameters: eksParameters("/aws/service/eks/optimized-ami/"+r.minor+"/"+path, name),
		})
	}
	if r.linux2 {
		add("amazon-linux-2", "amazon-eks-node", "Amazon Linux 2", "x86_64")
		add("amazon-linux-2-arm64", "amazon-eks-arm64-node", "Amazon Linux 2", "arm64")
		add("amazon-linux-2-gpu", "amazon-eks-gpu-node", "Amazon Linux 2", "x86_64")
	}
	for _, kind := range []string{"x86_64/standard", "x86_64/nvidia", "x86_64/neuron", "arm64/standard", "arm64/nvidia"} {
		architecture, _, _ := strings.Cut(kind, "/")
		add("amazon-linux-2023/"+kind, "amazon-eks-node-al2023-"+strings.ReplaceAll(kind, "/", "-"), "Amazon Linux 2023", architecture)
	}
	for _, variant := range []string{"", "-nvidia", "-fips", "-nvidia-fips"} {
		for _, architecture := range []string{"x86_64", "arm64"} {
			all = append(all, bottlerocket("aws-k8s-"+r.minor+variant, architecture))
		}
	}
	return all
}

func bottlerocket(variant, architecture string) entry {
	const version = "1.49.0-7a3f10c2"
	e := entry{
		Image: Image{
			Name: "bottlerocket-" + variant + "-" + architecture + "-v" + version, Description: "bottlerocket-" + variant + "-" + architecture + "-v" + version,
			Architecture: architecture, Owner: ownerBottlerocket, Created: day(), RootDevice: "/dev/xvda", Gibibytes: 2,
		},
		release: version,
	}
	plain, _, _ := strings.Cut(version, "-")
	for _, name := range []string{"latest", version, plain} {
		path := "/aws/service/bottlerocket/" + variant + "/" + architecture + "/" + name
		e.parameters = append(e.parameters, parameter{path + "/image_id", valueID}, parameter{path + "/image_version", valueRelease})
	}
	return e
}

// amazonLinux returns the images of Amazon Linux without Kubernetes.
func amazonLinux() []entry {
	var all []entry
	add := func(name, description, architecture string, gibibytes int, parameters ...string) {
		e := entry{Image: Image{
			Name: name, Description: description, Architecture: architecture, Owner: ownerAmazonLinux, Created: day(), RootDevice: "/dev/xvda", Gibibytes: gibibytes,
		}}
		for _, p := range parameters {
			e.parameters = append(e.parameters, parameter{"/aws/service/ami-amazon-linux-latest/" + p, valueID})
		}
		all = append(all, e)
	}
	for _, architecture := range []string{"x86_64", "arm64"} {
		for _, kind := range []string{"", "minimal-"} {
			gibibytes := 8
			if kind != "" {
				gibibytes = 2
			}
			prefix := "al2023-ami-" + kind
			add(prefix+"2023.12."+published+".0-kernel-6.1-"+architecture, "Amazon Linux 2023 AMI 2023.12."+published+".0 "+architecture+" HVM kernel-6.1",
				architecture, gibibytes, prefix+"kernel-default-"+architecture, prefix+"kernel-6.1-"+architecture)
		}
		for _, kernel := range []string{"", "kernel-5.10-"} {
			add("amzn2-ami-"+kernel+"hvm-2.0."+published+".0-"+architecture+"-gp2", "Amazon Linux 2 "+strings.ToUpper(architecture)+" HVM gp2",
				architecture, 8, "amzn2-ami-"+kernel+"hvm-"+architecture+"-gp2")
		}
	}
	return all
}

func day() time.Time {
	number, _ := strconv.Atoi(published) // a number, as above
	return time.Date(number/10000, time.Month(number/100%100), number%100, 0, 0, 0, 0, time.UTC)
}
