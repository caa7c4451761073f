// Package admission judges edits of aws-auth, of the two ConfigMaps that belong to it and
// of IAMIdentityMappings, before the API server makes them. It refuses an edit only for
// what that edit makes worse, so that broken mappings can be mended step by step.
package admission

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/history"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Config is the configuration of a [Guard]. The zero value guards everything but the
// mappings.
type Config struct {
	// Options are the options with which the server reads aws-auth.
	Options awsauth.Options
	// Reading returns the reading of aws-auth that is in force: a section that does not
	// parse keeps the content that it has there. It returns nil while there is none.
	// A nil function means that the server does not read aws-auth: every edit is allowed.
	Reading func() *awsauth.Result
	// AWSAuth is what the cluster has besides aws-auth.
	AWSAuth Besides

	// MappingEdit returns what an edit of an IAMIdentityMapping does to all of them, see
	// [MappingEdit]. Old is nil if it is created, and updated if it is deleted. It returns
	// false until they are read. A nil function means that the server does not read them:
	// every edit is allowed.
	MappingEdit func(old, updated *unstructured.Unstructured) (MappingEdit, bool)
	// Mappings is what the cluster has besides the IAMIdentityMappings.
	Mappings Besides

	// Nodes are the nodes that signed in.
	Nodes lockout.Nodes
}

// Besides is what a cluster has besides the mappings of one source.
type Besides struct {
	// Mapper returns what maps with a table in place of that of the source: the cluster's
	// owners and its other sources too. With nil, nothing but the table maps.
	Mapper func(table *mapper.Table) mapper.Mapper
	// Masters is set if another source maps somebody to system:masters.
	Masters bool
	// Reserved are the prefixes that usernames of the source must not have.
	Reserved []string
}

// A MappingEdit is what an edit of one IAMIdentityMapping does.
type MappingEdit struct {
	// Before and After are the mappings of all objects.
	Before, After *mapper.Table
	// Was and Is are the problems of the object.
	Was, Is []mapper.Problem
}

// A Guard judges edits. It is safe for concurrent use.
type Guard struct{ config Config }

// New returns a guard.
func New(config Config) *Guard { return &Guard{config} }

// An Edit is a change of a ConfigMap in kube-system, or of an IAMIdentityMapping.
type Edit struct {
	// Name is the name of the ConfigMap, or iamidentitymapping/NAME.
	Name string
	// Old is nil if the ConfigMap is created, and New if it is deleted.
	Old, New *unstructured.Unstructured
	// Extra describes the user who edits, as a TokenReview does.
	Extra map[string][]string

	user string
}

// A Verdict is what the guard has to say about an edit.
type Verdict struct {
	// Losses are what the edit makes worse.
	Losses []string
	// Hash is that of an edit with losses.
	Hash string
	// Overridden is set if the edit has the annotation that accepts the losses.
	Overridden bool
	// Warnings are mistakes that the edit leaves.
	Warnings []string
}

// Refused reports whether the edit is refused.
func (v Verdict) Refused() bool { return len(v.Losses) > 0 && !v.Overridden }

// Judge judges an edit. The error says that an object cannot be read at all.
func (g *Guard) Judge(edit Edit) (v Verdict, err error) {
	switch {
	case strings.HasPrefix(edit.Name, mappingPrefix):
		v, err = g.judgeMapping(edit)
	case edit.Name == kube.AWSAuth:
		v, err = g.judgeAWSAuth(edit)
	case edit.Name == kube.AWSAuthLastGood:
		v = judgeContent(edit, kube.CheckLastGood, "a section of aws-auth that does not parse maps nobody once a server restarts")
	case edit.Name == history.Name:
		v = judgeContent(edit, history.Check, `"authenticator map rollback" cannot undo earlier edits`)
	}
	if len(v.Losses) > 0 {
		v.Hash = Hash(edit.Name, edit.Old, edit.New)
		v.Overridden = overridden(edit, v.Hash)
	}
	return v, err
}

// judgeContent judges an edit of a ConfigMap that servers write. The edit must not make
// its content unreadable. Servers do without the ConfigMap, so that its deletion is only
// a warning.
func judgeContent(edit Edit, check func(*unstructured.Unstructured) error, effect string) (v Verdict) {
	switch {
	case edit.New == nil:
		v.Warnings = []string{"without " + edit.Name + ", " + effect + "; the manifests create it again"}
	case edit.Old == nil || check(edit.Old) != nil:
	default:
		if err := check(edit.New); err != nil {
			v.Losses = []string{"its content could no longer be read: " + err.Error() + "; " + effect}
		}
	}
	return v
}
