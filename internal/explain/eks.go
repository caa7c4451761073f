package explain

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// onEKS returns what EKS would do differently with the same mappings.
func onEKS(facts Facts, explained authn.Explained) (differences []string) {
	add := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	tried := decidedBy(explained)
	if tried == nil || tried.Entry == nil {
		return nil
	}
	entry := tried.Entry
	switch {
	case tried.Rule.Section == "":
		add("EKS has no cluster owner: there, the creator of the cluster is an administrator.")
	case entry.SSO != nil:
		add("EKS does not support entries with sso: this entry maps nobody there.")
	case entry.AssumedRole:
		add("On EKS, the ARN of an assumed role in rolearn matches nobody.")
	case subjectOf(entry.ARN).kind == "role" && subjectOf(entry.ARN).path != "":
		add("On EKS, an entry with a role path matches nobody: this server runs with --role-paths=strip.")
	}
	if tried.Miss == mapper.MissDenied && explained.Principal.SessionName == "" && usesSession(entry) {
		add("EKS replaces {{SessionName}} with nothing for an identity without a session, and signs it in as %q.",
			strings.NewReplacer("{{SessionName}}", "", "{{SessionNameRaw}}", "").Replace(entry.Username.String()))
	}
	if tried.Miss == mapper.MissReserved {
		add("EKS does not have reservedPrefixConfig: this entry maps the caller there.")
	}
	for _, s := range facts.Sources {
		if s.Name != tried.Rule.Source {
			continue
		}
		for _, problem := range s.Snapshot.Problems {
			if problem.Section == tried.Rule.Section && keepsSection(problem.Code) {
				add("On EKS, %s does not apply at all while it is malformed: this server keeps its last good content.", problem.Section)
			}
		}
	}
	return differences
}

func usesSession(entry *mapper.Entry) bool {
	return entry.Username.Uses("SessionName") || entry.Username.Uses("SessionNameRaw")
}

// keepsSection reports whether a section with a problem keeps its last good content.
func keepsSection(code mapper.Code) bool {
	return code == mapper.SectionSyntax || code == mapper.SectionNotList || code == mapper.SectionTooLarge
}
