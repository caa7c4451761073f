package verify

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

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
	id, err := identity.Proven(identity.Answer{Account: caller.Account, ARN: caller.Arn, UserID: caller.UserID}, strings.Clone(req.AccessKeyID()))
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
		return &RefusedError{status, code}
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

type caller struct {
	Account string
	Arn     string
	UserID  string `json:"UserId" xml:"UserId"`
}

func parseCaller(body []byte) (caller, bool) {
	var answer struct {
		XMLName  xml.Name `json:"-" xml:"GetCallerIdentityResponse"`
		Result   caller   `json:"-" xml:"GetCallerIdentityResult"`
		Response struct {
			Result caller `json:"GetCallerIdentityResult"`
		} `json:"GetCallerIdentityResponse" xml:"-"`
	}
	if isXML(body) {
		err := xml.Unmarshal(body, &answer)
		return answer.Result, err == nil && answer.Result.Arn != ""
	}
	err := json.Unmarshal(body, &answer)
	return answer.Response.Result, err == nil && answer.Response.Result.Arn != ""
}

func parseErrorCode(body []byte) (string, bool) {
	var answer struct {
		XMLName xml.Name `json:"-" xml:"ErrorResponse"`
		Error   struct{ Code string }
	}
	var err error
	if isXML(body) {
		err = xml.Unmarshal(body, &answer)
	} else {
		err = json.Unmarshal(body, &answer)
	}
	return answer.Error.Code, err == nil && isErrorCode(answer.Error.Code)
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
