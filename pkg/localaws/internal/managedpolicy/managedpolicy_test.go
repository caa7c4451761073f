package managedpolicy_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/managedpolicy"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// TestPolicies checks every file, in several partitions.
func TestPolicies(t *testing.T) {
	t.Parallel()
	var files []string
	err := filepath.WalkDir("policies", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(path), "policies/"), ".json"))
		}
		return err
	})
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	version := regexp.MustCompile(`^v[1-9]\d*$`)
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov", "aws-eusc"} {
		catalog, ids := managedpolicy.New(partition), map[string]string{}
		previous, count := "", 0
		for p := range catalog.All() {
			count++
			if p.ARN <= previous {
				t.Errorf("%s comes after %s", p.ARN, previous)
			}
			previous = p.ARN
			if p.ARN != "arn:"+partition+":iam::aws:policy"+p.Path+p.Name || catalog.ARN(strings.TrimPrefix(p.Path, "/")+p.Name) != p.ARN || !catalog.Has(p.ARN) {
				t.Errorf("%s has the path %s and the name %s", p.ARN, p.Path, p.Name)
			}
			if !version.MatchString(p.Version) || p.Created.IsZero() || p.Description == "" || len(p.ID) != 21 || p.Document == nil {
				t.Errorf("%s: %+v", p.ARN, p)
			}
			if other := ids[p.ID]; other != "" {
				t.Errorf("%s and %s have the same ID", p.ARN, other)
			}
			ids[p.ID] = p.ARN
			if partition != "aws" && strings.Contains(p.Text, `"arn:aws:`) {
				t.Errorf("%s has ARNs of another partition", p.ARN)
			}
			if !strings.HasPrefix(p.Text, "{\n    \"Version\": \"2012-10-17\",\n") {
				t.Errorf("%s: %.80q", p.ARN, p.Text)
			}
		}
		if count != len(files) {
			t.Errorf("%s has %d policies of %d files", partition, count, len(files))
		}
	}
}

// TestFilesAreStrict checks that no file has a field that nothing reads.
func TestFilesAreStrict(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("policies", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var file struct {
			Description, Version, Created string
			Document                      json.RawMessage
		}
		if err := decoder.Decode(&file); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	catalog := managedpolicy.New("aws")
	for arn, want := range map[string]bool{
		"arn:aws:iam::aws:policy/AmazonEKSClusterPolicy":                 true,
		"arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy":  true,
		"arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicy":               false,
		"arn:aws:iam::aws:policy/amazoneksclusterpolicy":                 false,
		"arn:aws:iam::aws:policy/None":                                   false,
		"arn:aws:iam::aws:policy/":                                       false,
		"arn:aws:iam::aws:policy/service-role":                           false,
		"arn:aws:iam::aws:policy/service-role/../AmazonEKSClusterPolicy": false,
		"arn:aws:iam::aws:policy//AmazonEKSClusterPolicy":                false,
		"arn:aws:iam::aws:policy/AmazonEKSClusterPolicy.json":            false,
		"arn:aws:iam::aws:policy/AmazonEKSClusterPolicy\x00":             false,
		"arn:aws-cn:iam::aws:policy/AmazonEKSClusterPolicy":              false,
		"arn:aws:iam::123456789012:policy/AmazonEKSClusterPolicy":        false,
		"AmazonEKSClusterPolicy":                                         false,
		"":                                                               false,
	} {
		p, ok := catalog.Get(arn)
		if ok != want || ok && p.ARN != arn {
			t.Errorf("%q: %v, %v", arn, p, ok)
		}
		if again, _ := catalog.Get(arn); again != p {
			t.Errorf("%q was parsed twice", arn)
		}
	}
}

// TestPoliciesAllow checks a few permissions on which the guides rely.
func TestPoliciesAllow(t *testing.T) {
	t.Parallel()
	catalog := managedpolicy.New("aws-cn")
	for _, test := range []struct {
		name, action, resource string
		want                   policy.Decision
	}{
		{"AdministratorAccess", "iam:CreateUser", "*", policy.Allow},
		{"PowerUserAccess", "eks:CreateCluster", "*", policy.Allow},
		{"PowerUserAccess", "iam:CreateUser", "*", policy.ImplicitDeny},
		{"PowerUserAccess", "iam:ListRoles", "*", policy.Allow},
		{"ReadOnlyAccess", "eks:DescribeCluster", "*", policy.Allow},
		{"ReadOnlyAccess", "eks:CreateCluster", "*", policy.ImplicitDeny},
		{"AmazonEKSWorkerNodePolicy", "eks:DescribeCluster", "arn:aws-cn:eks:cn-north-1:1:cluster/a", policy.Allow},
		{"AmazonEKS_CNI_Policy", "ec2:CreateTags", "arn:aws-cn:ec2:cn-north-1:123456789012:network-interface/eni-1", policy.Allow},
		{"AmazonEKS_CNI_Policy", "ec2:CreateTags", "arn:aws:ec2:cn-north-1:123456789012:network-interface/eni-1", policy.ImplicitDeny},
		{"AmazonEKS_CNI_Policy", "ec2:CreateTags", "arn:aws-cn:ec2:cn-north-1:123456789012:instance/i-1", policy.ImplicitDeny},
	} {
		p, ok := catalog.Get(catalog.ARN(test.name))
		if !ok {
			t.Errorf("no %s", test.name)
			continue
		}
		if got := policy.Evaluate(policy.Request{Action: test.action, Resource: test.resource}, p.Document); got != test.want {
			t.Errorf("%s: %s on %s: %s, want %s", test.name, test.action, test.resource, got, test.want)
		}
	}
}

// TestServiceLinked checks which policies only services can have.
func TestServiceLinked(t *testing.T) {
	t.Parallel()
	for p := range managedpolicy.New("aws").All() {
		if got, want := p.ServiceLinked(), strings.HasPrefix(p.Path, "/aws-service-role/"); got != want {
			t.Errorf("%s: %v", p.ARN, got)
		}
	}
}
