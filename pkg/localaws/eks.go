package localaws

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A cluster of EKS. Until an API server is registered for it, it is being made.
type cluster struct {
	Name     string            `json:"name"`
	Region   string            `json:"region"`
	ARN      string            `json:"arn"`
	Version  string            `json:"version"`
	Created  time.Time         `json:"created"`
	RoleARN  string            `json:"roleARN"`
	VPC      json.RawMessage   `json:"vpc"`
	Tags     map[string]string `json:"tags,omitempty"`
	Endpoint string            `json:"endpoint,omitempty"`
	CA       []byte            `json:"ca,omitempty"` // PEM
}

const defaultKubernetesVersion = "1.36"

// RegisterCluster binds an API server to a cluster's name: DescribeCluster answers
// its URL and CA (in PEM), and the proxy dials it. A cluster that does not exist
// is made.
func (a *AWS) RegisterCluster(region, name, endpoint string, ca []byte) error {
	if !clusterNamePattern.MatchString(name) {
		return fmt.Errorf("registering cluster %q: a name has 1 to 100 letters, digits, - and _", name)
	}
	if _, err := endpointAddress(endpoint); err != nil {
		return fmt.Errorf("registering cluster %s: %w", name, err)
	}
	return a.update(func() error {
		c, ok := a.Clusters[a.clusterARN(region, name)]
		if !ok {
			c = a.newCluster(region, name)
			a.Clusters[c.ARN] = c
		}
		c.Endpoint, c.CA = endpoint, ca
		return nil
	})
}

func (a *AWS) clusterARN(region, name string) string { return a.arn("eks", region, "cluster/"+name) }

func (a *AWS) newCluster(region, name string) *cluster {
	return &cluster{
		Name: name, Region: region, ARN: a.clusterARN(region, name), Version: defaultKubernetesVersion,
		Created: a.now(), RoleARN: a.arn("iam", "", "role/eks-cluster-role"), VPC: json.RawMessage(`{}`),
	}
}

// endpoint tells the proxy whom it may dial besides AWS.
func (a *AWS) endpoint(hostPort string) (address string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.Clusters {
		if c.Endpoint == "" {
			continue
		}
		if address, err := endpointAddress(c.Endpoint); err == nil && strings.EqualFold(address, hostPort) {
			return address, true
		}
	}
	return "", false
}

// endpointAddress is the host and port of an https URL.
func endpointAddress(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("%q is no https URL", endpoint)
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), nil
}

// eksService speaks REST with JSON.
type eksService struct{ routes []eksRoute }

var clusterNamePattern = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func (s *eksService) serve(c *call) (answer, *Error) {
	result, err := s.call(c)
	if err != nil {
		return answer{}, err
	}
	return encodeJSON(http.StatusOK, result), nil
}

func (s *eksService) failure(_ *call, e *Error) answer {
	e = e.ofEKS()
	answer := encodeJSON(e.Status, map[string]string{"message": e.Message})
	answer.header = map[string]string{"X-Amzn-Errortype": e.Code}
	return answer
}

func (s *eksService) call(c *call) (any, *Error) {
	path := strings.Split(strings.Trim(c.request.URL.EscapedPath(), "/"), "/")
	if path[0] != "clusters" || len(path) > 2 {
		return nil, notAnOperation(c)
	}
	if len(path) == 1 {
		switch c.request.Method {
		case http.MethodGet:
			return s.list(c)
		case http.MethodPost:
			return s.create(c)
		}
		return nil, notAnOperation(c)
	}
	name, err := url.PathUnescape(path[1])
	if err != nil {
		return nil, invalidEKS("the cluster's name is not encoded as a URL's path")
	}
	switch c.request.Method {
	case http.MethodGet:
		return s.describe(c, name)
	case http.MethodDelete:
		return s.delete(c, name)
	}
	return nil, notAnOperation(c)
}

func notAnOperation(c *call) *Error {
	return newError(http.StatusNotFound, "NotFoundException", "localaws has no EKS operation "+c.request.Method+" "+c.request.URL.Path)
}

func invalidEKS(message string) *Error {
	return newError(http.StatusBadRequest, "InvalidParameterException", message)
}

func (s *eksService) list(c *call) (any, *Error) {
	if err := c.authorize("eks:ListClusters", c.clusterARN(c.region, "*"), nil); err != nil {
		return nil, err
	}
	names := []string{}
	for _, cluster := range c.Clusters {
		if cluster.Region == c.region {
			names = append(names, cluster.Name)
		}
	}
	slices.Sort(names)
	return map[string]any{"clusters": names}, nil
}

func (s *eksService) find(c *call, action, name string) (*cluster, *Error) {
	arn := c.clusterARN(c.region, name)
	if err := c.authorize(action, arn, nil); err != nil {
		return nil, err
	}
	found, ok := c.Clusters[arn]
	if !ok {
		return nil, newError(http.StatusNotFound, "ResourceNotFoundException", "No cluster found for name: "+name+".")
	}
	return found, nil
}

func (s *eksService) describe(c *call, name string) (any, *Error) {
	found, err := s.find(c, "eks:DescribeCluster", name)
	if err != nil {
		return nil, err
	}
	return found.json(found.status()), nil
}

func (s *eksService) delete(c *call, name string) (any, *Error) {
	found, err := s.find(c, "eks:DeleteCluster", name)
	if err != nil {
		return nil, err
	}
	delete(c.Clusters, found.ARN)
	c.writes = true
	return found.json("DELETING"), nil
}

func (s *eksService) create(c *call) (any, *Error) {
	var input struct {
		Name               string            `json:"name"`
		Version            string            `json:"version"`
		RoleARN            string            `json:"roleArn"`
		ResourcesVPCConfig json.RawMessage   `json:"resourcesVpcConfig"`
		Tags               map[string]string `json:"tags"`
		ClientRequestToken string            `json:"clientRequestToken"`
		AccessConfig       struct {
			AuthenticationMode string `json:"authenticationMode"`
		} `json:"accessConfig"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(c.body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&input); err != nil {
		return nil, invalidEKS("localaws cannot do this: " + err.Error())
	}
	arn := c.clusterARN(c.region, input.Name)
	if err := c.authorize("eks:CreateCluster", arn, nil); err != nil {
		return nil, err
	}
	switch {
	case !clusterNamePattern.MatchString(input.Name):
		return nil, invalidEKS("The cluster name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters.")
	case input.RoleARN == "" || len(input.ResourcesVPCConfig) == 0:
		return nil, invalidEKS("roleArn and resourcesVpcConfig must be given.")
	case input.AccessConfig.AuthenticationMode != "" && input.AccessConfig.AuthenticationMode != "CONFIG_MAP":
		return nil, invalidEKS("localaws has authentication mode CONFIG_MAP only.")
	}
	if _, ok := c.Clusters[arn]; ok {
		return nil, newError(http.StatusConflict, "ResourceInUseException", "Cluster already exists with name: "+input.Name)
	}
	made := c.newCluster(c.region, input.Name)
	made.RoleARN, made.VPC, made.Tags = input.RoleARN, input.ResourcesVPCConfig, input.Tags
	made.Version = cmp.Or(input.Version, made.Version)
	c.Clusters[arn] = made
	c.writes = true
	return made.json(made.status()), nil
}

func (c *cluster) status() string {
	if c.Endpoint == "" {
		return "CREATING"
	}
	return "ACTIVE"
}

func (c *cluster) json(status string) map[string]any {
	described := map[string]any{
		"name": c.Name, "arn": c.ARN, "version": c.Version, "createdAt": c.Created.Unix(), "status": status,
		"roleArn": c.RoleARN, "resourcesVpcConfig": c.VPC, "platformVersion": "localaws.1",
		"accessConfig": map[string]any{"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": true},
		"tags":         c.Tags,
	}
	if c.Endpoint != "" {
		described["endpoint"] = c.Endpoint
		described["certificateAuthority"] = map[string]string{"data": base64.StdEncoding.EncodeToString(c.CA)}
	}
	return map[string]any{"cluster": described}
}
