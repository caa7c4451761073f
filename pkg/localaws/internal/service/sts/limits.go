package sts

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// limits are the session policies in a call.
type limits struct {
	text string
	arns []string
}

func (f *form) limits() limits {
	l := limits{f.optional("Policy", 1, 2048, sessionPolicyPattern), f.List("PolicyArns.member", ".arn")}
	if len(l.arns) > 10 {
		f.violate("PolicyArns", "of "+strconv.Itoa(len(l.arns))+" policies", "Member must have length less than or equal to 10")
	}
	return l
}

// parse sets the policies of a session.
func (l limits) parse(s *account.Session) error {
	s.PolicyARNs = l.arns
	if l.text == "" {
		return nil
	}
	parsed, err := policy.Parse([]byte(l.text))
	s.Policy = account.Document{Document: parsed, Text: l.text}
	if malformed, ok := errors.AsType[*policy.MalformedError](err); ok {
		return badRequest("MalformedPolicyDocument", malformed.Reason)
	}
	return err
}

// packedRoom bounds session policies and tags in bytes, packed. AWS does not
// document its packing; localaws uses DEFLATE.
const packedRoom = 2048

// packed checks that the policies exist, and returns the percentage of packedRoom that
// they and the session tags use; 0 without any.
func (l limits) packed(tx *account.Tx, tags []account.Tag) (percent int, err error) {
	for _, arn := range l.arns {
		lacks := "The session policy " + arn + " does not exist."
		switch {
		case tx.Identities().Policy(arn) != nil:
		case strings.HasPrefix(arn, "arn:"+tx.Account.Partition+":iam::aws:policy/"):
			return 0, api.Refuse(http.StatusBadRequest, "MalformedPolicyDocument", lacks+" localaws has the AWS-managed policies that aws iam list-policies --scope AWS lists, and not this one.")
		default:
			return 0, badRequest("MalformedPolicyDocument", lacks)
		}
	}
	policies := l.text != "" || len(l.arns) > 0
	if !policies && len(tags) == 0 {
		return 0, nil
	}
	switch percent = l.packedPercent(tags); {
	case percent <= 100:
		return percent, nil
	case policies:
		return 0, badRequest("PackedPolicyTooLarge", fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", percent))
	default:
		return 0, badRequest("PackedPolicyTooLarge", fmt.Sprintf("Packed size of session tags consumes %d%% of allotted space.", percent))
	}
}

func (l limits) packedPercent(tags []account.Tag) int {
	parts := append([]string{l.text}, l.arns...)
	for _, tag := range tags {
		parts = append(parts, tag.Key, tag.Value)
	}
	var packed bytes.Buffer
	packer, _ := flate.NewWriter(&packed, flate.BestCompression) // the level is valid
	_, _ = io.WriteString(packer, strings.Join(parts, "\n"))     // writing to memory never fails
	_ = packer.Close()
	return max(1, packed.Len()*100/packedRoom)
}
