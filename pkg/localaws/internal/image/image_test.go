package image

import (
	"regexp"
	"strings"
	"testing"
)

// TestImagesAreThoseOfParameters checks that each parameter names an image that Find
// finds, in its region alone.
func TestImagesAreThoseOfParameters(t *testing.T) {
	id := regexp.MustCompile(`^ami-[0-9a-f]{17}$`)
	found := map[string]bool{}
	for _, name := range Under("/aws/service") {
		p, ok := Named("eu-west-2", name)
		if !ok || p.Value == "" || p.Name != name || p.Modified.IsZero() {
			t.Errorf("%s: %+v", name, p)
		}
		if !strings.HasSuffix(name, "/image_id") && !strings.Contains(name, "-linux-latest/") {
			continue
		}
		i, ok := Find("eu-west-2", p.Value)
		if !ok || !id.MatchString(i.ID) || i.ID != p.Value || !strings.Contains(name, i.Architecture) && !strings.Contains(name, "amazon-linux-2") {
			t.Errorf("%s: %s is the image %+v", name, p.Value, i)
		}
		if _, elsewhere := Find("us-east-1", p.Value); elsewhere {
			t.Errorf("%s: two regions have the image %s", name, p.Value)
		}
		found[i.ID] = true
	}
	if all := All("eu-west-2"); len(all) != len(found) {
		t.Errorf("%d images, %d of them in parameters", len(all), len(found))
	}
}

func TestParameters(t *testing.T) {
	for name, want := range map[string]string{
		"/aws/service/eks/optimized-ami/1.31/amazon-linux-2/recommended/release_version":                                                            "1.31.14-20260615",
		"/aws/service/eks/optimized-ami/1.31/amazon-linux-2-arm64/recommended/image_name":                                                           "amazon-eks-arm64-node-1.31-v20260615",
		"/aws/service/eks/optimized-ami/1.33/amazon-linux-2/recommended/image_id":                                                                   "",
		"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_name":                                              "amazon-eks-node-al2023-x86_64-standard-1.36-v20260615",
		"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/arm64/standard/recommended/release_version":                                          ReleaseVersion("1.36"),
		"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/arm64/standard/amazon-eks-node-al2023-arm64-standard-1.36-v20260615/release_version": "1.36.0-20260615",
		"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended":                                                         `{"schema_version":"2","image_id":"` + idOf("eu-west-2", "amazon-eks-node-al2023-x86_64-standard-1.36-v20260615") + `","image_name":"amazon-eks-node-al2023-x86_64-standard-1.36-v20260615","release_version":"1.36.0-20260615"}`,
		"/aws/service/bottlerocket/aws-k8s-1.36/arm64/latest/image_version":                                                                         "1.49.0-7a3f10c2",
		"/aws/service/bottlerocket/aws-k8s-1.36-fips/x86_64/latest/image_version":                                                                   "1.49.0-7a3f10c2",
		"/aws/service/bottlerocket/aws-k8s-1.36/arm64/1.49.0/image_id":                                                                              idOf("eu-west-2", "bottlerocket-aws-k8s-1.36-arm64-v1.49.0-7a3f10c2"),
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64":                                                                     idOf("eu-west-2", "al2023-ami-2023.12.20260615.0-kernel-6.1-x86_64"),
		"/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-arm64-gp2":                                                                  idOf("eu-west-2", "amzn2-ami-kernel-5.10-hvm-2.0.20260615.0-arm64-gp2"),
		"/aws/service/ami-amazon-linux-latest":                                                                                                      "",
	} {
		got, ok := Named("eu-west-2", name)
		if got.Value != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", name, got.Value, want)
		}
	}
	if got := Under("/aws/service/eks/optimized-ami/1.36/amazon-linux-2"); got != nil {
		t.Errorf("parameters under a path that only begins as others do: %q", got)
	}
	if Patch("1.20") != "" || ReleaseVersion("1.20") != "" {
		t.Error("1.20 has images")
	}
}
