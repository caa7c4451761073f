package localaws_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// A recordedRequest was sent by AWS CLI 2.9.19.
type recordedRequest struct {
	Seq                         int
	Command, Method, Path, Body string
	Headers                     [][2]string
}

func recordedRequests(t *testing.T) []recordedRequest {
	t.Helper()
	file, err := os.Open("sigv4/testdata/requests-aws-cli-2.9.19.jsonl")
	must(t, err)
	defer file.Close()
	var all []recordedRequest
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recordedRequest
		must(t, json.Unmarshal(lines.Bytes(), &r))
		all = append(all, r)
	}
	if err := lines.Err(); err != nil || len(all) < 150 {
		t.Fatalf("%d requests, %v: expected more in the recording", len(all), err)
	}
	return all
}

// request returns the request as a server receives it, and its signing time.
func (r recordedRequest) request(t *testing.T) (request *http.Request, signed time.Time) {
	t.Helper()
	request = httptest.NewRequest(r.Method, r.Path, strings.NewReader(r.Body))
	request.Header, request.RemoteAddr = http.Header{}, "127.0.0.1:1"
	for _, header := range r.Headers {
		if strings.EqualFold(header[0], "Host") {
			request.Host = header[1]
		} else {
			request.Header.Add(header[0], header[1])
		}
	}
	date := request.Header.Get("X-Amz-Date")
	if date == "" {
		date = request.URL.Query().Get("X-Amz-Date")
	}
	signed, err := time.Parse(sigv4.TimeFormat, date)
	if err != nil {
		t.Fatalf("%d: %v", r.Seq, err)
	}
	return request, signed
}

// TestRecordedRequests replays the recording against one account, in order, each
// request at its own time. It checks which requests fail; the recording shows why.
func TestRecordedRequests(t *testing.T) {
	refused := map[string][]int{ // operation and code, by the numbers of the requests
		// The key is the administrator's, not the user's.
		"update-access-key NoSuchEntity": {6},
		"delete-access-key NoSuchEntity": {25},
		// The role still has a policy, the user a key.
		"delete-role DeleteConflict": {24},
		"delete-user DeleteConflict": {27, 52},
		// So the user still exists; and k is created twice.
		"create-user EntityAlreadyExists": {48, 53, 54, 55, 56, 57, 58, 59, 95},
		// The document is {}, for a user that exists, and for one not created yet.
		"put-user-policy MalformedPolicyDocument": {51},
		"put-user-policy NoSuchEntity":            {92, 93},
		"get-user-policy NoSuchEntity":            {100},
		// The cluster was deleted, and not created again yet.
		"describe-cluster ResourceNotFoundException":  {60, 61, 62, 63, 64, 65},
		"update-kubeconfig ResourceNotFoundException": {66},
		// The marker is from another server; the names are too long, or empty.
		"list-users ValidationError":  {99},
		"create-user ValidationError": {111, 112},
		// The cluster's authentication mode is CONFIG_MAP.
		"list-access-entries InvalidRequestException": {132, 136},
		"create-access-entry InvalidRequestException": {133},
		"associate InvalidRequestException":           {135},
	}
	now := time.Now()
	s := start(t, localaws.Config{
		Now:           func() time.Time { return now },
		Administrator: localaws.AccessKey{ID: "AKIATLABCDEFGHIJKLM2", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		Instances:     []localaws.Instance{{ID: "i-0123456789abcdef0"}},
	})
	s.NewRole(t, "eks", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`, nil)
	nameSubnets(t, s, map[string]string{subnetA: "subnet-1", subnetB: "subnet-2"})
	got := map[string][]int{}
	for _, r := range recordedRequests(t) {
		var request *http.Request
		request, now = r.request(t)
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, request)
		if code := refusal(answer); code != "" {
			what := r.operation() + " " + code
			got[what] = append(got[what], r.Seq)
		}
	}
	if diff := cmp.Diff(refused, got); diff != "" {
		t.Errorf("failed requests (-want +got):\n%s", diff)
	}
}

// nameSubnets gives default subnets the IDs that the recording has, which no change of
// EC2 can do.
func nameSubnets(t *testing.T, s *localawstest.Server, to map[string]string) {
	t.Helper()
	_, err := ec2.NewFromConfig(s.SDK()).ModifySubnetAttribute(t.Context(), &ec2.ModifySubnetAttributeInput{
		SubnetId: aws.String(subnetA), MapPublicIpOnLaunch: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)},
	})
	must(t, err) // the region is in the state now
	must(t, s.EditState(func(state []byte) []byte {
		for from, id := range to {
			state = bytes.ReplaceAll(state, []byte(from), []byte(id))
		}
		return state
	}))
}

// TestChangedRequests adds a byte to every recorded request, and checks that it is
// rejected with the code of its service.
func TestChangedRequests(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{
		Now:           func() time.Time { return now },
		Administrator: localaws.AccessKey{ID: "AKIATLABCDEFGHIJKLM2", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
	})
	for _, r := range recordedRequests(t) {
		r.Body += "x"
		request, signed := r.request(t)
		now = signed
		want := "SignatureDoesNotMatch"
		switch scope := request.Header.Get("Authorization"); {
		case strings.Contains(scope, "/eks/"):
			want = "InvalidSignatureException"
		case strings.Contains(scope, "/ec2/"):
			want = "AuthFailure"
		}
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, request)
		if got := refusal(answer); got != want {
			t.Errorf("%d %s: %d %q, want %s", r.Seq, r.Command, answer.Code, got, want)
		}
	}
}

// operation returns the word of the command that names the operation.
func (r recordedRequest) operation() string {
	for _, word := range strings.Fields(r.Command) {
		switch word {
		case "aws", "/usr/bin/aws", "iam", "sts", "eks", "ec2", "models:", "extras:":
		default:
			return word
		}
	}
	return ""
}

// refusal returns the error code in a response of any service; empty without an
// error.
func refusal(answer *httptest.ResponseRecorder) string {
	if answer.Code == http.StatusOK {
		return ""
	}
	if code := answer.Header().Get("X-Amzn-Errortype"); code != "" {
		return code
	}
	var failed struct {
		Error  struct{ Code string }
		Errors struct{ Error struct{ Code string } }
	}
	if err := xml.Unmarshal(answer.Body.Bytes(), &failed); err != nil {
		return err.Error()
	}
	return failed.Error.Code + failed.Errors.Error.Code
}
