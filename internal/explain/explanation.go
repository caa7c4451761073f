// Package explain turns a decision and its trace into an explanation: who the caller
// is, which rules were tried, which of them nearly matched, and what to do. It is pure,
// and decides nothing itself.
package explain

import (
	"slices"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Explanation explains a decision. Its JSON is an interface for programs: fields are
// added, but never renamed or removed. It contains no credential.
type Explanation struct {
	// Result says whether the caller signs in.
	Result Result `json:"result"`
	// Outcome is the outcome of the decision, as in the log and the metrics.
	Outcome authn.Outcome `json:"outcome"`
	// ClusterID is the cluster that the decision is for; empty if it does not matter.
	ClusterID string `json:"clusterID,omitempty"`
	// Mappings are the places that the mappings were read from.
	Mappings Mappings `json:"mappings"`
	// Token is the token; nil if the question was not about one.
	Token *Token `json:"token,omitempty"`
	// Principal is the AWS identity; nil if STS did not return one.
	Principal *Principal `json:"principal,omitempty"`
	// User is the Kubernetes user; nil unless Result is mapped.
	User *User `json:"user,omitempty"`
	// Rule is the rule that decided; nil if none did.
	Rule *Rule `json:"rule,omitempty"`
	// NearMisses are the rules and the ignored entries that are probably meant for the
	// caller, the most likely first.
	NearMisses []NearMiss `json:"nearMisses,omitempty"`
	// Rules are the rules in the order in which they were tried, at most 10,000 of
	// RulesTried.
	Rules      []Rule `json:"rules,omitempty"`
	RulesTried int    `json:"rulesTried"`
	// Problems are the mistakes in the mappings that concern the caller: those of its
	// entries, and those of whole sections and files.
	Problems []Problem `json:"problems,omitempty"`
	// EKS says what EKS would do differently, one sentence each.
	EKS []string `json:"eks,omitempty"`
	// Sentence is the answer in one sentence, and Command the command that mends it;
	// empty if nothing has to be mended.
	Sentence string `json:"sentence"`
	Command  string `json:"command,omitempty"`
}

// Foiled reports whether the mappings are in a manifest that the cluster ignores or
// rejects: the answer is then only that of a server that reads the file itself.
func (e Explanation) Foiled() bool {
	return slices.ContainsFunc(e.Problems, func(p Problem) bool { return foilsManifest(p.Code) })
}

// Result says whether the caller signs in.
type Result string

// The results.
const (
	Mapped    Result = "mapped"
	NotMapped Result = "notMapped"
	Undecided Result = "undecided"
)

// Mappings says where the mappings come from.
type Mappings struct {
	// From describes the place, and Because says why it was chosen.
	From    string `json:"from"`
	Because string `json:"because,omitempty"`
	// Error says why they could not be read; empty if they were.
	Error string `json:"error,omitempty"`
	// Sources are the sources in the order of their precedence.
	Sources []Source `json:"sources,omitempty"`
}

// Source is a source of mappings.
type Source struct {
	Name string `json:"name"`
	// Place describes where its mappings are, such as "file aws-auth.yaml".
	Place string `json:"place"`
	// Read is false if its mappings were not read yet.
	Read     bool `json:"read"`
	Mappings int  `json:"mappings"`
	Errors   int  `json:"errors"`
	Warnings int  `json:"warnings"`
}

// Token has the parts of a token that are not secret.
type Token struct {
	AccessKeyID string `json:"accessKeyID,omitempty"`
	Region      string `json:"region,omitempty"`
	Host        string `json:"host,omitempty"`
	// Signed and Expires are nil if the token is malformed.
	Signed  *time.Time `json:"signed,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	// AgeSeconds is the time since Signed by the clock of the verifier. It is negative
	// for a token from the future: then the two clocks differ by at least that.
	AgeSeconds *int64 `json:"ageSeconds,omitempty"`
	// Clocks says whose clock is wrong; nil if none is known to be.
	Clocks *skew.Reading `json:"clocks,omitempty"`
	// Verified is set if STS confirmed the parts. Otherwise they are only claims.
	Verified bool `json:"verified"`
	// Problem says what is wrong with the token; empty if nothing is.
	Problem string `json:"problem,omitempty"`
}

// Principal is an AWS identity.
type Principal struct {
	ARN          string `json:"arn"`
	CanonicalARN string `json:"canonicalARN"`
	Partition    string `json:"partition"`
	AccountID    string `json:"accountID"`
	UserID       string `json:"userID,omitempty"`
	SessionName  string `json:"sessionName,omitempty"`
	// Verified is set if STS returned the identity. Otherwise it is only a claim.
	Verified bool `json:"verified"`
	// Note says in which way the identity is not the one that was asked about; empty if
	// it is.
	Note string `json:"note,omitempty"`
}

// User is a Kubernetes user.
type User struct {
	Username string   `json:"username"`
	UID      string   `json:"uid,omitempty"`
	Groups   []string `json:"groups"`
	// Extra has the attributes for audit logs and policies.
	Extra map[string][]string `json:"extra,omitempty"`
}

// Rule is a rule that was tried.
type Rule struct {
	// Source is the name of the source, or "cluster owner".
	Source string `json:"source"`
	// Section and Line are the place in the source.
	Section string `json:"section,omitempty"`
	Line    int    `json:"line,omitempty"`
	// For is what the rule is for: an ARN, a permission set or an account.
	For     string `json:"for"`
	Matched bool   `json:"matched"`
	// Miss is the code of the reason why it does not map the caller, and Reason the
	// sentence.
	Miss   mapper.Miss `json:"miss,omitempty"`
	Reason string      `json:"reason,omitempty"`
}

// NearMiss is a rule or an ignored entry that is probably meant for the caller.
type NearMiss struct {
	Rule
	// Kind is the code of the most important difference.
	Kind Kind `json:"kind"`
	// Why describes all differences.
	Why string `json:"why"`
	// Code is the code of the mistake for which the entry is ignored; empty if it is
	// not.
	Code mapper.Code `json:"code,omitempty"`
	// Same is set if the differences are mistakes in the ARN of the caller, such as a
	// misspelt name. Otherwise the rule may be for another identity, and the caller must
	// not get its groups.
	Same bool `json:"same,omitempty"`
	// Username and Groups are those of the rule, with placeholders; empty if they are
	// unknown.
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// Problem is a mistake in a source of mappings.
type Problem struct {
	Source    string          `json:"source"`
	Code      mapper.Code     `json:"code"`
	Severity  mapper.Severity `json:"severity"`
	Section   string          `json:"section,omitempty"`
	Line      int             `json:"line,omitempty"`
	Column    int             `json:"column,omitempty"`
	Principal string          `json:"principal,omitempty"`
	Message   string          `json:"message"`
	Effect    string          `json:"effect,omitempty"`
	Fix       string          `json:"fix,omitempty"`
	Excerpt   string          `json:"excerpt,omitempty"`
}
