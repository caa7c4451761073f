//go:build e2e

package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// A call is made by every client, in the order of calls. To cover an operation, add
// one.
type call struct {
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"` // as the service's API names it
	// want are texts in the output as JSON without spaces, or the code of an error. Case
	// does not matter: SDKs name fields in their own.
	want []string
}

func calls() []call {
	return []call{
		{"sts", "GetCallerIdentity", json.RawMessage(`{}`), []string{`"arn":"arn:aws:iam::231144931069:user/administrator"`}},
		{"iam", "CreateRole", json.RawMessage(`{"RoleName":"dev","AssumeRolePolicyDocument":` + quoted(trustEKS) + `}`), []string{`role/dev"`}},
		{"iam", "GetRole", json.RawMessage(`{"RoleName":"nobody"}`), []string{"NoSuchEntity"}},
		{"eks", "ListClusters", json.RawMessage(`{}`), []string{`"clusters":["kubedemy"]`}},
		{"eks", "DescribeCluster", json.RawMessage(`{"name":"kubedemy"}`), []string{`"status":"ACTIVE"`, `"endpoint":"https://127.0.0.1:1"`}},
		{"eks", "DescribeCluster", json.RawMessage(`{"name":"nowhere"}`), []string{"ResourceNotFoundException"}},
		{"eks", "ListAccessPolicies", json.RawMessage(`{}`), []string{`"AmazonEKSViewPolicy"`}},
		{"eks", "TagResource", json.RawMessage(`{"resourceArn":"arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy","tags":{"a":"b"}}`), nil},
		{"eks", "ListTagsForResource", json.RawMessage(`{"resourceArn":"arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy"}`), []string{`"a":"b"`}},
		{"ec2", "DescribeRegions", json.RawMessage(`{"RegionNames":["eu-west-2"]}`), []string{`"eu-west-2"`}},
	}
}

const trustEKS = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a string always encodes
	return string(encoded)
}

// A result is what a client made of a call.
type result struct {
	Output  any    `json:"output,omitempty"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
	// Unsupported means that the client lacks the operation or one of its parameters.
	Unsupported bool `json:"unsupported,omitempty"`
}

// TestCalls makes the calls with every client of this machine. Newer clients know
// more of them: what a client lacks is logged.
func TestCalls(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.name, func(t *testing.T) {
			program := c.find(t)
			way := byVariable
			if c.outcome[way] == ignored {
				way = byProxy
			}
			l := start(t, way)
			l.server.NewCluster(t, "kubedemy", "https://127.0.0.1:1", []byte("CA"))
			results := l.makeCalls(c, program)
			for i, made := range calls() {
				if i >= len(results) {
					t.Fatalf("%d results of %d calls", len(results), len(calls()))
				}
				checkResult(t, c.name, made, results[i])
			}
		})
	}
}

func checkResult(t *testing.T, client string, made call, got result) {
	t.Helper()
	if got.Unsupported {
		t.Logf("SKIP %s: %s does not have it, or not all of the parameters", made.Operation, client)
		return
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Error != "" && len(made.want) != 1 {
		t.Errorf("%s: %s: %s", made.Operation, got.Error, got.Message)
	}
	for _, want := range made.want {
		if !strings.Contains(strings.ToLower(string(text)), strings.ToLower(want)) {
			t.Errorf("%s %s: nothing says %s: %s", made.Operation, made.Input, want, text)
		}
	}
}

// makeCalls makes the calls: with a process each for a CLI, and in one otherwise.
func (l *led) makeCalls(c client, program string) []result {
	l.t.Helper()
	if strings.HasPrefix(c.version, "aws-cli/") {
		results := make([]result, 0, len(calls()))
		for _, made := range calls() {
			results = append(results, l.typeCall(c, program, made))
		}
		return results
	}
	input, err := json.Marshal(calls())
	if err != nil {
		l.t.Fatal(err)
	}
	output, err := l.runWith(string(input), c, program, "--calls")
	if err != nil {
		l.t.Fatal(err)
	}
	var results []result
	if err := json.Unmarshal([]byte(output), &results); err != nil {
		l.t.Fatalf("%v: %s", err, output)
	}
	return results
}

// typeCall makes a call with an AWS CLI.
func (l *led) typeCall(c client, program string, made call) result {
	l.t.Helper()
	output, err := l.run(c, program, made.Service, kebab(made.Operation), "--cli-input-json", string(made.Input), "--output", "json")
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case failed && strings.Contains(err.Error(), "An error occurred ("):
		_, rest, _ := strings.Cut(err.Error(), "An error occurred (")
		code, message, _ := strings.Cut(rest, ")")
		return result{Error: code, Message: message}
	case failed && (exit.ExitCode() == 252 || strings.Contains(err.Error(), "Invalid choice") || strings.Contains(err.Error(), "Unknown parameter")):
		return result{Unsupported: true}
	case err != nil:
		l.t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal([]byte(output), &decoded); output != "" && err != nil {
		l.t.Fatalf("%v: %s", err, output)
	}
	return result{Output: decoded}
}

// kebab returns the name of an operation as a CLI has it.
func kebab(operation string) string {
	var b strings.Builder
	for i, r := range operation {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// callEach makes the calls that it reads, with aws-sdk-go-v2.
func callEach(ctx context.Context, in io.Reader, out io.Writer) error {
	var made []call
	if err := json.NewDecoder(in).Decode(&made); err != nil {
		return err
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	services := map[string]any{
		"sts": sts.NewFromConfig(loaded), "iam": iam.NewFromConfig(loaded), "eks": eks.NewFromConfig(loaded), "ec2": ec2.NewFromConfig(loaded),
	}
	results := make([]result, 0, len(made))
	for _, one := range made {
		got, err := callOne(ctx, services[one.Service], one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.Operation, err)
		}
		results = append(results, got)
	}
	return json.NewEncoder(out).Encode(results)
}

// callOne calls the client's method of an operation. Its input decodes from JSON:
// names of fields differ from the API's only in case.
func callOne(ctx context.Context, service any, made call) (result, error) {
	method := reflect.ValueOf(service).MethodByName(made.Operation)
	if !method.IsValid() {
		return result{Unsupported: true}, nil
	}
	input := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal(made.Input, input.Interface()); err != nil {
		return result{}, err
	}
	returned := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	err, _ := returned[1].Interface().(error)
	if refusal, ok := errors.AsType[smithy.APIError](err); ok {
		return result{Error: refusal.ErrorCode(), Message: refusal.ErrorMessage()}, nil
	}
	if err != nil {
		return result{}, err
	}
	output := returned[0].Elem()
	output.FieldByName("ResultMetadata").SetZero()
	return result{Output: output.Interface()}, nil
}
