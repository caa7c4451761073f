package policy_test

import (
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// The policy of an EKS user, and more.
const benchmarked = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Read","Effect":"Allow","Action":["iam:Get*","iam:List*","ec2:Describe*","s3:GetObject"],"Resource":"*"},
	{"Sid":"Own","Effect":"Allow","Action":["iam:*AccessKey*","iam:*MFADevice"],"Resource":["arn:aws:iam::123456789012:user/*","arn:aws:iam::123456789012:mfa/*"]},
	{"Sid":"Clusters","Effect":"Allow","Action":["eks:DescribeCluster","eks:ListClusters"],"Resource":"arn:aws:eks:*:123456789012:cluster/*",
		"Condition":{"StringEquals":{"aws:RequestedRegion":["eu-west-1","eu-west-2"]},"Bool":{"aws:SecureTransport":"true"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},
			"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/*"}}},
	{"Sid":"Guard","Effect":"Deny","NotAction":["iam:*","sts:*","eks:*"],"Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}`

func request() policy.Request {
	return policy.Request{
		Action: "eks:DescribeCluster", Resource: "arn:aws:eks:eu-west-2:123456789012:cluster/kubedemy", Principal: bob(),
		Context: contextOf([]key{
			is("aws:RequestedRegion", "eu-west-2"), is("aws:SecureTransport", "true"), is("aws:SourceIp", "10.1.2.3"), is("aws:username", "Bob"),
			is("aws:CurrentTime", "2026-11-23T08:00:00Z"), is("aws:PrincipalArn", "arn:aws:iam::123456789012:user/Bob"),
		}),
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Parse([]byte(benchmarked)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	document, err := policy.Parse([]byte(benchmarked))
	if err != nil {
		b.Fatal(err)
	}
	r := request()
	b.ReportAllocs()
	for b.Loop() {
		if policy.Evaluate(r, document) != policy.Allow {
			b.Fatal("not allowed")
		}
	}
}

// TestEvaluateAllocatesNothing checks that a policy without variables is evaluated
// without allocations.
func TestEvaluateAllocatesNothing(t *testing.T) {
	document, err := policy.Parse([]byte(benchmarked))
	if err != nil {
		t.Fatal(err)
	}
	r, all := request(), []*policy.Document{document}
	policies := policy.Policies{Identity: all, Boundary: document, Session: all}
	if n := testing.AllocsPerRun(100, func() { policy.Authorize(r, policies) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvaluateVariable(b *testing.B) {
	document := parse(b, policy.Parse, `{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::123456789012:user/${aws:username}"}`)
	r := request()
	r.Action, r.Resource = "iam:CreateAccessKey", "arn:aws:iam::123456789012:user/Bob"
	b.ReportAllocs()
	for b.Loop() {
		if policy.Evaluate(r, document) != policy.Allow {
			b.Fatal("not allowed")
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	document, err := policy.Parse([]byte(benchmarked))
	if err != nil {
		b.Fatal(err)
	}
	r, all := request(), []*policy.Document{document}
	policies := policy.Policies{Identity: all, Boundary: document, Session: all}
	b.ReportAllocs()
	for b.Loop() {
		if policy.Authorize(r, policies).Decision != policy.Allow {
			b.Fatal("not allowed")
		}
	}
}
