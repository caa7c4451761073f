package dynamicfile

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Content is what a DynamicFile says.
type Content struct {
	// Version names the version of the file.
	Version string
	// LastUpdated is when the mappings changed, in seconds since 1970; empty if the file
	// does not say.
	LastUpdated string
	Mappings    *awsauth.Result
}

// document is the JSON of the file. The sections are only checked to be lists here.
type document struct {
	Version             string
	LastUpdatedDateTime string
	MapRoles            []json.RawMessage `json:"mapRoles"`
	MapUsers            []json.RawMessage `json:"mapUsers"`
	MapAccounts         []json.RawMessage `json:"mapAccounts"`
}

// Parse parses a DynamicFile. Last, which may be nil, is the previous version. The error
// means that the file as a whole cannot be read; an entry with a mistake is dropped
// alone.
//
// The ARN of a session means its role, as in aws-iam-authenticator, unless entries match
// by their userid.
func Parse(content []byte, last *Content, options awsauth.Options) (*Content, error) {
	var d document
	if err := json.Unmarshal(content, &d); err != nil {
		return nil, parseError(content, err)
	}
	options.AssumedRoles, options.SectionsInAnyCase = awsauth.AssumedRolesAsRole, true
	var before *awsauth.Result
	if last != nil {
		before = last.Mappings
	}
	mappings, err := awsauth.ParseFile(asYAML(content), before, options)
	if err != nil {
		return nil, err
	}
	return &Content{Version: d.Version, LastUpdated: d.LastUpdatedDateTime, Mappings: mappings}, nil
}

// parseError adds the line to an error, and what was expected.
func parseError(content []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("parsing mappings: line %d: %w (expected the JSON of a DynamicFile)", lineAt(content, syntax.Offset), err)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("parsing mappings: line %d: %s is of type %s (expected text in Version and LastUpdatedDateTime, and lists in mapRoles, mapUsers and mapAccounts)",
			lineAt(content, wrong.Offset), wrong.Field, wrong.Value)
	}
	return fmt.Errorf("parsing mappings: %w", err)
}

func lineAt(content []byte, offset int64) int {
	line := 1
	for _, c := range content[:min(offset, int64(len(content)))] {
		if c == '\n' {
			line++
		}
	}
	return line
}
