package verify

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/kube-iam/authenticator/internal/jsonscan"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// understand returns the identity in an answer of STS, or its error.
func understand(req token.Request, status int, body []byte) (identity.Identity, error) {
	if len(body) > maxAnswer {
		return identity.Identity{}, &AnswerError{status, "it is longer than 64 KiB"}
	}
	if status != http.StatusOK {
		return identity.Identity{}, understandError(status, body)
	}
	caller, ok := parseCaller(body)
	if !ok {
		return identity.Identity{}, &AnswerError{status, "it is not the answer to GetCallerIdentity"}
	}
	// The key ID is a slice of the token, and the identity outlives the token.
	id, err := identity.Proven(caller, strings.Clone(req.AccessKeyID()))
	if err != nil {
		return identity.Identity{}, &AnswerError{status, err.Error()}
	}
	if partition := id.Principal().Partition; partition != req.Partition() {
		return identity.Identity{}, &AnswerError{status, "the identity is of partition " + partition + ", not " + req.Partition()}
	}
	return id, nil
}

// understandError distinguishes a rejection by STS from every other failure. Only an
// error code of STS is a rejection: a 403 of a proxy says nothing about the token.
func understandError(status int, body []byte) error {
	code, ok := parseErrorCode(body)
	switch {
	case ok && isThrottling(code), status == http.StatusTooManyRequests:
		if !ok {
			code = http.StatusText(status)
		}
		return &ThrottledError{status, code}
	case ok && status >= 400 && status < 500:
		return &RefusedError{Status: status, Code: code}
	case ok:
		return &AnswerError{status, "STS failed: " + code}
	default:
		return &AnswerError{status, "it does not come from STS"}
	}
}

// isThrottling reports whether an AWS error code means "too many requests".
func isThrottling(code string) bool {
	switch code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "PriorRequestNotComplete", "BandwidthLimitExceeded":
		return true
	}
	return false
}

// parseCaller returns who signed the request, according to STS. STS sends JSON, because
// the request accepts it; a proxy or an endpoint of the operator may send XML.
func parseCaller(body []byte) (identity.Answer, bool) {
	if isXML(body) {
		var answer struct {
			XMLName xml.Name `xml:"GetCallerIdentityResponse"`
			Result  struct {
				Account string
				ARN     string `xml:"Arn"`
				UserID  string `xml:"UserId"`
			} `xml:"GetCallerIdentityResult"`
		}
		err := xml.Unmarshal(body, &answer)
		return identity.Answer(answer.Result), err == nil && answer.Result.ARN != ""
	}
	account, arn, userID := jsonscan.Text("Account"), jsonscan.Text("Arn"), jsonscan.Text("UserId")
	result := jsonscan.Object("GetCallerIdentityResult", account, arn, userID)
	err := jsonscan.Read(body, jsonscan.Object("GetCallerIdentityResponse", result))
	return identity.Answer{Account: account.Text, ARN: arn.Text, UserID: userID.Text}, err == nil && arn.Text != ""
}

// parseErrorCode returns the code of an error of STS.
func parseErrorCode(body []byte) (string, bool) {
	if isXML(body) {
		var answer struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   struct{ Code string }
		}
		err := xml.Unmarshal(body, &answer)
		return answer.Error.Code, err == nil && isErrorCode(answer.Error.Code)
	}
	code := jsonscan.Text("Code")
	err := jsonscan.Read(body, jsonscan.Object("Error", code))
	return code.Text, err == nil && isErrorCode(code.Text)
}

// isErrorCode reports whether a code looks like one of AWS's, which are words.
// Nothing else may reach a log.
func isErrorCode(code string) bool {
	return code != "" && len(code) <= 64 && !strings.ContainsFunc(code, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_'
	})
}

func isXML(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}
