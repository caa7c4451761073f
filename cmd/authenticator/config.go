package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A configFile is aws-iam-authenticator's configuration file. Most of it says
// what flags can say too; the rest is in fields of its own.
type configFile struct {
	values []configValue

	// server is the node with mapRoles, mapUsers and mapAccounts; nil without one.
	server           *yaml.Node
	scrubbedAccounts []string
	reservedPrefixes []reservedPrefixes
	// ec2RoleARN is assumed to describe instances; sourceARN guards that role
	// against use on behalf of others.
	ec2RoleARN, sourceARN string
}

// A configValue is the value of a flag.
type configValue struct {
	key, flag, text string
	line            int
}

// reservedPrefixes are those which usernames of a backend may not begin with.
type reservedPrefixes struct {
	backend  string
	prefixes []string
}

// configFlags are the keys that stand for flags, in lower case: keys are read
// without regard to it, as they always were.
func configFlags() map[string]string {
	return map[string]string{
		"clusterid":                        "cluster-id",
		"server.address":                   "address",
		"server.awsauthfile":               "aws-auth-file",
		"server.backendmode":               "backend-mode",
		"server.clusterownerarns":          "cluster-owner-arn",
		"server.ec2describeinstancesburst": "ec2-describeInstances-burst",
		"server.ec2describeinstancesqps":   "ec2-describeInstances-qps",
		"server.generatekubeconfig":        "generate-kubeconfig",
		"server.healthport":                "health-port",
		"server.hostname":                  "hostname",
		"server.kubeconfig":                "kubeconfig",
		"server.kubeconfigpregenerated":    "kubeconfig-pregenerated",
		"server.master":                    "master",
		"server.metricsbindaddress":        "metrics-bind-address",
		"server.partition":                 "partition",
		"server.port":                      "port",
		"server.rolepaths":                 "role-paths",
		"server.statedir":                  "state-dir",
		"server.stsendpoint":               "sts-endpoint",
		"server.stsendpointdial":           "sts-endpoint-dial",
		"server.stsregions":                "sts-region",
		"server.verificationcachettl":      "verification-cache-ttl",
	}
}

// parseConfig reads a configuration file. What it does not know is an error: a
// misspelt key would otherwise leave a guard off that was meant to be on.
func parseConfig(content []byte) (*configFile, error) {
	var document yaml.Node
	if err := yaml.NewDecoder(strings.NewReader(string(content))).Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return &configFile{}, nil
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var c configFile
	return &c, c.readMap(document.Content[0], "")
}

func (c *configFile) readMap(node *yaml.Node, prefix string) error {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a map is wanted", node.Line)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := prefix + key.Value
		lower := strings.ToLower(name)
		if strings.Contains(key.Value, ".") {
			return fmt.Errorf("line %d: unknown key %s", key.Line, name)
		}
		if first, twice := seen[lower]; twice {
			return fmt.Errorf("line %d: %s stands in line %d already", key.Line, name, first)
		}
		seen[lower] = key.Line
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if err := c.readKey(name, key, value, node); err != nil {
			return err
		}
	}
	return nil
}

func (c *configFile) readKey(name string, key, value, parent *yaml.Node) (err error) {
	lower := strings.ToLower(name)
	if flag, ok := configFlags()[lower]; ok {
		text, err := flagText(name, value)
		if err != nil {
			return err
		}
		c.values = append(c.values, configValue{name, flag, text, value.Line})
		return nil
	}
	switch lower {
	case "server":
		return c.readMap(value, "server.")
	case "server.maproles", "server.mapusers", "server.mapaccounts":
		c.server = parent
	case "server.scrubbedaccounts":
		c.scrubbedAccounts, err = stringList(name, value)
	case "server.reservedprefixconfig":
		return c.readReservedPrefixes(name, value)
	case "server.ec2describeinstancesrolearn":
		c.ec2RoleARN, err = stringValue(name, value)
	case "server.sourcearn":
		c.sourceARN, err = stringValue(name, value)
	case "server.dynamicfilepath", "server.dynamicfileuseridstrict", "server.dynamicbackendmodepath":
		return fmt.Errorf("line %d: %s: the DynamicFile backend is not available; awsAuthFile names a file that is watched", key.Line, name)
	default:
		return fmt.Errorf("line %d: unknown key %s", key.Line, name)
	}
	return err
}

func (c *configFile) readReservedPrefixes(name string, list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: %s: a list is wanted", list.Line, name)
	}
	for _, item := range list.Content {
		if item.Kind != yaml.MappingNode {
			return fmt.Errorf("line %d: %s: a map with backendmode and usernamePrefixReserveList is wanted", item.Line, name)
		}
		var reserved reservedPrefixes
		for i := 0; i+1 < len(item.Content); i += 2 {
			key, value := item.Content[i], item.Content[i+1]
			var err error
			switch strings.ToLower(key.Value) {
			case "backendmode":
				if reserved.backend, err = stringValue(key.Value, value); err == nil {
					reserved.backend, err = sourceName(reserved.backend)
				}
			case "usernameprefixreservelist":
				reserved.prefixes, err = stringList(key.Value, value)
			default:
				err = fmt.Errorf("unknown key %s", key.Value)
			}
			if err != nil {
				return fmt.Errorf("line %d: %s: %w", key.Line, name, err)
			}
		}
		if reserved.backend == "" || len(reserved.prefixes) == 0 || slices.Contains(reserved.prefixes, "") {
			return fmt.Errorf("line %d: %s: backendmode and usernamePrefixReserveList must not be empty", item.Line, name)
		}
		c.reservedPrefixes = append(c.reservedPrefixes, reserved)
	}
	return nil
}

// reserved returns the prefixes that usernames may not begin with, by backend.
func (c *configFile) reserved() map[string][]string {
	reserved := map[string][]string{}
	for _, r := range c.reservedPrefixes {
		reserved[r.backend] = append(reserved[r.backend], r.prefixes...)
	}
	return reserved
}

// flagText is a value as it would be given to a flag.
func flagText(name string, value *yaml.Node) (string, error) {
	if value.Kind == yaml.SequenceNode {
		list, err := stringList(name, value)
		return strings.Join(list, ","), err
	}
	return stringValue(name, value)
}

func stringValue(name string, value *yaml.Node) (string, error) {
	if value.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("line %d: %s: one value is wanted", value.Line, name)
	}
	if value.Tag == "!!null" {
		return "", nil
	}
	return value.Value, nil
}

func stringList(name string, value *yaml.Node) ([]string, error) {
	if value.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: %s: a list is wanted", value.Line, name)
	}
	var list []string
	for _, item := range value.Content {
		text, err := stringValue(name, item)
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}
