package explain_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestModel compares the server and explain with a naive model of the mapping rules: for
// random mappings, and identities that mutate their entries. Each way to match must have
// at least 5% of the pairs.
//
// It compares 20,000 pairs; make e2e-long sets MODEL_MAPS=1000 for a million, which takes
// about 25 s on 2 idle CPUs.
func TestModel(t *testing.T) {
	t.Parallel()
	const identities = 1000
	maps := 20
	if text := os.Getenv("MODEL_MAPS"); text != "" {
		var err error
		if maps, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	counts := map[way]int{}
	var workers sync.WaitGroup
	seeds := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range seeds {
				counted := compareMap(t, seed, identities)
				mu.Lock()
				for how, n := range counted {
					counts[how] += n
				}
				mu.Unlock()
			}
		})
	}
	for seed := range maps {
		seeds <- uint64(seed)
	}
	close(seeds)
	workers.Wait()
	t.Logf("%d pairs: %v", maps*identities, counts)
	for _, how := range ways() {
		if share := float64(counts[how]) / float64(maps*identities); share < 0.05 {
			t.Errorf("%.1f%% of the pairs are %s, want at least 5%%", 100*share, how)
		}
	}
}

// way is the way in which the model decides about an identity.
type way string

const (
	byOwner    way = "owner"
	byARN      way = "exact ARN"
	byPath     way = "role path"
	bySession  way = "assumed role"
	bySSO      way = "permission set"
	byAccount  way = "account"
	overridden way = "overridden entry"
	byNothing  way = "none"
)

func ways() []way {
	return []way{byOwner, byARN, byPath, bySession, bySSO, byAccount, overridden, byNothing}
}

// A modelEntry is an entry as aws-auth has it.
type modelEntry struct {
	section, arn     string
	set, account     string // of sso
	username, groups string
	line             int
}

// A modelSource is the mappings of one source.
type modelSource struct {
	name     string
	entries  []modelEntry
	accounts []string
}

// A modelMap is a random map: sources, and how they are read.
type modelMap struct {
	random   *rand.Rand
	sources  []modelSource
	strip    bool
	asRole   bool
	reserved string
}

const modelOwner = "arn:aws:iam::111122223333:role/Owner"

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func newModelMap(seed uint64) *modelMap {
	m := &modelMap{random: rand.New(rand.NewPCG(seed, 11))}
	m.strip, m.asRole = m.random.IntN(4) > 0, m.random.IntN(4) > 0
	if m.random.IntN(5) == 0 {
		m.reserved = "root"
	}
	for i := range 1 + m.random.IntN(2) {
		m.sources = append(m.sources, m.newSource(fmt.Sprint("source", i)))
	}
	return m
}

func (m *modelMap) newSource(name string) modelSource {
	s := modelSource{name: name}
	for range 4 + m.random.IntN(6) {
		s.entries = append(s.entries, m.newEntry())
	}
	// Some entries are for the principal of another one.
	for range 2 {
		again := pick(m.random, s.entries...)
		again.arn = m.anyCase(again.arn)
		again.username, again.groups = m.newUsername(), m.newGroups()
		s.entries = append(s.entries, again)
	}
	for range m.random.IntN(3) {
		s.accounts = append(s.accounts, m.newAccount())
	}
	return s
}

func (m *modelMap) newAccount() string {
	return pick(m.random, "231144931069", "231144931068", "012345678901")
}

func (m *modelMap) newName() string {
	return pick(m.random, "Admin", "Admim", "admin-team", "Dev", "Ops", "View", "Node", "bob", "aws:ec2-instance", "a.b+c@d")
}

func (m *modelMap) newUsername() string {
	return pick(m.random, "alice", "root", "u:{{SessionName}}", "{{SessionNameRaw}}", "{{AccountID}}:{{AccessKeyID}}", "x{{SessionName}}-{{SessionName}}")
}

func (m *modelMap) newGroups() string {
	return pick(m.random, "", "[system:masters]", "[a, 'of:{{AccountID}}']", "['s:{{SessionName}}']")
}

func (m *modelMap) newEntry() modelEntry {
	e := modelEntry{section: pick(m.random, "mapRoles", "mapUsers"), username: m.newUsername(), groups: m.newGroups()}
	account, name := m.newAccount(), m.newName()
	switch m.random.IntN(10) {
	case 0:
		e.arn = "arn:aws:iam::" + account + ":user/" + name
	case 1:
		e.arn = "arn:aws:iam::" + account + ":user/div/" + name
	case 2:
		e.arn = pick(m.random, "arn:aws:iam::"+account+":root", "arn:aws:sts::"+account+":federated-user/"+name)
	case 3, 4:
		e.arn = "arn:aws:iam::" + account + ":role/" + pick(m.random, "team/", "a/b/") + name
	case 5:
		e.arn = "arn:aws:sts::" + account + ":assumed-role/" + name + "/session"
	case 6, 7:
		e.section, e.set, e.account = "mapRoles", strings.Map(plain, name), account
	case 8:
		e.arn = "arn:aws:iam::" + account + ":role/AWSReservedSSO_" + strings.Map(plain, name) + "_0123456789abcdef"
	default:
		e.arn = "arn:aws:iam::" + account + ":role/" + name
	}
	// Some entries match no principal: white space, another partition, a group, a wildcard.
	switch m.random.IntN(40) {
	case 0:
		e.arn += " "
	case 1:
		e.arn = strings.Replace(e.arn, ":aws:", ":aws-cn:", 1)
	case 2:
		e.arn = "arn:aws:iam::" + account + ":group/" + name
	case 3:
		e.arn = "arn:aws:iam::" + account + ":role/*"
	}
	return e
}

// plain maps the characters that are not allowed in the name of a permission set.
func plain(r rune) rune {
	if r == ':' {
		return '-'
	}
	return r
}

func (m *modelMap) anyCase(text string) string {
	return pick(m.random, text, text, strings.ToLower(text), strings.ToUpper(text))
}

// text returns the sections of a source as aws-auth has them, and sets the lines of its
// entries.
func (s *modelSource) text() map[string]string {
	sections, lines := map[string]string{}, map[string]int{}
	for i := range s.entries {
		e := &s.entries[i]
		e.line = lines[e.section] + 1
		field := map[string]string{"mapRoles": "rolearn", "mapUsers": "userarn"}[e.section]
		text := "- " + field + ": '" + e.arn + "'\n"
		if e.set != "" {
			text = "- sso: {permissionSetName: '" + e.set + "', accountID: '" + e.account + "'}\n"
		}
		text += "  username: '" + e.username + "'\n"
		if e.groups != "" {
			text += "  groups: " + e.groups + "\n"
		}
		sections[e.section] += text
		lines[e.section] += strings.Count(text, "\n")
	}
	for _, account := range s.accounts {
		sections["mapAccounts"] += "- '" + account + "'\n"
	}
	return sections
}

// An answer is what the model, the server and explain are compared by.
type answer struct {
	outcome  authn.Outcome
	username string
	groups   string
	rule     mapper.Rule
}

// decide is the model: the rules for mappings, read one after the other, without any
// index.
func (m *modelMap) decide(who identity.Principal) (answer, way) {
	if strings.EqualFold(who.CanonicalARN, modelOwner) {
		return answer{authn.Mapped, "kubernetes-admin", "system:masters", mapper.Rule{Source: "cluster owner"}}, byOwner
	}
	for _, s := range m.sources {
		if e, how := m.match(s, who); e != nil {
			return m.render(s.name, e, who), how
		}
	}
	for _, s := range m.sources {
		if i := lastIndex(s.accounts, who.AccountID); i >= 0 {
			return m.reserve(answer{authn.Mapped, who.CanonicalARN, "", mapper.Rule{Source: s.name, Section: "mapAccounts", Line: i + 1}}), byAccount
		}
	}
	return answer{outcome: authn.Unmapped}, byNothing
}

// match returns the entry of a source for a principal.
func (m *modelMap) match(s modelSource, who identity.Principal) (*modelEntry, way) {
	// mapRoles wins over mapUsers, and a later entry over an earlier one.
	var exact, path, session, sso []*modelEntry
	for _, section := range []string{"mapUsers", "mapRoles"} {
		for i := range s.entries {
			e := &s.entries[i]
			if e.section != section {
				continue
			}
			switch arn := strings.ToLower(e.arn); {
			case e.set != "":
				if isSSORole(who, e.account, e.set) {
					sso = append(sso, e)
				}
			case strings.Contains(arn, " "): // matches no principal
			case arn == strings.ToLower(who.CanonicalARN):
				exact = append(exact, e)
			case m.strip && withoutPath(arn) == strings.ToLower(who.CanonicalARN):
				path = append(path, e)
			case m.asRole && roleOfSession(arn) == strings.ToLower(who.CanonicalARN):
				session = append(session, e)
			}
		}
	}
	all := len(exact) + len(path) + len(session)
	different := func(e *modelEntry) bool { return !strings.EqualFold(e.arn, path[0].arn) }
	switch {
	case all > 1 && len(exact) > 0:
		return exact[len(exact)-1], overridden
	case len(exact) > 0:
		return exact[0], byARN
	case len(path) > 0 && !slices.ContainsFunc(path, different):
		return path[len(path)-1], byPath
	case len(path) == 0 && len(session) > 0:
		return session[len(session)-1], bySession
	case len(sso) > 0:
		return sso[len(sso)-1], bySSO
	}
	return nil, byNothing
}

func isSSORole(who identity.Principal, account, set string) bool {
	name, ok := strings.CutPrefix(strings.ToLower(who.CanonicalARN), "arn:aws:iam::"+account+":role/awsreservedsso_"+strings.ToLower(set)+"_")
	return ok && len(name) == 16 && strings.Trim(name, "0123456789abcdef") == ""
}

// withoutPath returns the ARN of a role without its path; empty for every other ARN.
func withoutPath(arn string) string {
	head, role, ok := strings.Cut(arn, ":role/")
	if !ok || !strings.Contains(role, "/") {
		return ""
	}
	return head + ":role/" + role[strings.LastIndexByte(role, '/')+1:]
}

// roleOfSession returns the ARN of the role of a session; empty for every other ARN.
func roleOfSession(arn string) string {
	head, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return ""
	}
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + rest[:strings.LastIndexByte(rest, '/')]
}

// render returns the user of an entry.
func (m *modelMap) render(source string, e *modelEntry, who identity.Principal) answer {
	rule := mapper.Rule{Source: source, Section: e.section, Line: e.line}
	if strings.Contains(e.username+e.groups, "{{SessionName") && who.SessionName == "" {
		return answer{outcome: authn.Denied, rule: rule}
	}
	replacer := strings.NewReplacer("{{SessionName}}", strings.ReplaceAll(who.SessionName, "@", "-"), "{{SessionNameRaw}}", who.SessionName,
		"{{AccountID}}", who.AccountID, "{{AccessKeyID}}", who.AccessKeyID, "'", "", "[", "", "]", "", ", ", ",")
	return m.reserve(answer{authn.Mapped, replacer.Replace(e.username), replacer.Replace(e.groups), rule})
}

func (m *modelMap) reserve(a answer) answer {
	if m.reserved != "" && strings.HasPrefix(a.username, m.reserved) {
		return answer{outcome: authn.Denied, rule: a.rule}
	}
	return a
}

func lastIndex(list []string, text string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == text {
			return i
		}
	}
	return -1
}

// newIdentity returns an identity that mostly matches in a way: it mutates an entry.
func (m *modelMap) newIdentity(want way) (identity.Identity, error) {
	source := pick(m.random, m.sources...)
	e := pick(m.random, source.entries...)
	for range 20 { // most maps have one
		if m.suits(source, e, want) {
			break
		}
		source = pick(m.random, m.sources...)
		e = pick(m.random, source.entries...)
	}
	session := pick(m.random, "alice", "bob@example.com", "i-0123456789abcdef0")
	arn := strings.TrimSpace(strings.ToLower(e.arn))
	account := strings.SplitN(arn+":::::", ":", 6)[4]
	switch {
	case want == byOwner:
		return newProven("111122223333", "role/Owner", session)
	case want == byAccount && len(source.accounts) > 0:
		return newProven(pick(m.random, source.accounts...), pick(m.random, "user/", "role/")+"x"+m.newName(), session)
	case e.set != "":
		suffix := "_0123456789abcdef"
		if want == byNothing {
			suffix = pick(m.random, "_0123456789abcdeg", "_Only_0123456789abcdef", "")
		}
		return newProven(e.account, "role/AWSReservedSSO_"+e.set+suffix, session)
	}
	// The original case of what AWS spells in lower case.
	resource := strings.SplitN(strings.TrimSpace(e.arn), ":", 6)[5]
	kind, name, _ := strings.Cut(resource, "/")
	kind = strings.ToLower(kind)
	switch kind {
	case "assumed-role":
		kind, name = "role", name[:strings.LastIndexByte(name, '/')]
	case "role":
		name = name[strings.LastIndexByte(name, '/')+1:]
	case "group":
		kind = "user"
	}
	if want == byNothing {
		switch change := m.random.IntN(4); {
		case change == 0 || kind == "root":
			account = "999988887777"
		case change == 1:
			name += "x"
		case change == 2:
			kind = map[string]string{"user": "role", "role": "user", "federated-user": "user"}[kind]
		default:
			name = strings.Replace(name, "A", "B", 1) + "y"
		}
	}
	return newProven(account, strings.TrimSuffix(kind+"/"+strings.ReplaceAll(name, "*", "star"), "/"), session)
}

// suits reports whether an identity can match an entry in a way.
func (m *modelMap) suits(s modelSource, e modelEntry, want way) bool {
	same := 0
	for _, other := range s.entries {
		if e.arn != "" && strings.EqualFold(other.arn, e.arn) {
			same++
		}
	}
	switch want {
	case byARN:
		return e.set == "" && withoutPath(e.arn) == "" && roleOfSession(e.arn) == "" && same == 1
	case byPath:
		return m.strip && withoutPath(strings.ToLower(e.arn)) != ""
	case bySession:
		return m.asRole && roleOfSession(strings.ToLower(e.arn)) != ""
	case bySSO:
		return e.set != ""
	case overridden:
		return same > 1 && withoutPath(strings.ToLower(e.arn)) == "" && roleOfSession(strings.ToLower(e.arn)) == ""
	}
	return true
}

// newProven returns an identity as STS returns it, from the resource of its canonical
// ARN.
func newProven(account, resource, session string) (identity.Identity, error) {
	answer := identity.Answer{Account: account, ARN: "arn:aws:iam::" + account + ":" + resource, UserID: "AIDAEXAMPLE"}
	if role, ok := strings.CutPrefix(resource, "role/"); ok {
		answer.ARN, answer.UserID = "arn:aws:sts::"+account+":assumed-role/"+role+"/"+session, "AROAEXAMPLE:"+session
	} else if strings.HasPrefix(resource, "federated-user/") {
		answer.ARN = "arn:aws:sts::" + account + ":" + resource
	}
	return identity.Proven(answer, "ASIAEXAMPLE")
}

// compareMap compares the model, the server and explain for one map and many
// identities, and counts the ways in which the model decides.
func compareMap(t *testing.T, seed uint64, identities int) map[way]int {
	m := newModelMap(seed)
	var current identity.Identity
	c, facts, err := m.cluster(func() identity.Identity { return current })
	if err != nil {
		t.Error(err)
		return nil
	}
	counts := map[way]int{}
	bearer := token.Encode(urlFor("sts.eu-west-2.amazonaws.com", "eu-west-2"))
	for i := range identities {
		current, err = m.newIdentity(ways()[i%len(ways())])
		if err != nil {
			t.Errorf("map %d: %v", seed, err)
			return counts
		}
		who := current.Principal()
		want, how := m.decide(who)
		counts[how]++
		decision := c.Authenticate(t.Context(), bearer)
		if got := (answer{decision.Outcome, decision.User.Username, strings.Join(decision.User.Groups, ","), decision.Rule}); got != want {
			t.Errorf("map %d, %s: the server decides %+v, the model %+v", seed, who.ARN, got, want)
			return counts
		}
		e := explain.New(facts, c.ExplainPrincipal(t.Context(), who))
		if got := explained(e); got != want {
			t.Errorf("map %d, %s: explain says %+v, the model %+v", seed, who.ARN, got, want)
			return counts
		}
		if fault := faultOf(e); fault != "" {
			t.Errorf("map %d, %s: %s (%s)", seed, who.ARN, fault, e.Sentence)
			return counts
		}
	}
	return counts
}

// cluster returns a cluster that maps with the map, and takes every token for that of an
// identity.
func (m *modelMap) cluster(who func() identity.Identity) (*cluster.Cluster, explain.Facts, error) {
	options := awsauth.Options{Partition: "aws"}
	if m.strip {
		options.RolePaths = mapper.RolePathsStrip
	}
	if m.asRole {
		options.AssumedRoles = awsauth.AssumedRolesAsRole
	}
	facts := explain.Facts{ClusterID: "blue", Partition: "aws", Now: signedAt()}
	var sources []source.Source
	reserved := map[string][]string{}
	for i := range m.sources {
		options.Source = m.sources[i].name
		read := awsauth.Parse(m.sources[i].text(), nil, options)
		snapshot := source.Snapshot{Table: read.Table, Problems: read.Problems}
		sources = append(sources, fixed{options.Source, snapshot})
		facts.Sources = append(facts.Sources, explain.SourceFacts{
			Name: options.Source, Place: options.Source, Snapshot: snapshot, Edit: func(int) string { return "edit" },
		})
		if m.reserved != "" {
			reserved[options.Source] = []string{m.reserved}
		}
	}
	owner, err := mapper.Owner("aws", modelOwner)
	if err != nil {
		return nil, facts, err
	}
	hosts, err := token.NewHosts("aws")
	if err != nil {
		return nil, facts, err
	}
	c, err := cluster.New(cluster.Config{
		ID: "blue", Hosts: hosts, Owner: owner, Sources: sources, ReservedPrefixes: reserved, Now: signedAt,
		Verifier: verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) { return who(), nil }),
	})
	return c, facts, err
}

// explained returns the answer in an explanation.
func explained(e explain.Explanation) answer {
	a := answer{outcome: e.Outcome}
	if e.User != nil {
		a.username, a.groups = e.User.Username, strings.Join(e.User.Groups, ",")
	}
	if e.Rule != nil {
		a.rule = mapper.Rule{Source: e.Rule.Source, Section: e.Rule.Section, Line: e.Rule.Line}
	}
	return a
}

// faultOf returns what is wrong with an explanation, whatever it explains; empty if
// nothing is.
func faultOf(e explain.Explanation) string {
	matched := 0
	for _, rule := range e.Rules {
		if rule.Matched != (rule.Reason == "") {
			return "a rule has no reason"
		}
		if rule.Matched {
			matched++
		}
	}
	mapped := e.Outcome == authn.Mapped
	switch {
	case mapped != (matched == 1) || matched > 1:
		return fmt.Sprint(matched, " rules match")
	case mapped != (e.Result == explain.Mapped) || mapped != (e.Command == ""):
		return "the result does not suit the outcome"
	case len(e.Rules) != e.RulesTried:
		return "rules are missing"
	case !strings.HasPrefix(e.Sentence, e.Principal.CanonicalARN+" "):
		return "the sentence is not about the principal"
	}
	for _, miss := range e.NearMisses {
		if miss.Matched || miss.Why == "" || miss.Kind == "" {
			return "a near miss says nothing"
		}
	}
	return ""
}
