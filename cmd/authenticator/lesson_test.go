package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli"
)

// TestLesson asks explain, lint, diff and map about the aws-auth of the lesson and about its
// broken variants. The first line of each file is the right answer. The next lines are
// the questions, each with parts of what the command must print, or after ! must not:
//
//	# explain ARN [SESSION]: PART | PART
//	# lint: PART | PART
//	# diff: PART | PART
//	# map list: PART | !PART
//	# map add: PART | PART
//	# map remove: PART | PART
func TestLesson(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(lessonDir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 31 {
		t.Errorf("%d files, want the lesson and at least 30 variants", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitN(string(content), "\n", 8)
			if len(lines) != 8 {
				t.Fatal("the file has no header")
			}
			askLesson(t, path, lines[1:7])
		})
	}
}

// TestCases asks the same about the cases of the parser, whose first lines are the right
// answers too.
func TestCases(t *testing.T) {
	t.Parallel()
	const (
		dir   = "../../pkg/mapper/awsauth/testdata/cases"
		roles = "arn:aws:iam::111122223333:role/"
		added = ": gains access: user bob of account 231144931069, now bob in people | !loses | !changes"
	)
	cases := map[string][]string{
		"01-assumed-role-arn": {
			"explain " + roles + "Admin ci-job-1: MAPPED to view:ci-job-1 | signs in as view:ci-job-1 in group view, by mapRoles line 3 | line 6 for | its ARN is that of a session of the role and matches nobody, as on EKS",
			"diff: gains access: role Admin of account 111122223333, now view:{{SessionName}} in view | !now ci",
			"map list: role/Admin view:{{SessionName}} view | !system:masters", "map add" + added,
			"map remove: loses access: role Admin of account 111122223333, was view:{{SessionName}} in view",
		},
		"02-entry-nested-in-groups": {
			"explain " + roles + "Node i-0123456789abcdef0: signs in as system:node:<private DNS name of i-0123456789abcdef0> in groups system:bootstrappers, system:nodes, by mapRoles line 3",
			"explain " + roles + "Ci x: NOT MAPPED | mapRoles line 8 | this entry is indented into the groups of the entry in line 3 (indent it as far as the entry in line 3) | ${EDITOR:-vi} +8",
			"diff: gains access: role Node of account 111122223333, now system:node:{{EC2PrivateDNSName}} in system:bootstrappers, system:nodes | !role Ci",
			"map list: role/Node system:node:{{EC2PrivateDNSName}} system:bootstrappers,system:nodes | !role/Ci", "map add" + added,
		},
		"03-data-without-kind": {
			"explain " + roles + "Admin x: MAPPED to admin:x | warnings: 1 | in group system:masters",
			"diff: gains access: role Admin of account 111122223333, now admin:{{SessionName}} in system:masters",
			"map list: role/Admin admin:{{SessionName}} system:masters", "map add" + added,
		},
		"04-silent-mistakes": {
			"explain " + roles + "AWSReservedSSO_Admin_0123456789abcdef x: NOT MAPPED | has a wildcard, but ARNs match as a whole (write sso: {permissionSetName:",
			"explain " + roles + "Node i-0123456789abcdef0: That may not be what the entry means | the group \"<system:nodes>\" contains a placeholder that was not filled in | ${EDITOR:-vi} +10",
			"explain arn:aws:iam::111122223333:user/new.user: in no groups | the list below it became part of it (write groups: on a line between username: new.user and the list) | unknown key \"mapGroups\" | ${EDITOR:-vi} +14",
			"diff: gains access: user new.user of account 111122223333, now new.user - system:masters in no groups | !AWSReservedSSO | !admins",
			"map list: user/new.user new.user - system:masters - | !AWSReservedSSO | !role-name | !admins", "map add" + added,
		},
		"05-comment-misleads": {
			"explain " + roles + "admin x: NOT MAPPED | mapRoles line 8: the YAML does not parse: the quote opened here is never closed | ${EDITOR:-vi} +8",
			"diff: mapRoles line 8: the YAML does not parse: the quote opened here is never closed; it keeps its last good content | !loses access: role",
			"map list: mapRoles line 8: the YAML does not parse: the quote opened here is never closed | !role/",
			"map remove: cannot edit mapRoles safely | the quote opened here is never closed",
		},
		"06-empty-group": {
			"explain " + roles + "Node i-0123456789abcdef0: in groups system:bootstrappers, system:nodes, by mapRoles line 6 | a group is empty (write the group or remove the line) | ${EDITOR:-vi} +11",
			"explain " + roles + "ci-deployer x: MAPPED to ci-deployer:x | in no groups | a group is empty | ${EDITOR:-vi} +5",
			"diff: now ci-deployer:{{SessionName}} in no groups | now system:node:{{EC2PrivateDNSName}} in system:bootstrappers, system:nodes",
			"map list: role/ci-deployer ci-deployer:{{SessionName}} - | role/Node system:node:{{EC2PrivateDNSName}} system:bootstrappers,system:nodes", "map add" + added,
		},
		"07-space-in-arn": {
			"explain " + roles + "Admin x: NOT MAPPED | its ARN contains white space and matches nobody: write " + roles + "Admin",
			"diff: !role Admin",
			"map list: !role/Admin", "map add" + added, "map remove: " + roles + "Admin is not mapped: nothing is removed",
		},
		"08-readme-config": {
			"explain arn:aws:iam::000000000000:user/Alice: MAPPED to alice | in group system:masters, by mapUsers line 7",
			"diff: gains access: user Alice of account 000000000000, now alice in system:masters",
			"map list: user/Alice alice system:masters", "map add: the file is a configuration file of the server",
		},
		"09-system-groups": {
			"explain " + roles + "nodes x: in groups system:bootstrappers:kubeadm:default-node-token, system:serviceaccounts, system:serviceaccounts:ci | errors: 0, warnings: 0 | !may not be what",
			"diff: now {{SessionName}} in system:bootstrappers:kubeadm:default-node-token, system:serviceaccounts, system:serviceaccounts:ci",
			"map list: role/nodes {{SessionName}} system:bootstrappers:kubeadm:default-node-token,system:serviceaccounts,system:serviceaccounts:ci", "map add" + added,
		},
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) != len(cases) {
		t.Errorf("%d files (%v), but %d cases", len(paths), err, len(cases))
	}
	for name, questions := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			askLesson(t, filepath.Join(dir, name+".yaml"), questions)
		})
	}
}

const lessonDir = "testdata/lesson"

// askLesson asks questions about a file, and checks the answers and that the file stays as
// it is.
func askLesson(t *testing.T, path string, questions []string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	expectation, _, _ := strings.Cut(string(before), "\n")
	arn := ""
	for _, line := range questions {
		question, parts, _ := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
		if words := strings.Fields(question); len(words) > 1 && words[0] == "explain" && arn == "" {
			arn = words[1]
		}
		printed := lessonAnswer(t, lessonCommand(t, question, path, arn))
		for part := range strings.SplitSeq(parts, " | ") {
			part, unwanted := strings.CutPrefix(part, "!")
			if strings.Contains(printed, part) == unwanted {
				t.Errorf("%s\n%s: %q is there: %t, want %t:\n%s", expectation, question, part, unwanted, !unwanted, printed)
			}
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file has changed (%v):\n%s", err, after)
	}
}

// lessonCommand returns the arguments for a question about a file. Map remove is about the
// ARN of the first explain.
func lessonCommand(t *testing.T, question, path, arn string) []string {
	t.Helper()
	words := strings.Fields(question)
	switch {
	case len(words) == 1 && words[0] == "lint":
		return []string{"lint", path}
	case len(words) == 1 && words[0] == "diff":
		return []string{"diff", filepath.Join(lessonDir, "lesson.yaml"), path}
	case len(words) == 2 && words[0] == "explain":
		return []string{"explain", "-f", path, "--arn", words[1]}
	case len(words) == 3 && words[0] == "explain":
		return []string{"explain", "-f", path, "--arn", words[1], "--session", words[2]}
	case question == "map list":
		return []string{"map", "list", "-f", path}
	case question == "map add":
		return []string{"map", "add", "user", "--userarn", "arn:aws:iam::231144931069:user/bob", "--username", "bob", "--groups", "people", "--dry-run", "-f", path}
	case question == "map remove":
		return []string{"map", "remove", arn, "--dry-run", "-f", path}
	}
	t.Fatalf("unknown question %q", question)
	return nil
}

// lessonAnswer returns everything that a command prints, with its error. The columns have
// one space between them, and the questions in the file are left out.
func lessonAnswer(t *testing.T, args []string) string {
	t.Helper()
	var printed bytes.Buffer
	err := run(t.Context(), args, nil, cli.Streams{In: strings.NewReader(""), Out: &printed, Err: &printed})
	if coded, ok := errors.AsType[*cli.Error](err); err != nil && (!ok || coded.Err != nil) {
		printed.WriteString(err.Error())
	}
	var lines []string
	for line := range strings.Lines(printed.String()) {
		if line = strings.Join(strings.Fields(line), " "); !strings.HasPrefix(line, "# ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
