package policy_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// TestDocumentation checks the engine against the examples of the IAM User Guide.
// Each topic has the title of its page in the guide.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	topics := map[string][]example{
		"IAM JSON policy elements: Statement":                     statements(),
		"IAM JSON policy elements: Effect":                        effects(),
		"IAM JSON policy elements: Action":                        actions(),
		"IAM JSON policy elements: NotAction":                     notActions(),
		"IAM JSON policy elements: Resource":                      resources(),
		"IAM JSON policy elements: NotResource":                   notResources(),
		"IAM JSON policy elements: Version":                       versions(),
		"IAM JSON policy elements: Condition":                     conditions(),
		"Conditions with multiple context keys or values":         severalKeys(),
		"Single-valued vs. multivalued context keys":              severalValues(),
		"IAM JSON policy elements: Condition operators (string)":  stringOperators(),
		"IAM JSON policy elements: Condition operators (numeric)": numericOperators(),
		"IAM JSON policy elements: Condition operators (date)":    dateOperators(),
		"IAM JSON policy elements: Condition operators (Boolean)": booleanOperators(),
		"IAM JSON policy elements: Condition operators (binary)":  binaryOperators(),
		"IAM JSON policy elements: Condition operators (IP)":      addressOperators(),
		"IAM JSON policy elements: Condition operators (ARN)":     arnOperators(),
		"IAM JSON policy elements: Condition operators (exists)":  existenceOperators(),
		"IAM policy elements: Variables and tags":                 variables(),
		"AWS JSON policy elements: Principal":                     principals(),
		"AWS JSON policy elements: NotPrincipal":                  notPrincipals(),
		"IAM and AWS STS condition context keys":                  keysOfSTS(),
		"AWS global condition context keys":                       globalKeys(),
	}
	examples := 0
	for _, page := range slices.Sorted(maps.Keys(topics)) {
		examples += len(topics[page])
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			for _, e := range topics[page] {
				document, err := e.parse([]byte(e.document))
				if err != nil {
					t.Errorf("%s: %v", e.document, err)
					continue
				}
				if got := policy.Evaluate(e.request, document); got != e.want {
					t.Errorf("%s: %s, want %s; asked for %+v", e.document, got, e.want, e.request)
				}
			}
		})
	}
	t.Logf("%d examples of %d topics", examples, len(topics))
}

// An example is a policy, a request, and the decision according to the guide.
type example struct {
	parse    func([]byte) (*policy.Document, error)
	document string
	request  policy.Request
	want     policy.Decision
}

const current = "2012-10-17" // version of the policy language

// identity returns an example with an identity policy.
func identity(version, statement, action, resource string, want policy.Decision, keys []key) example {
	return example{
		policy.Parse, `{"Version":"` + version + `","Statement":` + statement + `}`,
		policy.Request{Action: action, Resource: resource, Context: contextOf(keys)}, want,
	}
}

// allow, deny and silent return examples of a statement that allows, denies or does
// not match an action on a resource.
func allow(statement, action, resource string, keys ...key) example {
	return identity(current, statement, action, resource, policy.Allow, keys)
}

func deny(statement, action, resource string, keys ...key) example {
	return identity(current, statement, action, resource, policy.ExplicitDeny, keys)
}

func silent(statement, action, resource string, keys ...key) example {
	return identity(current, statement, action, resource, policy.ImplicitDeny, keys)
}

// match and noMatch return examples of a condition that is true or false for the
// context of a request.
func match(condition string, keys ...key) example {
	return allow(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+condition+`}}`, "s3:GetObject", "arn:aws:s3:::bucket/key", keys...)
}

func noMatch(condition string, keys ...key) example {
	e := match(condition, keys...)
	e.want = policy.ImplicitDeny
	return e
}

// A key is one of the request's context keys, with its values.
type key struct {
	name   string
	values []string
}

func is(name string, values ...string) key { return key{name, values} }

func contextOf(keys []key) map[string][]string {
	context := map[string][]string{}
	for _, k := range keys {
		context[strings.ToLower(k.name)] = k.values
	}
	return context
}

func statements() []example {
	const readAndWrite = `[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]`
	return []example{
		allow(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`, "s3:GetObject", "arn:aws:s3:::bucket/key"),
		allow(readAndWrite, "s3:GetObject", "arn:aws:s3:::bucket/key"),
		allow(readAndWrite, "s3:PutObject", "arn:aws:s3:::bucket/key"),
		silent(readAndWrite, "s3:DeleteObject", "arn:aws:s3:::bucket/key"),
	}
}

func effects() []example {
	const butNotDelete = `[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]`
	const deniedFirst = `[{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"},{"Effect":"Allow","Action":"s3:*","Resource":"*"}]`
	return []example{
		allow(butNotDelete, "s3:GetObject", "arn:aws:s3:::bucket/key"),
		deny(butNotDelete, "s3:DeleteObject", "arn:aws:s3:::bucket/key"),
		allow(deniedFirst, "s3:GetObject", "arn:aws:s3:::bucket/key"),
		deny(deniedFirst, "s3:DeleteObject", "arn:aws:s3:::bucket/key"),
		silent(butNotDelete, "ec2:RunInstances", "*"),
		deny(`{"Effect":"Deny","Action":"*","Resource":"*"}`, "iam:GetUser", "arn:aws:iam::123456789012:user/bob"),
	}
}

func actions() []example {
	onAll := func(action string) string { return `{"Effect":"Allow","Action":` + action + `,"Resource":"*"}` }
	return []example{
		// The prefix and the name of an action are case-insensitive.
		allow(onAll(`"iam:ListAccessKeys"`), "iam:ListAccessKeys", "*"),
		allow(onAll(`"IAM:listaccesskeys"`), "iam:ListAccessKeys", "*"),
		allow(onAll(`"iam:LISTaccess*"`), "iam:ListAccessKeys", "*"),

		allow(onAll(`["sqs:SendMessage","sqs:ReceiveMessage","ec2:StartInstances"]`), "ec2:StartInstances", "*"),
		silent(onAll(`["sqs:SendMessage","sqs:ReceiveMessage","ec2:StartInstances"]`), "ec2:StopInstances", "*"),

		// Wildcards, for many characters and for one.
		allow(onAll(`"*"`), "ec2:StartInstances", "*"),
		allow(onAll(`"s3:*"`), "s3:GetObject", "*"),
		silent(onAll(`"s3:*"`), "s3express:CreateSession", "*"),
		allow(onAll(`"iam:*AccessKey*"`), "iam:CreateAccessKey", "*"),
		allow(onAll(`"iam:*AccessKey*"`), "iam:DeleteAccessKey", "*"),
		allow(onAll(`"iam:*AccessKey*"`), "iam:ListAccessKeys", "*"),
		allow(onAll(`"iam:*AccessKey*"`), "iam:UpdateAccessKey", "*"),
		silent(onAll(`"iam:*AccessKey*"`), "iam:CreateUser", "*"),
		allow(onAll(`"iam:??tUser"`), "iam:GetUser", "*"),
		silent(onAll(`"iam:?etUsers"`), "iam:GetUser", "*"),
		silent(onAll(`"iam:Get"`), "iam:GetUser", "*"),

		// The lower case of the Kelvin sign is k.
		silent(onAll(`"ec2:Describe\u212aeyPairs"`), "ec2:DescribeKeyPairs", "*"),
	}
}

func notActions() []example {
	const allS3ButDelete = `{"Effect":"Allow","NotAction":"s3:DeleteBucket","Resource":"arn:aws:s3:::*"}`
	const allButIAM = `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`
	const onlyIAMWithoutMFA = `{"Effect":"Deny","NotAction":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`
	return []example{
		allow(allS3ButDelete, "s3:GetObject", "arn:aws:s3:::bucket/key"),
		silent(allS3ButDelete, "s3:DeleteBucket", "arn:aws:s3:::bucket"),
		silent(allS3ButDelete, "ec2:StartInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"),
		allow(allButIAM, "ec2:StartInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"),
		silent(allButIAM, "iam:CreateUser", "arn:aws:iam::123456789012:user/bob"),
		silent(allButIAM, "IAM:createuser", "arn:aws:iam::123456789012:user/bob"),
		deny(onlyIAMWithoutMFA, "s3:GetObject", "arn:aws:s3:::bucket/key", is("aws:MultiFactorAuthPresent", "false")),
		deny(onlyIAMWithoutMFA, "s3:GetObject", "arn:aws:s3:::bucket/key"),
		silent(onlyIAMWithoutMFA, "s3:GetObject", "arn:aws:s3:::bucket/key", is("aws:MultiFactorAuthPresent", "true")),
		silent(onlyIAMWithoutMFA, "iam:CreateVirtualMFADevice", "arn:aws:iam::123456789012:mfa/bob", is("aws:MultiFactorAuthPresent", "false")),
		silent(`{"Effect":"Allow","NotAction":["iam:*","sts:*"],"Resource":"*"}`, "sts:AssumeRole", "arn:aws:iam::123456789012:role/r"),
	}
}

func resources() []example {
	on := func(resource string) string {
		return `{"Effect":"Allow","Action":"*","Resource":` + resource + `}`
	}
	test := on(`"arn:aws:s3:::amzn-s3-demo-bucket/*/test/*"`)
	tables := on(`["arn:aws:dynamodb:us-east-2:123456789012:table/books_table","arn:aws:dynamodb:us-east-2:123456789012:table/magazines_table"]`)
	return []example{
		allow(on(`"*"`), "ec2:DescribeInstances", "*"),
		allow(on(`"arn:aws:sqs:us-east-2:123456789012:queue1"`), "sqs:SendMessage", "arn:aws:sqs:us-east-2:123456789012:queue1"),
		silent(on(`"arn:aws:sqs:us-east-2:123456789012:queue1"`), "sqs:SendMessage", "arn:aws:sqs:us-east-2:123456789012:queue12"),
		silent(on(`"arn:aws:sqs:us-east-2:123456789012:queue1"`), "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:queue1"),
		// User names are case-sensitive.
		allow(on(`"arn:aws:iam::123456789012:user/Bob"`), "iam:GetUser", "arn:aws:iam::123456789012:user/Bob"),
		silent(on(`"arn:aws:iam::123456789012:user/Bob"`), "iam:GetUser", "arn:aws:iam::123456789012:user/bob"),
		allow(on(`"arn:aws:iam::123456789012:user/accounting/*"`), "iam:GetUser", "arn:aws:iam::123456789012:user/accounting/bob"),
		silent(on(`"arn:aws:iam::123456789012:user/accounting/*"`), "iam:GetUser", "arn:aws:iam::123456789012:user/bob"),
		allow(tables, "dynamodb:GetItem", "arn:aws:dynamodb:us-east-2:123456789012:table/books_table"),
		allow(tables, "dynamodb:GetItem", "arn:aws:dynamodb:us-east-2:123456789012:table/magazines_table"),
		silent(tables, "dynamodb:GetItem", "arn:aws:dynamodb:us-east-2:123456789012:table/prices_table"),

		// A slash is an ordinary character.
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/test/object.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test/object.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test/3/object.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/2/3/test/4/object.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1///test///object.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/test/.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket//test/object.jpg"),
		allow(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/test/"),
		silent(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1-test/object.jpg"),
		silent(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/test/object.jpg"),
		silent(test, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test.jpg"),

		// A * at the end of a part of an ARN also matches colons.
		allow(on(`"arn:aws:eks:*:123456789012:cluster/c"`), "eks:DescribeCluster", "arn:aws:eks:eu-west-2:123456789012:cluster/c"),
		allow(on(`"arn:aws:eks:*"`), "eks:DescribeCluster", "arn:aws:eks:eu-west-2:123456789012:cluster/c"),
		silent(on(`"arn:aws:eks:*"`), "eks:DescribeCluster", "arn:aws:ec2:eu-west-2:123456789012:cluster/c"),
		allow(on(`"arn:aws:ec2:us-east-?:123456789012:instance/i-?"`), "ec2:StartInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"),
		silent(on(`"arn:aws:ec2:us-east-?:123456789012:instance/i-?"`), "ec2:StartInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-12"),
	}
}

func notResources() []example {
	const allButPayroll = `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::HRBucket/Payroll","arn:aws:s3:::HRBucket/Payroll/*"]}`
	const allowButPayroll = `{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::HRBucket/Payroll/*"}`
	return []example{
		deny(allButPayroll, "s3:GetObject", "arn:aws:s3:::HRBucket/Reviews/bob"),
		deny(allButPayroll, "s3:ListBucket", "arn:aws:s3:::HRBucket"),
		silent(allButPayroll, "s3:GetObject", "arn:aws:s3:::HRBucket/Payroll"),
		silent(allButPayroll, "s3:GetObject", "arn:aws:s3:::HRBucket/Payroll/bob"),
		silent(allButPayroll, "ec2:StartInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"),
		allow(allowButPayroll, "s3:GetObject", "arn:aws:s3:::HRBucket/Reviews/bob"),
		silent(allowButPayroll, "s3:GetObject", "arn:aws:s3:::HRBucket/Payroll/bob"),
	}
}

func versions() []example {
	const own = `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/${aws:username}/*"}`
	const file, literally = "arn:aws:s3:::bucket/bob/file", "arn:aws:s3:::bucket/${aws:username}/file"
	bob := []key{is("aws:username", "bob")}
	without := func(e example) example {
		e.document = strings.Replace(e.document, `"Version":"",`, "", 1)
		return e
	}
	return []example{
		identity("2012-10-17", own, "s3:GetObject", file, policy.Allow, bob),
		identity("2008-10-17", own, "s3:GetObject", file, policy.ImplicitDeny, bob),
		identity("2008-10-17", own, "s3:GetObject", literally, policy.Allow, bob),
		without(identity("", own, "s3:GetObject", file, policy.ImplicitDeny, bob)), // the default version is 2008-10-17
		without(identity("", own, "s3:GetObject", literally, policy.Allow, bob)),
		identity("2008-10-17", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"${aws:username}"}}}`,
			"s3:ListBucket", "arn:aws:s3:::bucket", policy.ImplicitDeny, append(bob, is("s3:prefix", "bob"))),
		identity("2008-10-17", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"${aws:username}"}}}`,
			"s3:ListBucket", "arn:aws:s3:::bucket", policy.Allow, append(bob, is("s3:prefix", "${aws:username}"))),
	}
}

func conditions() []example {
	return []example{
		// Key names are case-insensitive; for values it depends on the operator.
		match(`"StringEquals":{"aws:SourceIP":"192.0.2.1"}`, is("AWS:SourceIp", "192.0.2.1")),
		match(`"StringEquals":{"aws:username":"john"}`, is("aws:username", "john")),
		noMatch(`"StringEquals":{"aws:username":"john"}`, is("aws:username", "John")),
		match(`"StringEqualsIgnoreCase":{"aws:username":"john"}`, is("aws:username", "john")),
		match(`"StringEqualsIgnoreCase":{"aws:username":"john"}`, is("aws:username", "John")),
		// A missing key matches nothing, not even an empty value.
		noMatch(`"StringEquals":{"aws:PrincipalTag/team":""}`),
		match(`"StringEquals":{"aws:PrincipalTag/team":""}`, is("aws:PrincipalTag/team", "")),
		// Values may be numbers and booleans.
		match(`"NumericEquals":{"s3:max-keys":10}`, is("s3:max-keys", "10")),
		match(`"Bool":{"aws:SecureTransport":true}`, is("aws:SecureTransport", "true")),
		match(`"StringEquals":{"s3:max-keys":[9,10]}`, is("s3:max-keys", "10")),
		match(``),
	}
}

func severalKeys() []example {
	const tags = `"StringEquals":{"aws:PrincipalTag/department":["finance","hr","legal"],"aws:PrincipalTag/role":["audit","security"]},`
	const anaOrMary = tags + `"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::222222222222:user/Ana","arn:aws:iam::222222222222:user/Mary"]}`
	const neither = tags + `"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::222222222222:user/Ana","arn:aws:iam::222222222222:user/Mary"]}`
	department := func(name string) key { return is("aws:PrincipalTag/department", name) }
	role := func(name string) key { return is("aws:PrincipalTag/role", name) }
	user := func(name string) key { return is("aws:PrincipalArn", "arn:aws:iam::222222222222:user/"+name) }
	const window = `"DateGreaterThan":{"aws:CurrentTime":"2019-07-16T12:00:00Z"},"DateLessThan":{"aws:CurrentTime":"2019-07-16T15:00:00Z"},` +
		`"IpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}`
	at := func(time string) key { return is("aws:CurrentTime", time) }
	from := func(address string) key { return is("aws:SourceIp", address) }
	return []example{
		match(anaOrMary, department("legal"), role("audit"), user("Mary")),
		noMatch(anaOrMary, department("hr"), role("audit"), user("Nikki")),
		noMatch(anaOrMary, department("hr"), role("payroll"), user("Mary")),
		noMatch(anaOrMary, department("hr"), user("Mary")),
		noMatch(anaOrMary, user("Mary")),

		match(neither, department("legal"), role("audit"), user("Nikki")),
		noMatch(neither, department("hr"), role("audit"), user("Mary")),
		noMatch(neither, department("hr"), role("payroll"), user("Nikki")),
		noMatch(neither, department("hr"), user("Nikki")),
		noMatch(neither, user("Nikki")),

		match(window, at("2019-07-16T13:30:00Z"), from("192.0.2.7")),
		match(window, at("2019-07-16T13:30:00Z"), from("203.0.113.7")),
		noMatch(window, at("2019-07-16T13:30:00Z"), from("198.51.100.7")),
		noMatch(window, at("2019-07-16T11:59:59Z"), from("192.0.2.7")),
		noMatch(window, at("2019-07-16T15:00:00Z"), from("192.0.2.7")),
	}
}

func severalValues() []example {
	const all = `"ForAllValues:StringEquals":{"aws:TagKeys":["environment","cost-center"]}`
	const allOfSome = all + `,"Null":{"aws:TagKeys":"false"}`
	const some = `"ForAnyValue:StringEquals":{"aws:TagKeys":["environment","cost-center"]}`
	const noneOfAll = `"ForAllValues:StringNotEquals":{"aws:TagKeys":["environment","cost-center"]}`
	const someOther = `"ForAnyValue:StringNotEquals":{"aws:TagKeys":["environment","cost-center"]}`
	tags := func(keys ...string) key { return is("aws:TagKeys", keys...) }
	return []example{
		match(allOfSome, tags("environment")),
		match(allOfSome, tags("cost-center")),
		match(allOfSome, tags("environment", "cost-center")),
		noMatch(allOfSome, tags("environment", "dept")),
		noMatch(allOfSome),
		match(all), // hence the need for Null
		match(all, tags()),
		match(all, tags("")), // an empty string is an empty set
		noMatch(allOfSome, tags("")),

		match(some, tags("environment")),
		match(some, tags("cost-center")),
		match(some, tags("environment", "cost-center")),
		match(some, tags("environment", "dept")),
		noMatch(some, tags("dept")),
		noMatch(some),
		noMatch(some, tags("")),
		noMatch(`"ForAnyValue:StringEquals":{"aws:TagKeys":""}`, tags("")),

		match(noneOfAll, tags("dept", "team")),
		noMatch(noneOfAll, tags("dept", "environment")),
		match(noneOfAll),
		match(someOther, tags("dept", "environment")),
		noMatch(someOther, tags("environment", "cost-center")),
		noMatch(someOther),
		noMatch(someOther, tags("")),

		match(`"ForAllValues:StringLike":{"aws:TagKeys":["key1*","key2*"]}`, tags("key1-a", "key2-b")),
		noMatch(`"ForAllValues:StringLike":{"aws:TagKeys":["key1*","key2*"]}`, tags("key1-a", "key3-b")),
		match(`"ForAnyValue:StringLike":{"aws:TagKeys":"key1*"}`, tags("key1-a", "key3-b")),
		noMatch(`"ForAllValues:StringNotLike":{"aws:TagKeys":"key1*"}`, tags("key1-a", "key3-b")),
		match(`"ForAnyValue:StringNotLike":{"aws:TagKeys":"key1*"}`, tags("key1-a", "key3-b")),
		match(`"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"environment"}`),
		noMatch(`"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"environment"}`, tags("dept")),
		match(`"ForAllValues:StringEqualsIgnoreCase":{"aws:TagKeys":"environment"}`, tags("Environment")),
		// A variable has one value.
		noMatch(`"ForAnyValue:StringLike":{"aws:TagKeys":"${aws:TagKeys}"}`, tags("a", "b")),
	}
}

func stringOperators() []example {
	const admin = `"StringEquals":{"aws:PrincipalTag/job-category":"iamuser-admin"}`
	const home = `"StringLike":{"s3:prefix":["","home/","home/${aws:username}/"]}`
	const tagged = `"StringEqualsIgnoreCase":{"aws:RequestTag/environment":["preprod","storage"]},"ForAnyValue:StringEquals":{"aws:TagKeys":"environment"}`
	job := func(name string) key { return is("aws:PrincipalTag/job-category", name) }
	prefix := func(name string) key { return is("s3:prefix", name) }
	martha := is("aws:username", "martha_rivera")
	value := func(name string) key { return is("aws:RequestTag/environment", name) }
	return []example{
		match(admin, job("iamuser-admin")),
		noMatch(admin, job("dev-ops")),
		noMatch(admin),

		match(home, martha, prefix("")),
		match(home, martha, prefix("home/")),
		match(home, martha, prefix("home/martha_rivera/")),
		noMatch(home, martha, prefix("home/nikki_wolf/")),
		noMatch(home, prefix("home/martha_rivera/")),
		noMatch(home, martha),

		match(tagged, is("aws:TagKeys", "environment"), value("preprod")),
		match(tagged, is("aws:TagKeys", "environment", "costcenter"), value("PreProd")),
		noMatch(tagged, is("aws:TagKeys", "Environment"), value("preprod")),
		noMatch(tagged, is("aws:TagKeys", "costcenter"), value("preprod")),
		noMatch(tagged, value("storage")),
		noMatch(tagged, is("aws:TagKeys", "environment")),
		noMatch(tagged),

		match(`"StringNotEquals":{"aws:username":["john","jane"]}`, is("aws:username", "John")),
		noMatch(`"StringNotEquals":{"aws:username":["john","jane"]}`, is("aws:username", "jane")),
		match(`"StringNotEquals":{"aws:username":"john"}`), // a missing key is not equal
		noMatch(`"StringNotEqualsIgnoreCase":{"aws:username":"john"}`, is("aws:username", "John")),
		match(`"StringNotEqualsIgnoreCase":{"aws:username":"john"}`, is("aws:username", "jane")),
		match(`"StringNotLike":{"aws:username":"j*"}`, is("aws:username", "mary")),
		noMatch(`"StringNotLike":{"aws:username":["m*","j*"]}`, is("aws:username", "john")),
		match(`"StringNotLike":{"aws:username":"j*"}`),
		match(`"StringLike":{"aws:username":"j?h?"}`, is("aws:username", "john")),
		noMatch(`"StringLike":{"aws:username":"J*"}`, is("aws:username", "john")),
		noMatch(`"StringLike":{"aws:username":"oh"}`, is("aws:username", "john")), // the whole value must match
		match(`"StringLike":{"aws:username":"?"}`, is("aws:username", "é")),       // one character of two bytes
		noMatch(`"StringEquals":{"aws:username":"j*"}`, is("aws:username", "john")),
		match(`"StringEquals":{"aws:username":"j*"}`, is("aws:username", "j*")),
	}
}

func numericOperators() []example {
	keys := func(n string) key { return is("s3:max-keys", n) }
	return []example{
		match(`"NumericLessThanEquals":{"s3:max-keys":"10"}`, keys("10")),
		match(`"NumericLessThanEquals":{"s3:max-keys":"10"}`, keys("9")),
		noMatch(`"NumericLessThanEquals":{"s3:max-keys":"10"}`, keys("11")),
		noMatch(`"NumericLessThanEquals":{"s3:max-keys":"10"}`),
		match(`"NumericEquals":{"s3:max-keys":"10"}`, keys("10.0")),
		match(`"NumericEquals":{"s3:max-keys":["10.5","1e3"]}`, keys("1000")),
		noMatch(`"NumericEquals":{"s3:max-keys":"10"}`, keys("ten")),
		match(`"NumericNotEquals":{"s3:max-keys":"10"}`, keys("11")),
		noMatch(`"NumericNotEquals":{"s3:max-keys":["9","10"]}`, keys("10")),
		match(`"NumericNotEquals":{"s3:max-keys":"10"}`),
		match(`"NumericLessThan":{"s3:max-keys":"10"}`, keys("9.99")),
		noMatch(`"NumericLessThan":{"s3:max-keys":"10"}`, keys("10")),
		match(`"NumericGreaterThan":{"s3:max-keys":"-1"}`, keys("0")),
		noMatch(`"NumericGreaterThan":{"s3:max-keys":"10"}`, keys("10")),
		noMatch(`"NumericGreaterThan":{"s3:max-keys":"9"}`, keys("10x")),
		match(`"NumericGreaterThanEquals":{"s3:max-keys":"10"}`, keys("10")),
		noMatch(`"NumericGreaterThanEquals":{"s3:max-keys":"10"}`, keys("9")),
		match(`"NumericLessThanIfExists":{"aws:MultiFactorAuthAge":"3600"}`),
	}
}

func dateOperators() []example {
	issued := func(time string) key { return is("aws:TokenIssueTime", time) }
	now := is("aws:CurrentTime", "2026-11-23T08:00:00Z")
	epoch := is("aws:EpochTime", "1795420800") // the same moment
	return []example{
		match(`"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, issued("2020-01-01T00:00:02Z")),
		noMatch(`"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, issued("2020-01-01T00:00:01Z")),
		noMatch(`"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`),
		match(`"DateGreaterThanEquals":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, issued("2020-01-01T00:00:01Z")),
		match(`"DateLessThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, issued("2019-12-31T23:59:59Z")),
		noMatch(`"DateLessThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, issued("2020-01-01T00:00:01Z")),
		match(`"DateLessThanEquals":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}`, issued("2020-01-01T00:00:01Z")),
		match(`"DateEquals":{"aws:CurrentTime":"2026-11-23T09:00:00+01:00"}`, now),
		match(`"DateNotEquals":{"aws:CurrentTime":"2026-11-23"}`, now),
		noMatch(`"DateNotEquals":{"aws:CurrentTime":"2026-11-23T08:00Z"}`, now),
		match(`"DateNotEquals":{"aws:TokenIssueTime":"2026-11-23"}`),

		// The formats of the W3C, and seconds since 1970.
		match(`"DateGreaterThan":{"aws:CurrentTime":"2026"}`, now),
		noMatch(`"DateGreaterThan":{"aws:CurrentTime":"2027"}`, now),
		match(`"DateGreaterThan":{"aws:CurrentTime":"2026-11"}`, now),
		match(`"DateGreaterThan":{"aws:CurrentTime":"2026-11-23"}`, now),
		match(`"DateEquals":{"aws:CurrentTime":"2026-11-23T08:00Z"}`, now),
		match(`"DateEquals":{"aws:CurrentTime":"2026-11-23T08:00:00.000Z"}`, now),
		match(`"DateEquals":{"aws:CurrentTime":"1795420800"}`, now),
		match(`"DateEquals":{"aws:CurrentTime":1795420800}`, now),
		match(`"DateEquals":{"aws:EpochTime":"2026-11-23T08:00:00Z"}`, epoch),
		match(`"DateLessThan":{"aws:EpochTime":"1795420801"}`, epoch),
		noMatch(`"DateLessThan":{"aws:EpochTime":"1795420800"}`, epoch),
		match(`"NumericLessThan":{"aws:EpochTime":"1795420801"}`, epoch),
	}
}

func booleanOperators() []example {
	const plain = `"Bool":{"aws:SecureTransport":"false"}`
	return []example{
		match(plain, is("aws:SecureTransport", "false")),
		noMatch(plain, is("aws:SecureTransport", "true")),
		noMatch(plain),
		match(`"Bool":{"aws:SecureTransport":"FALSE"}`, is("aws:SecureTransport", "false")),
		match(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`),
		noMatch(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`, is("aws:MultiFactorAuthPresent", "true")),
		match(`"ForAllValues:Bool":{"service:Flags":"true"}`, is("service:Flags", "true", "true")),
		noMatch(`"ForAllValues:Bool":{"service:Flags":"true"}`, is("service:Flags", "true", "false")),
		match(`"ForAnyValue:Bool":{"service:Flags":"true"}`, is("service:Flags", "true", "false")),
		noMatch(`"ForAnyValue:Bool":{"service:Flags":"true"}`),
	}
}

func binaryOperators() []example {
	const key64 = `"BinaryEquals":{"service:Key":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}`
	return []example{
		match(key64, is("service:Key", "QmluYXJ5VmFsdWVJbkJhc2U2NA==")),
		noMatch(key64, is("service:Key", "ASIAIOSFODNN7EXAMPLE")),
		noMatch(key64),
	}
}

func addressOperators() []example {
	const range4 = `"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`
	const both = `"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}`
	from := func(address string) key { return is("aws:SourceIp", address) }
	return []example{
		match(range4, from("203.0.113.1")),
		match(range4, from("203.0.113.255")),
		noMatch(range4, from("198.51.100.1")),
		noMatch(range4),
		noMatch(range4, from("localhost")),
		noMatch(range4, from("203.0.113.0/24")),
		match(both, from("203.0.113.1")),
		match(both, from("2001:db8:1234:5678::1")),
		noMatch(both, from("2001:db8:1234:5679::1")),
		match(range4, from("::ffff:203.0.113.1")), // the same address, IPv4-mapped
		match(`"IpAddress":{"aws:SourceIp":"203.0.113.5"}`, from("203.0.113.5")),
		noMatch(`"IpAddress":{"aws:SourceIp":"203.0.113.5"}`, from("203.0.113.6")), // one address is /32
		match(`"IpAddress":{"aws:SourceIp":"::ffff:203.0.113.0/120"}`, from("203.0.113.5")),
		noMatch(`"IpAddress":{"aws:SourceIp":"::ffff:203.0.113.0/120"}`, from("203.0.114.5")),
		noMatch(`"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}`, from("203.0.113.1")),
		match(`"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}`, from("198.51.100.1")),
		match(`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`),
	}
}

func arnOperators() []example {
	const topic = `"ArnEquals":{"aws:SourceArn":"arn:aws:sns:us-west-2:123456789012:TOPIC-ID"}`
	const finance = `arn:aws:someservice:*:111122223333:finance/*`
	const store = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
	const distributions = `"ForAllValues:ArnLike":{"logs:LogGeneratingResourceArns":["arn:aws:cloudfront::123456789012:distribution/*","arn:aws:cloudfront::123456789012:distribution/support*"]}`
	source := func(arn string) key { return is("aws:SourceArn", arn) }
	logs := func(arns ...string) key { return is("logs:LogGeneratingResourceArns", arns...) }
	return []example{
		match(topic, source("arn:aws:sns:us-west-2:123456789012:TOPIC-ID")),
		noMatch(topic, source("arn:aws:sns:us-west-2:777788889999:TOPIC-ID")),
		noMatch(topic, source("arn:aws:sns:us-west-2:123456789012:topic-id")),
		noMatch(topic),

		// ArnEquals and ArnLike are the same, and compare part by part.
		match(`"ArnEquals":{"aws:SourceArn":"arn:aws:sns:*:123456789012:TOPIC-*"}`, source("arn:aws:sns:us-west-2:123456789012:TOPIC-ID")),
		match(`"ArnLike":{"aws:SourceArn":"arn:aws:sns:us-west-?:123456789012:*"}`, source("arn:aws:sns:us-west-2:123456789012:TOPIC-ID")),
		match(`"StringLike":{"aws:SourceArn":"`+finance+`"}`, source(store)),
		noMatch(`"ArnLike":{"aws:SourceArn":"`+finance+`"}`, source(store)),
		match(`"ArnLike":{"aws:SourceArn":"`+finance+`"}`, source("arn:aws:someservice:us-east-2:111122223333:finance/document.txt")),
		match(`"ArnLike":{"aws:SourceArn":"arn:aws:logs:*:*:log-group:*"}`, source("arn:aws:logs:us-east-1:123456789012:log-group:/aws/eks/c:log-stream:s")),
		match(`"ArnLike":{"aws:SourceArn":"*"}`, source("arn:aws:sns:us-west-2:123456789012:TOPIC-ID")),
		noMatch(`"ArnLike":{"aws:SourceArn":"arn:*:*:*:*:*"}`, source("no ARN")),
		noMatch(`"ArnLike":{"aws:SourceArn":"*"}`, source("no ARN")),
		match(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/${aws:username}"}`, is("aws:PrincipalArn", "arn:aws:iam::123456789012:user/bob"), is("aws:username", "bob")),
		noMatch(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/${aws:username}"}`, is("aws:PrincipalArn", "arn:aws:iam::123456789012:user/bob"), is("aws:username", "*")),

		noMatch(`"ArnNotEquals":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}`, source("arn:aws:sns:us-west-2:123456789012:TOPIC-ID")),
		match(`"ArnNotEquals":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}`, source("arn:aws:sns:us-west-2:777788889999:TOPIC-ID")),
		noMatch(`"ArnNotLike":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}`, source("arn:aws:sns:us-west-2:123456789012:TOPIC-ID")),
		match(`"ArnNotLike":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}`),

		match(distributions, logs("arn:aws:cloudfront::123456789012:distribution/costcenter")),
		match(distributions, logs("arn:aws:cloudfront::123456789012:distribution/costcenter", "arn:aws:cloudfront::123456789012:distribution/support2025")),
		noMatch(distributions, logs("arn:aws:cloudfront::777788889999:distribution/costcenter")),
		match(distributions),
		match(`"ForAnyValue:ArnLike":{"logs:LogGeneratingResourceArns":"arn:aws:cloudfront::*:distribution/*"}`, logs("arn:aws:cloudfront::1:distribution/a", "arn:aws:s3:::b")),
		noMatch(`"ForAllValues:ArnNotLike":{"logs:LogGeneratingResourceArns":"arn:aws:cloudfront::*:distribution/*"}`, logs("arn:aws:cloudfront::1:distribution/a", "arn:aws:s3:::b")),
		match(`"ForAnyValue:ArnNotEquals":{"logs:LogGeneratingResourceArns":"arn:aws:cloudfront::*:distribution/*"}`, logs("arn:aws:cloudfront::1:distribution/a", "arn:aws:s3:::b")),
	}
}

func existenceOperators() []example {
	const types = `"StringLikeIfExists":{"ec2:InstanceType":["t1.*","t2.*","m3.*"]}`
	launched := func(kind string) key { return is("ec2:InstanceType", kind) }
	issued := is("aws:TokenIssueTime", "2026-11-23T08:00:00Z")
	return []example{
		match(types, launched("t1.micro")),
		noMatch(types, launched("m2.micro")),
		match(types),
		noMatch(`"StringLike":{"ec2:InstanceType":"t1.*"}`),
		// A missing key is not equal, with or without IfExists.
		match(`"StringNotEqualsIfExists":{"aws:PrincipalTag/team":"blue"}`),
		noMatch(`"StringNotEqualsIfExists":{"aws:PrincipalTag/team":"blue"}`, is("aws:PrincipalTag/team", "blue")),
		match(`"IpAddressIfExists":{"aws:SourceIp":"203.0.113.0/24"}`),
		match(`"ArnEqualsIfExists":{"aws:SourceArn":"arn:aws:s3:::b"}`),
		match(`"DateLessThanIfExists":{"aws:TokenIssueTime":"2020-01-01"}`),
		noMatch(`"StringLikeIfExists":{"ec2:InstanceType":"t1.*"},"Bool":{"aws:SecureTransport":"true"}`), // IfExists affects only its own condition

		match(`"Null":{"aws:TokenIssueTime":"false"}`, issued),
		noMatch(`"Null":{"aws:TokenIssueTime":"false"}`),
		match(`"Null":{"aws:TokenIssueTime":"true"}`),
		noMatch(`"Null":{"aws:TokenIssueTime":"true"}`, issued),
		match(`"Null":{"aws:TokenIssueTime":true}`),
		match(`"Null":{"aws:PrincipalTag/team":"true"}`, is("aws:PrincipalTag/team", "")), // an empty value is null
	}
}

func variables() []example {
	on := func(resource string) string {
		return `{"Effect":"Allow","Action":"*","Resource":"` + resource + `"}`
	}
	const statement = `{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"s3:ExistingObjectTag/Team":"${aws:PrincipalTag/Team}"}}}`
	own := on("arn:aws:s3:::bucket/${aws:username}/*")
	topics := on("arn:aws:sns:*:*:${aws:PrincipalTag/access-project}-${aws:PrincipalTag/access-environment}-*")
	byDefault := on("arn:aws:s3:::amzn-s3-demo-bucket-${aws:PrincipalTag/team, 'company-wide'}")
	bob := is("aws:username", "bob")
	team := func(name string) key { return is("aws:PrincipalTag/Team", name) }
	object := func(name string) key { return is("s3:ExistingObjectTag/Team", name) }
	project, environment := is("aws:PrincipalTag/access-project", "apollo"), is("aws:PrincipalTag/access-environment", "test")
	return []example{
		allow(own, "s3:GetObject", "arn:aws:s3:::bucket/bob/file", bob),
		silent(own, "s3:GetObject", "arn:aws:s3:::bucket/alice/file", bob),
		silent(own, "s3:GetObject", "arn:aws:s3:::bucket/bob/file"), // a role has no user name
		silent(own, "s3:GetObject", "arn:aws:s3:::bucket//file"),
		allow(on("arn:aws:s3:::bucket/${AWS:UserName}/*"), "s3:GetObject", "arn:aws:s3:::bucket/bob/file", bob),
		allow(topics, "sns:CreateTopic", "arn:aws:sns:us-east-1:123456789012:apollo-test-alarms", project, environment),
		silent(topics, "sns:CreateTopic", "arn:aws:sns:us-east-1:123456789012:apollo-production-alarms", project, environment),
		silent(topics, "sns:CreateTopic", "arn:aws:sns:us-east-1:123456789012:apollo-test-alarms", project),

		// A variable's value is not a pattern.
		silent(own, "s3:GetObject", "arn:aws:s3:::bucket/alice/file", is("aws:username", "*")),
		allow(own, "s3:GetObject", "arn:aws:s3:::bucket/*/file", is("aws:username", "*")),
		silent(own, "s3:GetObject", "arn:aws:s3:::bucket/bob/file", is("aws:username", "b?b")),

		// Not before the fifth colon.
		silent(on("arn:aws:sqs:${aws:RequestedRegion}:123456789012:q"), "sqs:SendMessage", "arn:aws:sqs:eu-west-2:123456789012:q", is("aws:RequestedRegion", "eu-west-2")),

		// Escaped special characters.
		allow(on("arn:aws:s3:::bucket/${*}"), "s3:GetObject", "arn:aws:s3:::bucket/*"),
		silent(on("arn:aws:s3:::bucket/${*}"), "s3:GetObject", "arn:aws:s3:::bucket/file"),
		silent(on("arn:aws:s3:::bucket/${?}"), "s3:GetObject", "arn:aws:s3:::bucket/f"),
		allow(on("arn:aws:s3:::bucket/${$}{aws:username}"), "s3:GetObject", "arn:aws:s3:::bucket/${aws:username}", bob),
		match(`"StringEquals":{"s3:prefix":"${*}"}`, is("s3:prefix", "*")),
		match(`"StringLike":{"s3:prefix":"a${?}*"}`, is("s3:prefix", "a?b")),
		noMatch(`"StringLike":{"s3:prefix":"${*}"}`, is("s3:prefix", "\x00a")),

		// Defaults.
		allow(byDefault, "s3:ListBucket", "arn:aws:s3:::amzn-s3-demo-bucket-yellow", team("yellow")),
		silent(byDefault, "s3:ListBucket", "arn:aws:s3:::amzn-s3-demo-bucket-company-wide", team("yellow")),
		allow(byDefault, "s3:ListBucket", "arn:aws:s3:::amzn-s3-demo-bucket-company-wide"),
		silent(byDefault, "s3:ListBucket", "arn:aws:s3:::amzn-s3-demo-bucket-yellow"),
		match(`"StringEquals":{"s3:prefix":"${aws:userid, 'anonymous'}"}`, is("s3:prefix", "anonymous")),
		noMatch(`"StringLike":{"s3:prefix":"${aws:userid, '*'}"}`, is("s3:prefix", "anonymous")),

		// A variable without a value is null: nothing equals it, everything differs.
		deny(statement, "s3:GetObject", "arn:aws:s3:::b/k", object("blue")),
		deny(statement, "s3:GetObject", "arn:aws:s3:::b/k", object("blue"), team("red")),
		silent(statement, "s3:GetObject", "arn:aws:s3:::b/k", object("blue"), team("blue")),
		noMatch(`"StringEquals":{"s3:ExistingObjectTag/Team":"${aws:PrincipalTag/Team}"}`, object("blue")),
		noMatch(`"StringLike":{"s3:ExistingObjectTag/Team":"${aws:PrincipalTag/Team}*"}`, object("blue")),
		match(`"StringNotLike":{"s3:ExistingObjectTag/Team":"${aws:PrincipalTag/Team}*"}`, object("blue")),
		deny(`{"Effect":"Deny","Action":"*","NotResource":"arn:aws:s3:::home/${aws:username}/*"}`, "s3:GetObject", "arn:aws:s3:::home/bob/file"),
		silent(`{"Effect":"Deny","Action":"*","NotResource":"arn:aws:s3:::home/${aws:username}/*"}`, "s3:GetObject", "arn:aws:s3:::home/bob/file", bob),
	}
}
