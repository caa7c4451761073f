package eks

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

// maxTags bounds the tags of one resource.
const maxTags = 50

func tagOperations() []api.Operation {
	return []api.Operation{
		on(tagged, "GET /tags/{resourceArn}", "ListTagsForResource", listTags),
		on(tagged, "POST /tags/{resourceArn}", "TagResource", tagResource),
		on(untagged, "DELETE /tags/{resourceArn}", "UntagResource", untagResource, "tagKeys.N"),
	}
}

// checkTags returns what is wrong with tags; empty if they are valid.
func checkTags(tags map[string]string) (problem string) {
	if len(tags) > maxTags {
		return fmt.Sprintf("The number of tags exceeds the limit of %d.", maxTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256:
			return "Expected a tag key of 1 to 128 characters and a value of up to 256."
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return "Tag keys that begin with aws: are reserved for AWS."
		}
	}
	return ""
}

// tagged finds the tags of the resource in the path.
func tagged(tx *account.Tx, input api.Input) (*map[string]string, subject, error) {
	arn := input.Path["resourceArn"]
	if tags := tagsOf(tx, arn); tags != nil {
		return tags, subject{arn, api.ResourceTags(*tags)}, nil
	}
	return nil, subject{arn: arn}, api.NewError(http.StatusNotFound, "NotFoundException", "No resource found for ARN: "+arn)
}

// tagsOf returns the tags of a cluster, or of what is in one; nil if it does not exist
// in the region.
func tagsOf(tx *account.Tx, arn string) *map[string]string {
	parts := strings.Split(arn, "/")
	if len(parts) < 2 {
		return nil
	}
	c, ok := account.Get[*state](tx).Clusters[clusterARN(tx, tx.Region, parts[1])]
	if !ok {
		return nil
	}
	if c.ARN == arn {
		return &c.Tags
	}
	for _, r := range c.records() {
		if r.ARN == arn {
			return &r.Tags
		}
	}
	return nil
}

// untagged is tagged, with the keys in the query.
func untagged(tx *account.Tx, input api.Input) (*map[string]string, subject, error) {
	tags, needed, err := tagged(tx, input)
	if names := input.Query["tagKeys"]; len(names) > 0 {
		needed.keys = api.Merged(needed.keys, map[string][]string{"aws:tagkeys": names})
	}
	return tags, needed, err
}

func listTags(_ *account.Tx, tags *map[string]string, _ request[none]) (any, error) {
	return map[string]any{"tags": orEmpty(*tags)}, nil
}

type tagInput struct {
	Tags map[string]string `json:"tags"`
}

func (i *tagInput) conditionKeys() map[string][]string { return api.RequestTags(i.Tags) }

func tagResource(_ *account.Tx, tags *map[string]string, in request[tagInput]) (any, error) {
	all := map[string]string{}
	maps.Copy(all, *tags)
	maps.Copy(all, in.Body.Tags)
	if problem := checkTags(all); problem != "" {
		return nil, badRequest("BadRequestException", problem)
	}
	if len(in.Body.Tags) == 0 {
		return nil, badRequest("BadRequestException", "Tags are required.")
	}
	*tags = all
	return struct{}{}, nil
}

func untagResource(_ *account.Tx, tags *map[string]string, in request[none]) (any, error) {
	names := in.Query["tagKeys"]
	if len(names) == 0 {
		return nil, badRequest("BadRequestException", "Tags are required.")
	}
	for _, name := range names {
		delete(*tags, name)
	}
	return struct{}{}, nil
}
