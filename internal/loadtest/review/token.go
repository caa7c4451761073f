package review

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// Prefix of a token.
	Prefix     = "k8s-aws-v1."
	timeFormat = "20060102T150405Z"
)

// Maker makes tokens that all differ. They are well-formed but their signatures are
// invalid: the STS stand-in does not check them. It is safe for concurrent use.
type Maker struct{ made atomic.Uint64 }

// Token returns a token of an access key for a region. Padding in its session token
// makes it length to length+3 bytes long, if it would be shorter.
func (m *Maker) Token(key, host, region string, length int) string {
	now := time.Now().UTC().Format(timeFormat)
	query := "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=" + key + "%2F" + now[:8] + "%2F" + region + "%2Fsts%2Faws4_request" +
		"&X-Amz-Date=" + now + "&X-Amz-Expires=60"
	rest := fmt.Sprintf("&X-Amz-SignedHeaders=host%%3Bx-k8s-aws-id&X-Amz-Signature=%064x", m.made.Add(1))
	url := "https://" + host + "/?" + query
	const session = "&X-Amz-Security-Token="
	if missing := (length-len(Prefix))*3/4 - len(url) - len(rest) - len(session); missing > 0 {
		url += session + strings.Repeat("s", missing+1)
	}
	return Prefix + base64.RawURLEncoding.EncodeToString([]byte(url+rest))
}
