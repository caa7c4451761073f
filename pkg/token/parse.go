package token

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

const timeFormat = "20060102T150405Z"

// Parse checks everything about a token that needs no network. It is strict: it
// accepts one spelling of each request, so that nobody gets around what is cached
// for a token by spelling it in another way.
//
// The error is one of this package's and contains no part of the token.
func Parse(token string, hosts Hosts, now time.Time) (Request, error) {
	request, err := parse(token, hosts, now)
	if err != nil {
		return Request{}, err
	}
	return request, nil
}

// parse returns the parts that it has read before an error too.
func parse(token string, hosts Hosts, now time.Time) (r Request, err error) {
	if r.url, err = decode(token); err != nil {
		return r, err
	}
	query, host, signs, err := parseURL(r.url, hosts)
	r.host, r.partition = host, hosts.Partition()
	if err != nil {
		return r, err
	}
	p, err := parseQuery(query)
	if err != nil {
		return r, err
	}
	if err := p.checkConstants(); err != nil {
		return r, err
	}
	if r.accessKeyID, r.region, err = p.checkCredential(signs); err != nil {
		return r, err
	}
	signed, err := p.checkHeadersAndTimes(now)
	if !signed.IsZero() {
		r.signed = signed.Unix()
	}
	return r, err
}

// decode decodes the outer layer of the wire form: the prefix and the base64url.
func decode(token string) (string, error) {
	if len(token) > MaxLength {
		return "", ErrTooLong
	}
	encoded, ok := strings.CutPrefix(token, Prefix)
	if !ok {
		return "", ErrPrefix
	}
	// The decoder skips line breaks even when strict.
	if strings.Contains(encoded, "\r") || strings.Contains(encoded, "\n") {
		return "", ErrEncoding
	}
	var room [1 << 10]byte // most URLs fit, so that only the result is allocated
	text, err := base64.RawURLEncoding.Strict().AppendDecode(room[:0], []byte(encoded))
	if err != nil {
		return "", ErrEncoding
	}
	return string(text), nil
}

// parseURL splits the URL into its query and its host, and returns which regions
// may sign for that host.
func parseURL(text string, hosts Hosts) (query, host string, signs func(region string) bool, err error) {
	if !isPrintable(text) {
		return "", "", nil, ErrURL
	}
	if query, host, ok := hosts.cutEndpoint(text); ok {
		return query, host, hosts.accepts, nil
	}
	query, host, err = parseHTTPS(text)
	if err != nil {
		return "", "", nil, err
	}
	region, ok := hosts.Region(host)
	if !ok {
		return "", host, nil, ErrHost
	}
	return query, host, func(signed string) bool { return signed == region }, nil
}

// parseHTTPS splits the URL of an AWS endpoint. It has one spelling: https://HOST/?QUERY.
func parseHTTPS(text string) (query, host string, err error) {
	rest, isHTTPS := strings.CutPrefix(text, "https:")
	if !isHTTPS {
		return "", "", ErrScheme
	}
	rest, hasHost := strings.CutPrefix(rest, "//")
	if !hasHost {
		return "", "", ErrURL
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host = rest[:end]
	query, hasPath := strings.CutPrefix(rest[end:], "/?")
	switch {
	case strings.Contains(host, "@"):
		return "", "", ErrUserinfo
	case strings.Contains(text, "#"):
		return "", "", ErrFragment
	case strings.Contains(host, ":"):
		return "", "", ErrPort
	case strings.Contains(host, "%"):
		return "", "", ErrURL
	case !hasPath:
		return "", "", ErrPath
	}
	return query, host, nil
}

// The parameters of a presigned GetCallerIdentity request.
const (
	action = iota
	version
	algorithm
	credential
	date
	expires
	securityToken
	signature
	signedHeaders
	parameterCount
)

// parameters are the decoded values of a query. present distinguishes an empty
// parameter from an absent one.
type parameters struct {
	values  [parameterCount]string
	present [parameterCount]bool
}

func parameter(key string) (int, bool) {
	switch key {
	case "Action":
		return action, true
	case "Version":
		return version, true
	case "X-Amz-Algorithm":
		return algorithm, true
	case "X-Amz-Credential":
		return credential, true
	case "X-Amz-Date":
		return date, true
	case "X-Amz-Expires":
		return expires, true
	case "X-Amz-Security-Token":
		return securityToken, true
	case "X-Amz-Signature":
		return signature, true
	case "X-Amz-SignedHeaders":
		return signedHeaders, true
	}
	return 0, false
}

// parseQuery requires each of the nine parameters exactly once, in its canonical
// spelling. Only the security token may be absent.
func parseQuery(query string) (parameters, error) {
	var p parameters
	for pair := range strings.SplitSeq(query, "&") {
		key, encoded, ok := strings.Cut(pair, "=")
		if !ok || key == "" || strings.Contains(pair, ";") {
			return p, ErrQuery
		}
		i, ok := parameter(key)
		if !ok {
			return p, ErrParameter
		}
		if p.present[i] {
			return p, ErrRepeated
		}
		value, err := unescape(encoded)
		if err != nil {
			return p, err
		}
		p.values[i], p.present[i] = value, true
	}
	for i, present := range p.present {
		if !present && i != securityToken {
			return p, ErrMissing
		}
	}
	if p.present[securityToken] && p.values[securityToken] == "" {
		return p, ErrParameterValue
	}
	return p, nil
}

// unescape decodes a value in the URI-encoding of AWS: unreserved characters bare, every
// other byte as %XX in capitals. It accepts no other spelling.
func unescape(encoded string) (string, error) {
	bare := 0
	for bare < len(encoded) && isUnreserved(encoded[bare]) {
		bare++
	}
	if bare == len(encoded) {
		return encoded, nil
	}
	value := append(make([]byte, 0, len(encoded)), encoded[:bare]...)
	for rest := encoded[bare:]; rest != ""; {
		if isUnreserved(rest[0]) {
			value, rest = append(value, rest[0]), rest[1:]
			continue
		}
		c, ok := unescapeByte(rest)
		if !ok || isUnreserved(c) {
			return "", ErrParameterValue
		}
		value, rest = append(value, c), rest[3:]
	}
	return string(value), nil
}

// unescapeByte decodes the %XX that a text begins with.
func unescapeByte(text string) (byte, bool) {
	const digits = "0123456789ABCDEF"
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := strings.IndexByte(digits, text[1]), strings.IndexByte(digits, text[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// isUnreserved reports whether a character is a letter, a digit or one of -._~. It has a
// bit for each of these and no branch: the characters of a session token are random, and
// a branch that the processor guesses wrong costs more than all the rest.
func isUnreserved(c byte) bool {
	const (
		letters        = 1<<26 - 1
		low     uint64 = 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
		high    uint64 = letters<<('A'-64) | 1<<('_'-64) | letters<<('a'-64) | 1<<('~'-64)
	)
	return (low>>c|high>>(c-64))&1 != 0
}

// isPrintable reports whether a text is not empty, and printable ASCII without spaces.
func isPrintable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return text != ""
}

func (p *parameters) checkConstants() error {
	switch {
	case p.values[action] != "GetCallerIdentity":
		return ErrAction
	case p.values[version] != "2011-06-15":
		return ErrVersion
	case p.values[algorithm] != "AWS4-HMAC-SHA256":
		return ErrAlgorithm
	case len(p.values[signature]) != 64 || !consistsOf(p.values[signature], isLowerHex):
		return ErrSignature
	}
	return nil
}

// checkCredential returns the access key ID and the region of
// KEYID/yyyymmdd/region/sts/aws4_request.
func (p *parameters) checkCredential(signs func(region string) bool) (keyID, region string, err error) {
	keyID, scope, _ := strings.Cut(p.values[credential], "/")
	if len(keyID) < 16 || len(keyID) > 128 || !consistsOf(keyID, isUpperOrDigit) {
		return "", "", ErrCredential
	}
	day, _, _ := strings.Cut(p.values[date], "T")
	rest, ofDay := strings.CutPrefix(scope, day+"/")
	region, ofSTS := strings.CutSuffix(rest, "/sts/aws4_request")
	if !ofDay || !ofSTS || !signs(region) {
		return keyID, "", ErrCredential
	}
	return keyID, region, nil
}

func (p *parameters) checkHeadersAndTimes(now time.Time) (time.Time, error) {
	// There is one way to name both: sorted and in lower case.
	if p.values[signedHeaders] != "host;"+ClusterIDHeader {
		return time.Time{}, ErrSignedHeaders
	}
	seconds := p.values[expires]
	if n, err := strconv.Atoi(seconds); err != nil || !consistsOf(seconds, isDigit) || n > 900 {
		return time.Time{}, ErrExpires
	}
	signed, err := time.Parse(timeFormat, p.values[date])
	if err != nil || len(p.values[date]) != len(timeFormat) { // Parse accepts a fraction of a second
		return time.Time{}, ErrDate
	}
	if now.After(signed.Add(Lifetime)) {
		return signed, ErrExpired
	}
	if signed.After(now.Add(MaxSkew)) {
		return signed, ErrNotYetValid
	}
	return signed, nil
}
