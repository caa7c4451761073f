package awsauth

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// maxUserID is the length of a unique ID, which has 21 characters; that of a federated
// user is an account and a name of up to 32.
const maxUserID = 128

// readUserID reads the unique ID that an entry is for. An ID with a character that none
// has would match nobody, so the entry is dropped.
func (r *reading) readUserID(entry *mapper.Entry, name string, node *yaml.Node) bool {
	if !isText(node) || len(node.Value) > maxUserID || strings.ContainsFunc(node.Value, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.drop(mapper.EntryWrongUserID, name, node, fmt.Sprintf("userid is %s, which is not a unique ID", shortened(described(node))), "write the unique ID of the user or role (AIDA… or AROA…), without a session")
		return false
	}
	entry.UserID = node.Value
	return true
}

// isAbsent reports whether a field is missing or empty.
func isAbsent(node *yaml.Node) bool {
	return isNone(node) || node.Kind == yaml.ScalarNode && node.Value == ""
}
