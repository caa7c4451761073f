package explain_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestCases explains every file of testdata/cases: variants of an aws-auth that TestLesson
// of cmd/authenticator does not have. The first line of each is the last sentence of the explanation, the second names
// the principal, and the third has the command, if there is one.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitN(string(content), "\n", 4)
			sentence, asked := strings.TrimPrefix(lines[0], "# "), strings.TrimPrefix(lines[1], "# who: ")
			command, _ := strings.CutPrefix(lines[2], "# mend: ")
			if !strings.HasPrefix(lines[2], "# mend: ") {
				command = ""
			}
			e := explainFile(t, content, asked)
			if e.Sentence != sentence {
				t.Errorf("%s\nwant %s", e.Sentence, sentence)
			}
			if e.Command != command {
				t.Errorf("command %s\n   want %s", e.Command, command)
			}
		})
	}
}

// explainFile explains the principal with an ARN by the mappings of a file.
func explainFile(t *testing.T, content []byte, arn string) explain.Explanation {
	t.Helper()
	read, err := awsauth.ParseFile(content, nil, awsauth.Options{Source: "AWSAuthFile", Partition: "aws"})
	if err != nil {
		t.Fatal(err)
	}
	owner, err := mapper.Owner("aws")
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	snapshot := source.Snapshot{Table: read.Table, Problems: read.Problems}
	c, err := cluster.New(cluster.Config{
		ID: "blue", Hosts: hosts, Owner: owner, Sources: []source.Source{fixed{"AWSAuthFile", snapshot}}, Instances: mappertest.Instances(),
		Verifier: verify.Func(nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	userID := "AIDAEXAMPLE"
	if _, kind, err := identity.Canonicalize(arn); err == nil && kind == identity.KindRole {
		userID = "AROAEXAMPLE:" + arn[strings.LastIndexByte(arn, '/')+1:]
	}
	facts := explain.Facts{Partition: "aws", MapFlags: []string{"-f", "aws-auth.yaml"}, Sources: []explain.SourceFacts{{
		Name: "AWSAuthFile", Place: "aws-auth.yaml", Snapshot: snapshot, Edit: func(line int) string { return "vi +" + strconv.Itoa(line) + " aws-auth.yaml" },
	}}}
	return explain.New(facts, c.ExplainPrincipal(t.Context(), mappertest.Principal(t, strings.Split(arn, ":")[4], arn, userID)))
}
