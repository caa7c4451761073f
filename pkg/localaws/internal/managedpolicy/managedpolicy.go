// Package managedpolicy has AWS-managed policies: those that the guides of EKS,
// Karpenter and the AWS Load Balancer Controller, eksctl and terraform-aws-eks name,
// and common ones for people. Three that EKS's guide names are missing:
// AmazonEKSLocalOutpostServiceRolePolicy, AmazonFSxFullAccess and
// CloudWatchNetworkFlowMonitorAgentPublishPolicy.
//
// A policy is a file in policies, at its path and name. It has the statements of the
// version that AWS had on its date, and no earlier version. The few that would have
// thousands of actions are excerpts, and their description says so.
package managedpolicy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

var (
	//go:embed policies
	files embed.FS
)

// A Policy is an AWS-managed policy.
type Policy struct {
	// Path begins and ends with a slash.
	Name, Path, ARN, Description string
	// ID is the same in every account.
	ID string
	// Version is the ID of the only version, such as v9, and Created its date.
	Version string
	Created time.Time
	// Text is the document, and Document its parsed form.
	Text     string
	Document *policy.Document
}

// ServiceLinked reports that only the role of a service can have the policy.
func (p *Policy) ServiceLinked() bool { return p.Path == "/aws-service-role/" }

// A Catalog has the policies of a partition, for several goroutines. It reads a policy
// when it is first asked for.
type Catalog struct {
	prefix string // of the ARNs

	mu   sync.Mutex
	read map[string]*Policy // by ARN
}

// New returns the catalog of a partition, such as aws-cn.
func New(partition string) *Catalog {
	return &Catalog{prefix: "arn:" + partition + ":iam::aws:policy/", read: map[string]*Policy{}}
}

// ARN returns the ARN of a policy. The name includes its path, without the first
// slash.
func (c *Catalog) ARN(name string) string { return c.prefix + name }

// Has reports whether an ARN is in the namespace of the partition's AWS-managed
// policies, whether or not the catalog has the policy.
func (c *Catalog) Has(arn string) bool { return strings.HasPrefix(arn, c.prefix) }

// Get returns the policy with an ARN. Callers must not change it.
func (c *Catalog) Get(arn string) (*Policy, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.read[arn]; ok {
		return p, true
	}
	name, ok := strings.CutPrefix(arn, c.prefix)
	if !ok {
		return nil, false
	}
	text, err := files.ReadFile("policies/" + name + ".json")
	if err != nil {
		return nil, false
	}
	p, err := c.parse(name, text)
	if err != nil { // a test reads every file
		return nil, false
	}
	c.read[arn] = p
	return p, true
}

// parse parses the file of a policy, and moves its ARNs to the partition.
func (c *Catalog) parse(name string, text []byte) (*Policy, error) {
	var file struct {
		Description string
		Version     string
		Created     time.Time
		Document    json.RawMessage
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("reading the policy %s: %w", name, err)
	}
	var document bytes.Buffer
	if err := json.Indent(&document, file.Document, "", "    "); err != nil {
		return nil, fmt.Errorf("reading the policy %s: %w", name, err)
	}
	p := &Policy{
		Name: path.Base(name), Path: "/", ARN: c.prefix + name, Description: file.Description, Version: file.Version, Created: file.Created,
	}
	if directory := path.Dir(name); directory != "." {
		p.Path = "/" + directory + "/"
	}
	sum := sha256.Sum256([]byte(p.Name))
	p.ID = "ANPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
	partition, _, _ := strings.Cut(strings.TrimPrefix(c.prefix, "arn:"), ":")
	p.Text = strings.ReplaceAll(document.String(), `"arn:aws:`, `"arn:`+partition+`:`)
	var err error
	if p.Document, err = policy.Parse([]byte(p.Text)); err != nil {
		return nil, fmt.Errorf("parsing the policy %s: %w", name, err)
	}
	return p, nil
}

// All returns the policies, by ARN.
func (c *Catalog) All() iter.Seq[*Policy] {
	return func(yield func(*Policy) bool) {
		for _, arn := range c.arns() {
			if p, ok := c.Get(arn); ok && !yield(p) {
				return
			}
		}
	}
}

func (c *Catalog) arns() []string {
	names, _ := fs.Glob(files, "policies/*.json") // fails only for a bad pattern
	nested, _ := fs.Glob(files, "policies/*/*.json")
	var arns []string
	for _, name := range append(names, nested...) {
		arns = append(arns, c.prefix+strings.TrimSuffix(strings.TrimPrefix(name, "policies/"), ".json"))
	}
	slices.SortFunc(arns, cmp.Compare[string])
	return arns
}
