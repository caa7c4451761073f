package localaws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// packedRoom bounds session policies and tags in bytes, packed. AWS does not
// document its packing; localaws uses DEFLATE.
const packedRoom = 2048

// bound sets the session policies of a call, and returns the percentage of
// packedRoom that they and the session tags use; 0 without any.
func (p *parameters) bound(s *session, passed []tag) (percent int, e *Error) {
	text, err := p.optional("Policy", 1, 2048, sessionPolicyPattern)
	if err != nil {
		return 0, err
	}
	if text != "" {
		if s.Policy, err = parseDocument(text); err != nil {
			return 0, err
		}
	}
	s.PolicyARNs = p.list("PolicyArns.member", ".arn")
	if len(s.PolicyARNs) > 10 {
		return 0, tooLong("policyArns", 10)
	}
	for _, arn := range s.PolicyARNs {
		if p.policyDocument(arn) == nil {
			return 0, newError(http.StatusBadRequest, "MalformedPolicyDocument", "The session policy "+arn+" does not exist.")
		}
	}
	policies := text != "" || len(s.PolicyARNs) > 0
	if !policies && len(passed) == 0 {
		return 0, nil
	}
	switch percent = packedPercent(text, s.PolicyARNs, passed); {
	case percent <= 100:
		return percent, nil
	case policies:
		return 0, packedTooLarge(fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", percent))
	default:
		return 0, packedTooLarge(fmt.Sprintf("Packed size of session tags consumes %d%% of allotted space.", percent))
	}
}

func packedTooLarge(message string) *Error {
	return newError(http.StatusBadRequest, "PackedPolicyTooLarge", message)
}

func packedPercent(policy string, arns []string, tags []tag) int {
	parts := append([]string{policy}, arns...)
	for _, tag := range tags {
		parts = append(parts, tag.Key, tag.Value)
	}
	var packed bytes.Buffer
	packer, _ := flate.NewWriter(&packed, flate.BestCompression) // the level is valid
	_, _ = io.WriteString(packer, strings.Join(parts, "\n"))     // writing to memory never fails
	_ = packer.Close()
	return max(1, packed.Len()*100/packedRoom)
}
