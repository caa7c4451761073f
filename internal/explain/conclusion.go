package explain

import (
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/partition"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// conclude returns the answer in one sentence, and the command that mends it. A mistake
// that makes the cluster ignore or reject a manifest comes before the answer.
func conclude(facts Facts, explained authn.Explained, e Explanation) (sentence, command string) {
	sentence, command = concludeOutcome(facts, explained, e)
	if e.Principal == nil {
		return sentence, command
	}
	for _, p := range e.Problems {
		if foilsManifest(p.Code) {
			return fmt.Sprintf("The manifest has no effect as a ConfigMap: %s (%s). For a server that reads the file itself, %s", p.Message, p.Fix, sentence), edit(facts, p.Source, p.Line)
		}
	}
	return sentence, command
}

func concludeOutcome(facts Facts, explained authn.Explained, e Explanation) (sentence, command string) {
	switch explained.Decision.Outcome {
	case authn.Mapped:
		return concludeMapped(facts, e)
	case authn.Malformed, authn.Expired:
		return concludeToken(facts, explained)
	case authn.Refused:
		return concludeRefused(facts, explained)
	case authn.Denied:
		return concludeDenied(facts, explained, e)
	case authn.Unmapped:
		return concludeUnmapped(facts, explained, e)
	default:
		return concludeUndecided(facts, explained, e)
	}
}

// concludeMapped is about a principal that signs in, perhaps without all of its groups.
func concludeMapped(facts Facts, e Explanation) (sentence, command string) {
	sentence = fmt.Sprintf("%s signs in as %s in %s, by %s", e.Principal.CanonicalARN, e.User.Username, list(e.User.Groups), place(facts, *e.Rule))
	for _, p := range e.Problems {
		isRules := p.Source == e.Rule.Source && p.Section == e.Rule.Section && p.Line >= e.Rule.Line
		if p.Principal != "" && isRules && changesUser(p) {
			return fmt.Sprintf("%s. That may not be what the entry means: %s (%s).", sentence, p.Message, p.Fix), edit(facts, p.Source, p.Line)
		}
	}
	if facts.IDUnchecked {
		return fmt.Sprintf("%s, if the ID of the cluster is %s: that was not checked.", sentence, facts.ClusterID), ""
	}
	return sentence + ".", ""
}

// freshToken returns the command that makes a token, for a region if one is given, and
// explains it.
func freshToken(facts Facts, region string) string {
	return words(append([]string{"authenticator", "explain", "--cluster-id", facts.ClusterID, "--as-me"}, facts.Asked.Flags(region)...))
}

// awsCommand returns a command of the AWS CLI, with the profile of the question.
func awsCommand(facts Facts, command ...string) string {
	if facts.Asked.Profile != "" {
		command = append(command, "--profile", facts.Asked.Profile)
	}
	return words(append([]string{"aws"}, command...))
}

// whoCalls returns the command that prints the identity of AWS credentials.
func whoCalls(facts Facts) string { return awsCommand(facts, "sts", "get-caller-identity") }

// concludeToken is about a token that is invalid without asking STS.
func concludeToken(facts Facts, explained authn.Explained) (sentence, command string) {
	err, parts := explained.Decision.Err, explained.Token
	again := freshToken(facts, facts.Asked.Region)
	switch {
	case explained.Clocks != nil:
		return fmt.Sprintf("The token is not valid: %s.", explained.Clocks), mendClock(*explained.Clocks, again)
	case errors.Is(err, token.ErrHost):
		return concludeHost(facts, parts)
	}
	return fmt.Sprintf("The token is not valid, and STS was not asked: %s.", err), again
}

// mendClock returns the command that mends a wrong clock. again makes a new token.
func mendClock(reading skew.Reading, again string) string {
	switch reading.Fault() {
	case skew.Machine, skew.Maker, skew.Unknown:
		_, command := reading.Remedy()
		return command
	default:
		return again
	}
}

// concludeHost is about a token for an STS host that the server does not trust. The new
// token is not for the region of the question.
func concludeHost(facts Facts, parts token.Parts) (sentence, command string) {
	again := freshToken(facts, "")
	for _, p := range partition.All() {
		region, ok := p.STSRegion(parts.Host)
		switch {
		case !ok || !p.Has(region):
		case p.Name != facts.Partition:
			return fmt.Sprintf("The token is not valid: its STS host %s is in partition %s, but the cluster is in partition %s.", parts.Host, p.Name, facts.Partition), again
		case len(facts.Regions) > 0:
			return fmt.Sprintf("The token is not valid: it is for region %s, but the server accepts only %s (--sts-region). Set AWS_REGION to one of those, or add the region.", region, strings.Join(facts.Regions, ", ")),
				freshToken(facts, facts.Regions[0])
		}
	}
	return fmt.Sprintf("The token is not valid: its host %s is not an STS endpoint of AWS.", strconv.Quote(parts.Host)), again
}

// concludeRefused is about a token that STS does not accept.
func concludeRefused(facts Facts, explained authn.Explained) (sentence, command string) {
	again := freshToken(facts, facts.Asked.Region)
	code := ""
	if refused, ok := errors.AsType[*verify.RefusedError](explained.Decision.Err); ok {
		code = refused.Code
	}
	if explained.Clocks != nil && !explained.Clocks.TokenIsValid() {
		return fmt.Sprintf("STS refused the token (%s): %s.", code, explained.Clocks), mendClock(*explained.Clocks, again)
	}
	switch code {
	case "SignatureDoesNotMatch":
		return fmt.Sprintf("STS refused the token (%s): it was made for another cluster than %s, or with a wrong secret access key.", code, facts.ClusterID), again
	case "InvalidClientTokenId":
		return fmt.Sprintf("STS refused the token (%s): access key %s is inactive or deleted, or belongs to another partition.", code, explained.Token.AccessKeyID), whoCalls(facts)
	case "ExpiredToken", "ExpiredTokenException":
		return fmt.Sprintf("STS refused the token (%s): the AWS session that signed it has expired. Log in to AWS again.", code), awsCommand(facts, "sso", "login")
	}
	return fmt.Sprintf("STS refused the token: %s.", code), whoCalls(facts)
}

// concludeDenied is about a mapping that matches, but results in no user.
func concludeDenied(facts Facts, explained authn.Explained, e Explanation) (sentence, command string) {
	arn := e.Principal.CanonicalARN
	if e.Rule == nil {
		line := explained.Decision.Rule.Line
		sentence = fmt.Sprintf("%s does not sign in: %s, in line %d of %s. Remove the line only if it may sign in again.", arn, explained.Decision.Err, line, facts.DenyFile.Place)
		if facts.DenyFile.Edit != nil {
			command = facts.DenyFile.Edit(line)
		}
		return sentence, command
	}
	if e.Result == Undecided {
		return fmt.Sprintf("Whether %s signs in depends on its session: %s is for EC2 instances, whose session name is the instance ID.", arn, place(facts, *e.Rule)),
			explainAgain(facts, "--arn", arn, "--session", "i-0123456789abcdef0")
	}
	sentence = fmt.Sprintf("%s matches %s, but does not sign in: %s.", arn, place(facts, *e.Rule), explained.Decision.Err)
	if tried := decidedBy(explained); tried.Entry != nil {
		username, groups := templates(tried.Entry)
		if strings.Contains(username, "{{EC2PrivateDNSName}}") && !isInstance(*e.Principal) {
			// No other username makes it a node.
			return sentence + " A node uses the credentials of its instance, for which this prints an ARN that ends in the instance ID:", "aws sts get-caller-identity"
		}
		command = mapAdd(facts, *e.Principal, grant{groups: groups})
	}
	return sentence, command
}

// concludeUnmapped is about a principal that no mapping matches.
func concludeUnmapped(facts Facts, explained authn.Explained, e Explanation) (sentence, command string) {
	arn := e.Principal.CanonicalARN
	if e.Result == Undecided {
		tried := *nearestByUserID(explained)
		return fmt.Sprintf("Whether %s signs in depends on its unique ID: %s is for %s. Give --user-id, with the ID that this command prints:", arn, place(facts, newRule(tried)), tried.Entry.UserID), userIDOf(arn)
	}
	if home := e.Principal.Partition; home != facts.Partition {
		return fmt.Sprintf("%s is not mapped to a Kubernetes user: it is in partition %s, and a cluster in partition %s maps none of its identities.", arn, home, facts.Partition), ""
	}
	if len(e.NearMisses) == 0 {
		for _, p := range e.Problems {
			if hidesMappings(p.Code) {
				return fmt.Sprintf("%s is not mapped to a Kubernetes user, but a mistake hides a part of the mappings: %s (%s).", arn, p.Message, p.Fix), edit(facts, p.Source, p.Line)
			}
		}
		sentence = fmt.Sprintf("%s is not mapped to a Kubernetes user: no mapping is for it.%s", arn, ifEmptied(facts))
		if isInstance(*e.Principal) {
			return sentence + ifNode, mapAdd(facts, *e.Principal, nodeGrant())
		}
		return sentence, mapAdd(facts, *e.Principal, grant{})
	}
	miss := e.NearMisses[0]
	sentence = fmt.Sprintf("%s is not mapped to a Kubernetes user; the nearest entry is %s, but %s.", arn, place(facts, miss.Rule), miss.Why)
	// The entry keeps its username and groups if its mistake is corrected.
	if command = edit(facts, miss.Source, miss.Line); (miss.Kind == Dropped || miss.Section == mapAccounts) && command != "" {
		return sentence, command
	}
	isNode := strings.Contains(miss.Username, "{{EC2PrivateDNSName}}")
	switch {
	case miss.Section == mapAccounts:
		return sentence, mapAdd(facts, *e.Principal, grant{})
	case miss.Same && miss.Username != "" && (!isNode || isInstance(*e.Principal) || facts.SessionUnknown):
		return sentence, mapAdd(facts, *e.Principal, grant{miss.Username, miss.Groups})
	case isInstance(*e.Principal):
		return sentence + ifNode, mapAdd(facts, *e.Principal, nodeGrant())
	}
	return sentence + " The entry's groups may be meant for another identity: add --groups as this one needs.", mapAdd(facts, *e.Principal, grant{})
}

// ifEmptied returns what to do if aws-auth was deleted or emptied by mistake; empty if it has
// mappings, or is not read.
func ifEmptied(facts Facts) string {
	for _, s := range facts.Sources {
		if s.Name == awsAuth && s.Snapshot.Table != nil && s.Snapshot.Table.Len() == 0 && len(s.Snapshot.Problems) == 0 {
			return fmt.Sprintf(" %s maps nobody at all. If it was deleted or emptied by mistake, run: %s", s.Place, words(append([]string{"authenticator", "map", "rollback"}, facts.MapFlags...)))
		}
	}
	return ""
}

// awsAuth is the name of the source that reads the ConfigMap aws-auth.
const awsAuth = "EKSConfigMap"

// explainAgain returns the command that asks about a principal, as the question was asked.
func explainAgain(facts Facts, about ...string) string {
	command := []string{"authenticator", "explain"}
	if facts.ClusterID != "" {
		command = append(command, "--cluster-id", facts.ClusterID)
	}
	return words(slices.Concat(command, about, facts.Asked.Place, facts.Asked.Server))
}

// userIDOf returns the command that prints the unique ID of a principal; empty if AWS has
// none for it.
func userIDOf(arn string) string {
	who := subjectOf(arn)
	switch who.kind {
	case "role":
		return words([]string{"aws", "iam", "get-role", "--role-name", who.name, "--query", "Role.RoleId"})
	case "user":
		return words([]string{"aws", "iam", "get-user", "--user-name", who.name, "--query", "User.UserId"})
	}
	return ""
}

// A grant is what a mapping gives: a username and groups, with placeholders. An empty
// username means one made of the principal's name.
type grant struct {
	username string
	groups   []string
}

// nodeGrant returns what a node needs to join a cluster.
func nodeGrant() grant {
	return grant{"system:node:{{EC2PrivateDNSName}}", []string{"system:bootstrappers", mapper.NodesGroup}}
}

const ifNode = " Its session is that of an EC2 instance: map the role as below only if its instances are nodes of the cluster."

var instanceID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`) })

// isInstance reports whether the session of a role is that of an EC2 instance.
func isInstance(p Principal) bool {
	return subjectOf(p.CanonicalARN).kind == "role" && instanceID().MatchString(p.SessionName)
}

// edit returns the command that edits a line of a source; empty if there is none.
func edit(facts Facts, source string, line int) string {
	for _, s := range facts.Sources {
		if s.Name == source && s.Edit != nil {
			return s.Edit(line)
		}
	}
	return ""
}

// concludeUndecided is about a decision that could not be made.
func concludeUndecided(facts Facts, explained authn.Explained, e Explanation) (sentence, command string) {
	decision := explained.Decision
	switch decision.Outcome {
	case authn.Throttled:
		return "The server could not decide: AWS STS throttles its requests. Try again in a few seconds:", freshToken(facts, facts.Asked.Region)
	case authn.Saturated:
		return "The server could not decide: too many tokens wait for AWS STS. Try again in a few seconds:", freshToken(facts, facts.Asked.Region)
	case authn.Unreachable:
		return fmt.Sprintf("The server could not decide: %s.", decision.Err), "curl --head https://" + explained.Token.Host
	}
	switch notRead := errors.Is(decision.Err, mapper.ErrNotSynced); {
	case notRead && facts.Forbidden:
		arn := e.Principal.ARN
		if facts.SessionUnknown {
			arn = e.Principal.CanonicalARN
		}
		return fmt.Sprintf("Whether %s signs in is unknown, since you may not read the mappings: send this line to an administrator of %s.", e.Principal.CanonicalARN, clusterOf(facts)),
			words(append([]string{"authenticator", "explain", "--arn", arn}, facts.Asked.Server...))
	case notRead && facts.Unreadable != nil:
		return fmt.Sprintf("Whether %s signs in is unknown, since the mappings cannot be read: %s.", e.Principal.CanonicalARN, facts.Unreadable),
			facts.Reach
	case notRead:
		return "The server could not decide: its mappings have not been read yet.", facts.Ready
	}
	sentence = fmt.Sprintf("The server could not decide: %s.", decision.Err)
	if tried := decidedBy(explained); tried != nil && tried.Miss == mapper.MissUndecided && isInstance(*e.Principal) {
		return sentence + " With the AWS credentials of the server, this must print the name of the instance:",
			words([]string{"aws", "ec2", "describe-instances", "--instance-ids", e.Principal.SessionName, "--query", "Reservations[].Instances[].PrivateDnsName"})
	}
	return sentence, facts.Ready
}

func clusterOf(facts Facts) string {
	if facts.ClusterID == "" {
		return "the cluster"
	}
	return "cluster " + facts.ClusterID
}

// mapAdd returns the command that maps a principal to a grant.
func mapAdd(facts Facts, p Principal, g grant) string {
	what, flag := "user", "--userarn"
	who := subjectOf(p.CanonicalARN)
	name := p.CanonicalARN[strings.LastIndexAny(p.CanonicalARN, "/:")+1:]
	if who.kind == "role" {
		what, flag, name = "role", "--rolearn", name+":{{SessionName}}"
	}
	username := g.username
	if username == "" || strings.ContainsFunc(username, func(r rune) bool { return !strconv.IsPrint(r) }) {
		username = name
	}
	groups := slices.DeleteFunc(slices.Clone(g.groups), func(group string) bool {
		return strings.ContainsFunc(group, func(r rune) bool { return !strconv.IsPrint(r) })
	})
	if facts.Add != nil {
		return facts.Add(p.CanonicalARN, username, groups)
	}
	command := []string{"authenticator", "map", "add", what, flag, p.CanonicalARN, "--username", username}
	if len(groups) > 0 {
		command = append(command, "--groups", commaSeparated(groups))
	}
	return words(append(command, facts.MapFlags...))
}

// commaSeparated returns a list as a flag of a command takes it: as CSV. A group may have a
// comma in its name, and must not become two.
func commaSeparated(list []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(list) // a strings.Builder never fails
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// words returns a command as a line for a shell.
func words(command []string) string {
	return shell.Join(command...)
}
