package lint

import (
	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Mappings reads a file of mappings of a kind, as the server does. Last, which may be
// nil, is the previous version. Only the entries of a DynamicFile match by user IDs.
func (k Kind) Mappings(content []byte, last *awsauth.Result, opts awsauth.Options) (*awsauth.Result, error) {
	opts.UserIDs = opts.UserIDs && k == DynamicFile
	switch k {
	case Objects:
		return readIdentityMappings(content, opts)
	case DynamicFile:
		read, err := dynamicfile.Parse(content, &dynamicfile.Content{Mappings: last}, opts)
		if err != nil {
			return nil, err
		}
		return read.Mappings, nil
	default:
		return awsauth.ParseFile(content, last, opts)
	}
}
