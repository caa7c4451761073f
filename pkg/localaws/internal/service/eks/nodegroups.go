package eks

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A nodegroup is a managed node group. No node runs.
type nodegroup struct {
	record
	nodegroupConfig
}

func (g *nodegroup) key() string { return g.Name }

func nodegroups() kind[*nodegroup] {
	return kind[*nodegroup]{
		noun: "nodegroup", names: "node groups", path: "nodegroupName", limit: 30,
		of:      func(c *cluster) *map[string]*nodegroup { return &c.Nodegroups },
		missing: func(name string) error { return notFound("No node group found for name: " + name + ".") },
		exists: func(c *cluster, g *nodegroup) error {
			return inUse("NodeGroup already exists with name " + g.Name + " and cluster name " + c.Name)
		},
	}
}

func nodegroupOperations() []api.Operation {
	const groups = "/clusters/{name}/node-groups"
	const group = groups + "/{nodegroupName}"
	named := nodegroups().named
	return []api.Operation{
		on(namedCluster, "POST "+groups, "CreateNodegroup", createNodegroup),
		nodegroups().list("GET "+groups, "ListNodegroups", "nodegroups"),
		on(named, "GET "+group, "DescribeNodegroup", describeNodegroup),
		on(named, "DELETE "+group, "DeleteNodegroup", deleteNodegroup),
		on(named, "POST "+group+"/update-config", "UpdateNodegroupConfig", updateNodegroupConfig),
		on(named, "POST "+group+"/update-version", "UpdateNodegroupVersion", updateNodegroupVersion),
	}
}

// A nodegroupConfig is what a client chooses of a node group, as in requests and
// answers.
type nodegroupConfig struct {
	Name           string            `json:"nodegroupName"`
	Role           string            `json:"nodeRole"`
	Subnets        []string          `json:"subnets"`
	Version        string            `json:"version"`
	ReleaseVersion string            `json:"releaseVersion"`
	CapacityType   string            `json:"capacityType"`
	AMIType        string            `json:"amiType"`
	InstanceTypes  []string          `json:"instanceTypes,omitempty"`
	DiskSize       int               `json:"diskSize,omitempty"`
	Scaling        scalingConfig     `json:"scalingConfig"`
	Update         *updateConfig     `json:"updateConfig,omitempty"`
	Labels         map[string]string `json:"labels"`
	Taints         []taint           `json:"taints,omitempty"`
	LaunchTemplate *launchTemplate   `json:"launchTemplate,omitempty"`
	RemoteAccess   *remoteAccess     `json:"remoteAccess,omitempty"`
	Repair         *nodeRepair       `json:"nodeRepairConfig,omitempty"`
}

type (
	scalingConfig struct {
		Min     int `json:"minSize"`
		Max     int `json:"maxSize"`
		Desired int `json:"desiredSize"`
	}
	updateConfig struct {
		MaxUnavailable           int    `json:"maxUnavailable,omitempty"`
		MaxUnavailablePercentage int    `json:"maxUnavailablePercentage,omitempty"`
		Strategy                 string `json:"updateStrategy,omitempty"`
	}
	launchTemplate struct {
		ID      string `json:"id,omitempty"`
		Name    string `json:"name,omitempty"`
		Version string `json:"version,omitempty"`
	}
	remoteAccess struct {
		Key            string   `json:"ec2SshKey,omitempty"`
		SecurityGroups []string `json:"sourceSecurityGroups,omitempty"`
	}
	nodeRepair struct {
		Enabled bool `json:"enabled"`
	}
)

type nodegroupInput struct {
	nodegroupConfig
	Tags  map[string]string `json:"tags"`
	Token string            `json:"clientRequestToken"`
}

func (i *nodegroupInput) conditionKeys() map[string][]string { return api.RequestTags(i.Tags) }

func (i *nodegroupInput) setDefaults() {
	i.Scaling = scalingConfig{Min: 1, Max: 2, Desired: 2}
	i.CapacityType, i.AMIType, i.Labels = "ON_DEMAND", "AL2023_x86_64_STANDARD", map[string]string{}
}

func createNodegroup(tx *account.Tx, c *cluster, in request[nodegroupInput]) (any, error) {
	config := in.Body.nodegroupConfig
	if err := config.complete(c); err != nil {
		return nil, err
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	if err := config.checkNetwork(tx, c.vpcID(tx)); err != nil {
		return nil, err
	}
	role, ok := tx.Identities().Role(config.Role)
	if !ok {
		return nil, invalid("The role with ARN " + config.Role + " cannot be found.")
	}
	if !tx.Account.Trusts(role, "ec2") {
		return nil, invalid("Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole " + config.Role)
	}
	if err := tx.PassRole(role, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	made, err := nodegroups().create(tx, c, creation{key: config.Name, tags: in.Body.Tags, token: in.Body.Token, input: in.Body}, func(base record) *nodegroup {
		admit(tx, c, role.Owner, config.entryType())
		return &nodegroup{base, config}
	})
	if err != nil {
		return nil, err
	}
	return made.describe(c, "CREATING"), nil
}

// entryType returns the type of the access entry of the nodes' role.
func (n *nodegroupConfig) entryType() string {
	if strings.HasPrefix(n.AMIType, "WINDOWS_") {
		return "EC2_WINDOWS"
	}
	return "EC2_LINUX"
}

// complete sets the defaults that depend on others, and checks what excludes each
// other.
func (n *nodegroupConfig) complete(c *cluster) error {
	if n.Version == "" {
		n.Version = c.Version
	}
	if err := n.checkVersion(c); err != nil {
		return err
	}
	if n.ReleaseVersion == "" {
		n.ReleaseVersion = image.ReleaseVersion(n.Version)
	}
	if n.Update == nil {
		n.Update = &updateConfig{MaxUnavailable: 1}
	}
	if n.LaunchTemplate != nil {
		switch {
		case n.DiskSize != 0:
			return invalid("Disk size must be specified within the launch template.")
		case n.RemoteAccess != nil:
			return invalid("Remote access configuration cannot be specified with a launch template.")
		}
		return nil
	}
	if n.DiskSize == 0 {
		n.DiskSize = 20
	}
	if len(n.InstanceTypes) == 0 {
		n.InstanceTypes = []string{"t3.medium"}
	}
	return nil
}

func (n *nodegroupConfig) checkVersion(c *cluster) error {
	if _, ok := versionOf(n.Version); !ok {
		return unsupportedVersion(n.Version)
	}
	if minor(n.Version) > minor(c.Version) {
		return invalid("Requested Nodegroup version " + n.Version + " is greater than the cluster version " + c.Version)
	}
	return nil
}

var instanceTypePattern = pattern.New(`^[a-z][a-z0-9-]{0,30}\.[a-z0-9-]{1,30}$`)

func capacityTypes() []string { return []string{"ON_DEMAND", "SPOT", "CAPACITY_BLOCK"} }

func amiTypes() []string {
	return []string{
		"AL2_x86_64", "AL2_x86_64_GPU", "AL2_ARM_64", "AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NEURON",
		"AL2023_x86_64_NVIDIA", "AL2023_ARM_64_NVIDIA", "CUSTOM",
		"BOTTLEROCKET_ARM_64", "BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64_FIPS", "BOTTLEROCKET_x86_64_FIPS",
		"BOTTLEROCKET_ARM_64_NVIDIA", "BOTTLEROCKET_x86_64_NVIDIA", "BOTTLEROCKET_ARM_64_NVIDIA_FIPS", "BOTTLEROCKET_x86_64_NVIDIA_FIPS",
		"WINDOWS_CORE_2019_x86_64", "WINDOWS_FULL_2019_x86_64", "WINDOWS_CORE_2022_x86_64", "WINDOWS_FULL_2022_x86_64",
		"WINDOWS_CORE_2025_x86_64", "WINDOWS_FULL_2025_x86_64",
	}
}

// check validates what does not depend on the cluster.
func (n *nodegroupConfig) check() error {
	if !namePattern.MatchString(n.Name) || len(n.Name) > 63 {
		return invalid("The nodegroup name should match the regex [0-9A-Za-z][A-Za-z0-9-_]* and have at most 63 characters.")
	}
	if err := checkSubnets(n.Subnets, 1); err != nil {
		return err
	}
	if err := oneOf("capacityType", n.CapacityType, capacityTypes()); err != nil {
		return err
	}
	if err := oneOf("amiType", n.AMIType, amiTypes()); err != nil {
		return err
	}
	if len(n.InstanceTypes) > 20 {
		return invalid("A node group cannot have more than 20 instance types.")
	}
	for _, name := range n.InstanceTypes {
		if !instanceTypePattern.MatchString(name) {
			return invalid("The instance type " + strconv.Quote(name) + " is not valid.")
		}
	}
	if n.DiskSize < 0 || n.DiskSize > 16384 {
		return invalid("diskSize must be between 1 and 16384 GiB.")
	}
	if n.LaunchTemplate != nil && (n.LaunchTemplate.ID == "") == (n.LaunchTemplate.Name == "") {
		return invalid("Specify either the id or the name of the launch template, not both.")
	}
	if n.RemoteAccess != nil && len(n.RemoteAccess.SecurityGroups) > 20 {
		return invalid("sourceSecurityGroups cannot have more than 20 members.")
	}
	return n.checkDynamic()
}

// checkNetwork checks that EC2 has the subnets and the security groups, in the cluster's
// VPC.
func (n *nodegroupConfig) checkNetwork(tx *account.Tx, vpc string) error {
	if err := lookUpSubnets(tx, n.Subnets, vpc); err != nil {
		return err
	}
	if n.RemoteAccess == nil {
		return nil
	}
	return lookUpGroups(tx, n.RemoteAccess.SecurityGroups, vpc)
}

const (
	maxLabels = 50
	maxTaints = 50
	maxNodes  = 450
)

var labelPattern = pattern.New(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

// checkDynamic validates what UpdateNodegroupConfig can change.
func (n *nodegroupConfig) checkDynamic() error {
	s, u := n.Scaling, n.Update
	if u == nil { // in a state that localaws did not write
		u = &updateConfig{MaxUnavailable: 1}
	}
	switch {
	case s.Min < 0 || s.Max < 1 || s.Desired < 0 || s.Max > maxNodes:
		return invalid(fmt.Sprintf("The sizes of a node group must be between 0 and %d, and maxSize at least 1.", maxNodes))
	case s.Min > s.Desired:
		return invalid(fmt.Sprintf("Minimum capacity %d can't be greater than desired size %d", s.Min, s.Desired))
	case s.Desired > s.Max:
		return invalid(fmt.Sprintf("desired capacity %d can't be greater than max size %d", s.Desired, s.Max))
	case (u.MaxUnavailable == 0) == (u.MaxUnavailablePercentage == 0):
		return invalid("Specify either maxUnavailable or maxUnavailablePercentage, not both.")
	case u.MaxUnavailable < 0 || u.MaxUnavailable > 100 || u.MaxUnavailablePercentage < 0 || u.MaxUnavailablePercentage > 100:
		return invalid("maxUnavailable and maxUnavailablePercentage must be between 1 and 100.")
	case u.Strategy != "" && u.Strategy != "DEFAULT" && u.Strategy != "MINIMAL":
		return oneOf("updateStrategy", u.Strategy, []string{"DEFAULT", "MINIMAL"})
	case len(n.Labels) > maxLabels:
		return invalid(fmt.Sprintf("A node group cannot have more than %d labels.", maxLabels))
	case len(n.Taints) > maxTaints:
		return invalid(fmt.Sprintf("A node group cannot have more than %d taints.", maxTaints))
	}
	for key, value := range n.Labels {
		if !labelPattern.MatchString(key) || value != "" && !labelPattern.MatchString("x/"+value) {
			return invalid("The label " + strconv.Quote(key+"="+value) + " is not valid.")
		}
	}
	for _, t := range n.Taints {
		if err := t.check(); err != nil {
			return err
		}
	}
	return nil
}

func describeNodegroup(_ *account.Tx, m member[*nodegroup], _ request[none]) (any, error) {
	return m.it.describe(m.cluster, "ACTIVE"), nil
}

func deleteNodegroup(_ *account.Tx, m member[*nodegroup], _ request[none]) (any, error) {
	nodegroups().remove(m)
	return m.it.describe(m.cluster, "DELETING"), nil
}

func (g *nodegroup) describe(c *cluster, status string) any {
	described := with(g.described(c, "nodegroupArn", status), g.nodegroupConfig)
	id := g.ARN[strings.LastIndex(g.ARN, "/")+1:]
	described["resources"] = map[string]any{"autoScalingGroups": []map[string]string{{"name": "eks-" + g.Name + "-" + id}}}
	described["health"] = map[string]any{"issues": []any{}}
	return map[string]any{"nodegroup": described}
}

type nodegroupChange struct {
	Labels *struct {
		Set    map[string]string `json:"addOrUpdateLabels"`
		Remove []string          `json:"removeLabels"`
	} `json:"labels"`
	Taints *struct {
		Set    []taint `json:"addOrUpdateTaints"`
		Remove []taint `json:"removeTaints"`
	} `json:"taints"`
	Scaling *struct {
		Min     *int `json:"minSize"`
		Max     *int `json:"maxSize"`
		Desired *int `json:"desiredSize"`
	} `json:"scalingConfig"`
	Update *updateConfig `json:"updateConfig"`
	Repair *nodeRepair   `json:"nodeRepairConfig"`
	Token  string        `json:"clientRequestToken"`
}

func updateNodegroupConfig(tx *account.Tx, m member[*nodegroup], in request[nodegroupChange]) (any, error) {
	asked := in.under(in.Body.Token)
	if done, err := m.cluster.updated(asked); done != nil || err != nil {
		return done, err
	}
	next, params := in.Body.apply(m.it.nodegroupConfig)
	if len(params) == 0 {
		return nil, invalid("No changes needed for the node group config provided")
	}
	if err := next.checkDynamic(); err != nil {
		return nil, err
	}
	m.it.nodegroupConfig, m.it.Modified = next, tx.Time
	return m.cluster.update(tx, update{Type: "ConfigUpdate", Params: params, Nodegroup: m.it.Name, tokened: asked}), nil
}

// apply returns a changed configuration, and the parameters of the update.
func (i *nodegroupChange) apply(next nodegroupConfig) (nodegroupConfig, []updateParam) {
	var params []updateParam
	if i.Labels != nil {
		labels := map[string]string{}
		maps.Copy(labels, next.Labels)
		maps.Copy(labels, i.Labels.Set)
		next.Labels = labels
		for _, key := range i.Labels.Remove {
			delete(next.Labels, key)
		}
		params = append(params, updateParam{"LabelsToAdd", jsonOf(i.Labels.Set)}, updateParam{"LabelsToRemove", jsonOf(i.Labels.Remove)})
	}
	if i.Taints != nil {
		next.Taints = slices.Clone(next.Taints)
		for _, t := range slices.Concat(i.Taints.Remove, i.Taints.Set) {
			next.Taints = slices.DeleteFunc(next.Taints, t.same)
		}
		next.Taints = append(next.Taints, i.Taints.Set...)
		params = append(params, updateParam{"TaintsToAdd", jsonOf(i.Taints.Set)}, updateParam{"TaintsToRemove", jsonOf(i.Taints.Remove)})
	}
	if s := i.Scaling; s != nil {
		for _, size := range []struct {
			name  string
			given *int
			of    *int
		}{{"MinSize", s.Min, &next.Scaling.Min}, {"MaxSize", s.Max, &next.Scaling.Max}, {"DesiredSize", s.Desired, &next.Scaling.Desired}} {
			if size.given != nil {
				*size.of = *size.given
				params = append(params, updateParam{size.name, strconv.Itoa(*size.given)})
			}
		}
	}
	if i.Update != nil {
		next.Update = i.Update
		if i.Update.MaxUnavailable != 0 {
			params = append(params, updateParam{"MaxUnavailable", strconv.Itoa(i.Update.MaxUnavailable)})
		} else {
			params = append(params, updateParam{"MaxUnavailablePercentage", strconv.Itoa(i.Update.MaxUnavailablePercentage)})
		}
	}
	if i.Repair != nil {
		next.Repair = i.Repair
		params = append(params, updateParam{"NodeRepairEnabled", strconv.FormatBool(i.Repair.Enabled)})
	}
	return next, params
}

type nodegroupVersion struct {
	Version        string          `json:"version"`
	ReleaseVersion string          `json:"releaseVersion"`
	LaunchTemplate *launchTemplate `json:"launchTemplate"`
	Force          bool            `json:"force"`
	Token          string          `json:"clientRequestToken"`
}

func updateNodegroupVersion(tx *account.Tx, m member[*nodegroup], in request[nodegroupVersion]) (any, error) {
	asked := in.under(in.Body.Token)
	if done, err := m.cluster.updated(asked); done != nil || err != nil {
		return done, err
	}
	next, now := in.Body, m.it.nodegroupConfig
	switch {
	case next.Version != "":
		now.Version, now.ReleaseVersion = next.Version, ""
	case next.ReleaseVersion == "" && next.LaunchTemplate == nil: // to that of the cluster
		now.Version, now.ReleaseVersion = m.cluster.Version, ""
	}
	if next.ReleaseVersion != "" {
		now.ReleaseVersion = next.ReleaseVersion
	}
	if next.LaunchTemplate != nil {
		if now.LaunchTemplate == nil {
			return nil, invalid("Cannot add a launch template to a node group that was created without one.")
		}
		now.LaunchTemplate = next.LaunchTemplate
	}
	if err := now.complete(m.cluster); err != nil {
		return nil, err
	}
	if err := now.check(); err != nil {
		return nil, err
	}
	m.it.nodegroupConfig, m.it.Modified = now, tx.Time
	params := []updateParam{{"Version", now.Version}, {"ReleaseVersion", now.ReleaseVersion}}
	if t := next.LaunchTemplate; t != nil {
		params = append(params, updateParam{"LaunchTemplateName", t.Name}, updateParam{"LaunchTemplateVersion", t.Version})
	}
	return m.cluster.update(tx, update{Type: "VersionUpdate", Params: params, Nodegroup: m.it.Name, tokened: asked}), nil
}

type taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// same reports whether taints have the same key and effect: a node has one of them.
func (t taint) same(as taint) bool { return t.Key == as.Key && t.Effect == as.Effect }

func (t taint) check() error {
	if !labelPattern.MatchString(t.Key) || t.Value != "" && !labelPattern.MatchString("x/"+t.Value) {
		return invalid("The taint " + strconv.Quote(t.Key+"="+t.Value) + " is not valid.")
	}
	return oneOf("effect", t.Effect, []string{"NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"})
}
