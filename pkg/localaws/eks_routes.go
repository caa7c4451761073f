package localaws

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// An eksRoute is an operation of EKS, by its method and path; {x} stands for a
// parameter.
type eksRoute struct{ method, path, name string }

func eksRoutes() []eksRoute {
	const entry = "clusters/{clusterName}/access-entries/{principalArn}"
	return []eksRoute{
		{http.MethodGet, "clusters", "ListClusters"},
		{http.MethodPost, "clusters", "CreateCluster"},
		{http.MethodGet, "clusters/{name}", "DescribeCluster"},
		{http.MethodDelete, "clusters/{name}", "DeleteCluster"},
		{http.MethodPost, "clusters/{name}/update-config", "UpdateClusterConfig"},
		{http.MethodGet, "clusters/{name}/updates", "ListUpdates"},
		{http.MethodGet, "clusters/{name}/updates/{updateId}", "DescribeUpdate"},
		{http.MethodGet, "clusters/{clusterName}/access-entries", "ListAccessEntries"},
		{http.MethodPost, "clusters/{clusterName}/access-entries", "CreateAccessEntry"},
		{http.MethodGet, entry, "DescribeAccessEntry"},
		{http.MethodPost, entry, "UpdateAccessEntry"},
		{http.MethodDelete, entry, "DeleteAccessEntry"},
		{http.MethodGet, entry + "/access-policies", "ListAssociatedAccessPolicies"},
		{http.MethodPost, entry + "/access-policies", "AssociateAccessPolicy"},
		{http.MethodDelete, entry + "/access-policies/{policyArn}", "DisassociateAccessPolicy"},
		{http.MethodGet, "access-policies", "ListAccessPolicies"},
		{http.MethodGet, "tags/{resourceArn}", "ListTagsForResource"},
		{http.MethodPost, "tags/{resourceArn}", "TagResource"},
		{http.MethodDelete, "tags/{resourceArn}", "UntagResource"},
	}
}

// match tells whether a request's path, in its segments as they were sent, is the
// route's, and the parameters in it.
func (r eksRoute) match(method string, segments []string) (map[string]any, bool) {
	pattern := strings.Split(r.path, "/")
	if method != r.method || len(segments) != len(pattern) {
		return nil, false
	}
	parameters := map[string]any{}
	for i, segment := range segments {
		name, isParameter := strings.CutPrefix(pattern[i], "{")
		value, err := url.PathUnescape(segment)
		switch {
		case err != nil || !isParameter && value != pattern[i]:
			return nil, false
		case isParameter:
			parameters[strings.TrimSuffix(name, "}")] = value
		}
	}
	return parameters, true
}

func (s *eksService) actions() []string {
	var names []string
	for _, route := range s.routes {
		names = append(names, route.name)
	}
	return names
}

// read the path, and the body's JSON.
func (s *eksService) read(c *call) (name string, parameters map[string]any) {
	segments := strings.Split(strings.Trim(c.request.URL.EscapedPath(), "/"), "/")
	for _, route := range s.routes {
		inPath, ok := route.match(c.request.Method, segments)
		if !ok {
			continue
		}
		var body map[string]any
		_ = json.Unmarshal(c.body, &body) // an operation that wants one says what is wrong with it
		parameters = map[string]any{}
		maps.Copy(parameters, jsonParameters(body))
		maps.Copy(parameters, inPath)
		return route.name, parameters
	}
	return c.request.Method + " " + c.request.URL.Path, nil
}
