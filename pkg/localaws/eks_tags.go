package localaws

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

func clusterTagOperations() []api.Operation {
	return []api.Operation{
		on("GET /tags/{resourceArn}", "ListTagsForResource", listTagsForResource),
		on("POST /tags/{resourceArn}", "TagResource", tagResource),
		on("DELETE /tags/{resourceArn}", "UntagResource", untagResource, "tagKeys"),
	}
}

// tagsProblem returns what is wrong with tags; empty if they are valid.
func tagsProblem(tags map[string]string) string {
	if len(tags) > maxTags {
		return fmt.Sprintf("The number of tags exceeds the limit of %d.", maxTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256:
			return "Expected a tag key of 1 to 128 characters and a value of up to 256."
		case strings.HasPrefix(lower(key), "aws:"):
			return "Tag keys that begin with aws: are reserved for AWS."
		}
	}
	return ""
}

// tagged checks permission and returns the resource that a call names. Only clusters
// have tags.
func (c *eksCall) tagged(keys map[string][]string) (*cluster, *Error) {
	found, ok := c.state.Clusters[c.path["resourceArn"]]
	if ok = ok && found.Region == c.region; ok {
		keys = merged(keys, resourceTags(found.Tags))
	}
	if err := c.authorize(c.operation, c.path["resourceArn"], keys); err != nil {
		return nil, err
	}
	if !ok {
		return nil, newError(http.StatusNotFound, "NotFoundException", "No resource found for ARN: "+c.path["resourceArn"])
	}
	return found, nil
}

func listTagsForResource(c *eksCall) (any, *Error) {
	found, err := c.tagged(nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{"tags": found.Tags}, nil
}

func tagResource(c *eksCall) (any, *Error) {
	var input struct {
		Tags map[string]string `json:"tags"`
	}
	if err := c.decode(&input); err != nil {
		return nil, err
	}
	found, err := c.tagged(requestTags(input.Tags))
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(found.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, input.Tags)
	if why := tagsProblem(tags); why != "" || len(input.Tags) == 0 {
		return nil, badTags(why)
	}
	found.Tags = tags
	return struct{}{}, nil
}

func badTags(why string) *Error {
	if why == "" {
		why = "Tags are required."
	}
	return newError(http.StatusBadRequest, "BadRequestException", why)
}

func untagResource(c *eksCall) (any, *Error) {
	names := c.query["tagKeys"]
	keys := map[string][]string{}
	if len(names) > 0 {
		keys["aws:tagkeys"] = names
	}
	found, err := c.tagged(keys)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, badTags("")
	}
	for _, name := range names {
		delete(found.Tags, name)
	}
	return struct{}{}, nil
}
