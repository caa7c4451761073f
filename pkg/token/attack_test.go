package token_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/token"
)

// rules are all errors of the package: none has anything of the input in it.
func rules() []error {
	return []error{
		token.ErrTooLong, token.ErrPrefix, token.ErrEncoding, token.ErrURL, token.ErrScheme, token.ErrUserinfo,
		token.ErrFragment, token.ErrPort, token.ErrPath, token.ErrHost, token.ErrQuery, token.ErrParameter,
		token.ErrRepeated, token.ErrMissing, token.ErrParameterValue, token.ErrAction, token.ErrVersion,
		token.ErrAlgorithm, token.ErrSignature, token.ErrCredential, token.ErrSignedHeaders, token.ErrExpires,
		token.ErrDate, token.ErrExpired, token.ErrNotYetValid,
	}
}

func isRule(err error) bool { return slices.Contains(rules(), err) }

// TestAttack is the list of tokens that must be refused, each by the rule that
// is there for it. Many have got through elsewhere.
func TestAttack(t *testing.T) {
	good := goodURL()
	add := func(pair string) string { return good + "&" + pair }
	host := func(name string) string { return replaced(t, "sts.eu-west-2.amazonaws.com", name) }
	without := func(key string) string {
		before, after, _ := strings.Cut(good, "?")
		pairs := slices.DeleteFunc(strings.Split(after, "&"), func(pair string) bool { return strings.HasPrefix(pair, key+"=") })
		return before + "?" + strings.Join(pairs, "&")
	}
	urls := []struct {
		name, url string
		want      error
	}{
		// CVE-2022-2385: of two keys that differ in case a server checked one and
		// STS took the other.
		{"credential twice, in lower case", add("x-amz-credential=AKIAVICTIMVICTIM1234%2F20261123%2Feu-west-2%2Fsts%2Faws4_request"), token.ErrParameter},
		{"credential in lower case alone", replaced(t, "X-Amz-Credential", "x-amz-credential"), token.ErrParameter},
		{"signed headers twice, in lower case", add("x-amz-signedheaders=host%3Bx-k8s-aws-id"), token.ErrParameter},
		{"action twice, in lower case", add("action=GetCallerIdentity"), token.ErrParameter},
		{"action in capitals", replaced(t, "Action=", "ACTION="), token.ErrParameter},
		{"a key percent-encoded", add("%41ction=GetSessionToken"), token.ErrParameter},
		{"a key percent-encoded in place", replaced(t, "Action=", "%41ction="), token.ErrParameter},
		{"a key as an array", add("Action[]=GetSessionToken"), token.ErrParameter},
		{"a key with a space", add("Action+=GetSessionToken"), token.ErrParameter},
		{"another parameter", add("DurationSeconds=900"), token.ErrParameter},
		{"the same parameter twice", add("Action=GetCallerIdentity"), token.ErrRepeated},
		{"the session token twice", add("X-Amz-Security-Token=A&X-Amz-Security-Token=B"), token.ErrRepeated},
		// Pairs that lenient parsers drop.
		{"a malformed value", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=60%gh"), token.ErrParameterValue},
		{"a cut escape", add("X-Amz-Security-Token=a%2"), token.ErrParameterValue},
		{"a byte beyond ASCII that is escaped", replaced(t, "Action=Get", "Action=%C3%A9Get"), token.ErrAction},
		{"a semicolon", add("a;b=c"), nil},
		{"a semicolon between pairs", replaced(t, "&Version", ";Version"), nil},
		{"an empty pair", add(""), token.ErrQuery},
		{"an empty pair in front", replaced(t, "?Action", "?&Action"), token.ErrQuery},
		{"an empty key", add("=x"), token.ErrQuery},
		{"a key alone", add("Action"), nil},
		{"a key without a value", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires"), nil},
		// One URL, one spelling.
		{"a value in other escapes", replaced(t, "Action=GetCallerIdentity", "Action=%47etCallerIdentity"), token.ErrParameterValue},
		{"an escape in small letters", replaced(t, "host%3B", "host%3b"), token.ErrParameterValue},
		{"a semicolon that is not escaped", replaced(t, "host%3B", "host;"), nil},
		{"a plus for a space", add("X-Amz-Security-Token=a+b"), token.ErrParameterValue},
		{"slashes that are not escaped", strings.ReplaceAll(good, "%2F", "/"), token.ErrParameterValue},
		// Hosts.
		{"China's host", host("sts.cn-north-1.amazonaws.com.cn"), token.ErrHost},
		{"China's suffix without a region", host("sts.amazonaws.com.cn"), token.ErrHost},
		{"another domain behind", host("sts.amazonaws.com.evil.example"), token.ErrHost},
		{"another domain behind a region", host("sts.eu-west-2.amazonaws.com.evil.example"), token.ErrHost},
		{"no region of AWS", host("sts.evil.amazonaws.com"), token.ErrHost},
		{"a GovCloud region", host("sts.us-gov-west-1.amazonaws.com"), token.ErrHost},
		{"a European sovereign region", host("sts.eusc-de-east-1.amazonaws.eu"), token.ErrHost},
		{"capitals", host("STS.eu-west-2.amazonaws.com"), token.ErrHost},
		{"a trailing dot", host("sts.eu-west-2.amazonaws.com."), token.ErrHost},
		{"no host", host(""), token.ErrHost},
		{"another service", host("ec2.eu-west-2.amazonaws.com"), token.ErrHost},
		{"an address", host("127.0.0.1"), token.ErrHost},
		{"the suffix alone", host("amazonaws.com"), token.ErrHost},
		{"one label too many", host("a.sts.eu-west-2.amazonaws.com"), token.ErrHost},
		{"a region of the metadata service", host("sts.169.254.169.254"), token.ErrHost},
		{"a port", host("sts.eu-west-2.amazonaws.com:8443"), token.ErrPort},
		{"port 443", host("sts.eu-west-2.amazonaws.com:443"), token.ErrPort},
		{"an empty port", host("sts.eu-west-2.amazonaws.com:"), token.ErrPort},
		{"an IPv6 address", host("[::1]"), token.ErrPort},
		{"a user and a password", host("user:pw@sts.eu-west-2.amazonaws.com"), token.ErrUserinfo},
		{"a user", host("@sts.eu-west-2.amazonaws.com"), token.ErrUserinfo},
		{"a look-alike in Unicode", host("sts.eu-west-2.amаzonaws.com"), token.ErrURL},
		{"a full-width dot", host("sts．eu-west-2.amazonaws.com"), token.ErrURL},
		{"an escaped host", host("sts%2Eeu-west-2.amazonaws.com"), token.ErrURL},
		{"an endpoint that is not trusted", atEndpoint("http://127.0.0.1:4566", "eu-west-2"), token.ErrScheme},
		{"one with TLS", atEndpoint("https://127.0.0.1:4566", "eu-west-2"), token.ErrPort},
		// The rest of the URL.
		{"http", replaced(t, "https:", "http:"), token.ErrScheme},
		{"a scheme in capitals", replaced(t, "https:", "HTTPS:"), token.ErrScheme},
		{"no scheme", strings.TrimPrefix(good, "https:"), token.ErrScheme},
		{"an opaque URL", replaced(t, "https://", "https:"), token.ErrURL},
		{"a fragment", good + "#x", token.ErrFragment},
		{"an empty fragment", good + "#", token.ErrFragment},
		{"no path", replaced(t, "com/?", "com?"), token.ErrPath},
		{"another path", replaced(t, "com/?", "com/x?"), token.ErrPath},
		{"a path of two slashes", replaced(t, "com/?", "com//?"), token.ErrPath},
		{"an escaped slash for a path", replaced(t, "com/?", "com/%2f?"), token.ErrPath},
		{"a dot for a path", replaced(t, "com/?", "com/.?"), token.ErrPath},
		{"a space", replaced(t, "Action=Get", "Action= Get"), token.ErrURL},
		{"a line break", good + "\n", token.ErrURL},
		{"a NUL", good + "\x00", token.ErrURL},
		{"nothing at all", "", token.ErrURL},
		// What must be signed, and who must have signed it.
		{"not signed", "https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", token.ErrMissing},
		{"no signature", without("X-Amz-Signature"), token.ErrMissing},
		{"no algorithm", without("X-Amz-Algorithm"), token.ErrMissing},
		{"no credential", without("X-Amz-Credential"), token.ErrMissing},
		{"no date", without("X-Amz-Date"), token.ErrMissing},
		{"no expiry", without("X-Amz-Expires"), token.ErrMissing},
		{"no signed headers", without("X-Amz-SignedHeaders"), token.ErrMissing},
		{"no action", without("Action"), token.ErrMissing},
		{"no version", without("Version"), token.ErrMissing},
		{"another action", replaced(t, "GetCallerIdentity", "GetSessionToken"), token.ErrAction},
		{"an action in small letters", replaced(t, "GetCallerIdentity", "getcalleridentity"), token.ErrAction},
		{"another version", replaced(t, "2011-06-15", "2011-06-16"), token.ErrVersion},
		{"another algorithm", replaced(t, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), token.ErrAlgorithm},
		{"a signature in capitals", replaced(t, signature, strings.ToUpper(signature)), token.ErrSignature},
		{"a short signature", replaced(t, signature, signature[1:]), token.ErrSignature},
		{"a signature that is none", replaced(t, signature, strings.Repeat("z", 64)), token.ErrSignature},
		{"an empty signature", replaced(t, signature, ""), token.ErrSignature},
		{"a short access key ID", replaced(t, "AKIATLABCDEFGHIJKLM2", "AKIA"), token.ErrCredential},
		{"an access key ID of 129", replaced(t, "AKIATLABCDEFGHIJKLM2", strings.Repeat("A", 129)), token.ErrCredential},
		{"an access key ID in small letters", replaced(t, "AKIATLABCDEFGHIJKLM2", "akiatlabcdefghijklm2"), token.ErrCredential},
		{"the scope of another day", replaced(t, "%2F20261123%2F", "%2F20261122%2F"), token.ErrCredential},
		{"the scope of another region", replaced(t, "%2Feu-west-2%2F", "%2Feu-west-1%2F"), token.ErrCredential},
		{"the scope of another service", replaced(t, "%2Fsts%2F", "%2Fiam%2F"), token.ErrCredential},
		{"another end of the scope", replaced(t, "aws4_request", "aws5_request"), token.ErrCredential},
		{"a scope with a part more", replaced(t, "aws4_request", "aws4_request%2Fx"), token.ErrCredential},
		{"a scope with a part less", replaced(t, "%2Faws4_request", ""), token.ErrCredential},
		{"the cluster's header not signed", replaced(t, "host%3Bx-k8s-aws-id", "host"), token.ErrSignedHeaders},
		{"the host not signed", replaced(t, "host%3Bx-k8s-aws-id", "x-k8s-aws-id"), token.ErrSignedHeaders},
		{"another header signed", replaced(t, "host%3Bx-k8s-aws-id", "host%3Bx-amz-date%3Bx-k8s-aws-id"), token.ErrSignedHeaders},
		{"signed headers out of order", replaced(t, "host%3Bx-k8s-aws-id", "x-k8s-aws-id%3Bhost"), token.ErrSignedHeaders},
		{"signed headers in capitals", replaced(t, "host%3Bx-k8s-aws-id", "host%3BX-K8s-Aws-Id"), token.ErrSignedHeaders},
		{"a header signed twice", replaced(t, "host%3Bx-k8s-aws-id", "host%3Bx-k8s-aws-id%3Bx-k8s-aws-id"), token.ErrSignedHeaders},
		{"an expiry with a sign", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=%2B60"), token.ErrExpires},
		{"an expiry below 0", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=-1"), token.ErrExpires},
		{"an expiry of 901", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=901"), token.ErrExpires},
		{"an expiry that overflows", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires=18446744073709551676"), token.ErrExpires},
		{"an empty expiry", replaced(t, "X-Amz-Expires=60", "X-Amz-Expires="), token.ErrExpires},
		{"a date that is none", replaced(t, "20261123T082457Z", "20261123T082460Z"), token.ErrDate},
		{"a date of another zone", replaced(t, "20261123T082457Z", "20261123T082457%2B01"), token.ErrDate},
		{"a date with a fraction", replaced(t, "20261123T082457Z", "20261123T082457.5Z"), token.ErrDate},
		{"a year ahead", strings.ReplaceAll(good, "20261123", "20271123"), token.ErrNotYetValid},
		{"a year ago", strings.ReplaceAll(good, "20261123", "20251123"), token.ErrExpired},
	}
	attacks := map[string]struct {
		bearer string
		want   error
	}{
		"empty":               {"", token.ErrPrefix},
		"another prefix":      {strings.Replace(token.Encode(good), "v1", "v2", 1), token.ErrPrefix},
		"the prefix alone":    {token.Prefix, token.ErrURL},
		"a space in front":    {" " + token.Encode(good), token.ErrPrefix},
		"padding":             {token.Prefix + base64.URLEncoding.EncodeToString([]byte(good+"x")) + "=", token.ErrEncoding},
		"standard base64":     {token.Prefix + "ab+/", token.ErrEncoding},
		"a line break":        {token.Encode(good) + "\n", token.ErrEncoding},
		"a line break within": {token.Encode(good)[:40] + "\r\n" + token.Encode(good)[40:], token.ErrEncoding},
		"trailing bits":       {trailingBits(t, good), token.ErrEncoding},
		"16385 bytes":         {longToken(token.MaxLength + 1), token.ErrTooLong},
		"a million bytes":     {token.Prefix + strings.Repeat("A", 1_000_000), token.ErrTooLong},
	}
	for _, attack := range urls {
		attacks[attack.name+" (URL)"] = struct {
			bearer string
			want   error
		}{token.Encode(attack.url), attack.want}
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) { refused(t, attack.bearer, hostsOf(t, "aws"), attack.want) })
	}
}

// refused checks that Parse rejects a token with an error; nil is any.
func refused(t *testing.T, bearer string, hosts token.Hosts, want error) {
	t.Helper()
	request, err := token.Parse(bearer, hosts, signedAt())
	switch {
	case err == nil:
		t.Fatalf("it is accepted: %v", request)
	case !isRule(err):
		t.Errorf("%v is not an error of the package", err)
	case want != nil && !errors.Is(err, want):
		t.Errorf("refused as %v, want %v", err, want)
	}
	if !request.IsZero() {
		t.Errorf("it is refused, and yet %v is answered", request)
	}
}

// TestAttackBesideTheEndpoint checks what is rejected although an endpoint that is
// not AWS's is trusted: URLs that only look like it, and those that break another rule.
func TestAttackBesideTheEndpoint(t *testing.T) {
	const plain, secure = "http://localhost:4566", "https://sts.lab.example"
	good := atEndpoint(plain, "eu-west-2")
	changed := func(old, new string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is not in the good URL once", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, attack := range map[string]struct {
		endpoint, url string
		want          error
	}{
		"another port":                    {plain, changed(":4566/", ":4567/"), token.ErrScheme},
		"a port that begins alike":        {plain, changed(":4566/", ":45660/"), token.ErrScheme},
		"no port":                         {plain, changed(":4566/", "/"), token.ErrScheme},
		"TLS where none is trusted":       {plain, changed("http:", "https:"), token.ErrPort},
		"TLS where none is trusted, bare": {"http://localhost", atEndpoint("https://localhost", "eu-west-2"), token.ErrHost},
		"no TLS where it is trusted":      {secure, atEndpoint("http://sts.lab.example", "eu-west-2"), token.ErrScheme},
		"another name of the host":        {plain, changed("localhost", "127.0.0.1"), token.ErrScheme},
		"a host in capitals":              {plain, changed("localhost", "LOCALHOST"), token.ErrScheme},
		"a host in capitals, with TLS":    {secure, atEndpoint("https://STS.lab.example", "eu-west-2"), token.ErrHost},
		"a scheme in capitals":            {plain, changed("http:", "HTTP:"), token.ErrScheme},
		"a trailing dot":                  {secure, atEndpoint("https://sts.lab.example.", "eu-west-2"), token.ErrHost},
		"another domain behind":           {secure, atEndpoint("https://sts.lab.example.evil.example", "eu-west-2"), token.ErrHost},
		"a user and a password":           {plain, changed("//localhost", "//user:pw@localhost"), token.ErrScheme},
		"the endpoint for a user":         {plain, changed(":4566/", ":4566@evil.example/"), token.ErrScheme},
		"a user, with TLS":                {secure, atEndpoint("https://user@sts.lab.example", "eu-west-2"), token.ErrUserinfo},
		"no path":                         {plain, changed("/?", "?"), token.ErrScheme},
		"another path":                    {plain, changed("/?", "/x?"), token.ErrScheme},
		"a path of two slashes":           {plain, changed("/?", "//?"), token.ErrScheme},
		"another path, with TLS":          {secure, strings.Replace(atEndpoint(secure, "eu-west-2"), "/?", "/x?", 1), token.ErrPath},
		"a fragment":                      {plain, good + "#x", token.ErrParameterValue},
		"a space":                         {plain, changed("Action=Get", "Action= Get"), token.ErrURL},
		"a region of another partition":   {plain, atEndpoint(plain, "cn-north-1"), token.ErrCredential},
		"no region":                       {plain, atEndpoint(plain, ""), token.ErrCredential},
		"a region with a part more":       {plain, atEndpoint(plain, "eu-west-2%2Fsts"), token.ErrCredential},
		"AWS's host, signed for another":  {plain, replaced(t, "%2Feu-west-2%2F", "%2Feu-west-1%2F"), token.ErrCredential},
		"AWS's host without TLS":          {plain, replaced(t, "https:", "http:"), token.ErrScheme},
		"another action":                  {plain, changed("GetCallerIdentity", "GetSessionToken"), token.ErrAction},
		"action twice, in lower case":     {plain, good + "&action=GetCallerIdentity", token.ErrParameter},
		"the cluster's header not signed": {plain, changed("host%3Bx-k8s-aws-id", "host"), token.ErrSignedHeaders},
		"a year ago":                      {plain, strings.ReplaceAll(good, "20261123", "20251123"), token.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, token.Encode(attack.url), withEndpoint(t, attack.endpoint), attack.want)
		})
	}
	t.Run("a region that is not accepted", func(t *testing.T) {
		hosts, err := hostsOf(t, "aws", "eu-west-1").WithEndpoint(plain)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, token.Encode(good), hosts, token.ErrCredential)
	})
	t.Run("the zero value's partition", func(t *testing.T) {
		hosts, err := token.Hosts{}.WithEndpoint(plain)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, token.Encode(good), hosts, token.ErrCredential)
	})
}

// trailingBits is another spelling of a token, which lenient decoders accept.
func trailingBits(t *testing.T, url string) string {
	t.Helper()
	for len(url)%3 != 1 {
		url += "x" // so that the last digit has bits that mean nothing
	}
	canonical := token.Encode(url)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, canonical[len(canonical)-1])
	other := canonical[:len(canonical)-1] + alphabet[last|1:last|1+1]
	if other == canonical {
		t.Fatal("the token has no other spelling")
	}
	return other
}
