package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// User is an IAM user of the lab's account. It has an access key.
type User struct {
	Name string
	// Policy is the user's policy document. Signing in to the cluster needs none.
	Policy string
}

// Role is an IAM role of the lab's account.
type Role struct {
	Name string
	// AssumedBy are the names of the users that may assume the role, at least one. The
	// first one assumes it for [Lab.Role].
	AssumedBy []string
	// Policy is the role's policy document. Signing in to the cluster needs none.
	Policy string
}

// Mapping is an entry of the lab's aws-auth: it maps a user or a role of the lab's
// account to a Kubernetes user.
type Mapping struct {
	// User or Role is the name of the user or the role; the other one is empty.
	User, Role string
	Username   string
	Groups     []string
}

// checkAccount returns an error for a role or a mapping that names no user or role.
func (c Config) checkAccount() error {
	var users, roles []string
	for _, user := range c.Users {
		users = append(users, user.Name)
	}
	for _, role := range c.Roles {
		roles = append(roles, role.Name)
		if len(role.AssumedBy) == 0 {
			return fmt.Errorf("role %q: AssumedBy is empty (expected the name of a user)", role.Name)
		}
		for _, name := range role.AssumedBy {
			if !slices.Contains(users, name) {
				return fmt.Errorf("role %q: AssumedBy names user %q, which the lab does not have (users: %q)", role.Name, name, users)
			}
		}
	}
	for i, mapping := range c.Mappings {
		switch {
		case (mapping.User == "") == (mapping.Role == ""):
			return fmt.Errorf("mapping %d: expected either a User or a Role", i+1)
		case mapping.User != "" && !slices.Contains(users, mapping.User):
			return fmt.Errorf("mapping %d: the lab does not have user %q (users: %q)", i+1, mapping.User, users)
		case mapping.Role != "" && !slices.Contains(roles, mapping.Role):
			return fmt.Errorf("mapping %d: the lab does not have role %q (roles: %q)", i+1, mapping.Role, roles)
		case mapping.Username == "":
			return fmt.Errorf("mapping %d: Username is empty", i+1)
		}
	}
	return nil
}

func arnOfUser(name string) string { return "arn:aws:iam::" + Account + ":user/" + name }
func arnOfRole(name string) string { return "arn:aws:iam::" + Account + ":role/" + name }

// createAccount creates the configured users and roles, and keeps the users' keys.
func (l *Lab) createAccount(ctx context.Context, client *iam.Client) error {
	l.keys = map[string]localaws.AccessKey{}
	for _, user := range l.config.Users {
		key, err := createUser(ctx, client, user)
		if err != nil {
			return fmt.Errorf("creating user %s: %w", user.Name, err)
		}
		l.keys[user.Name] = key
	}
	for _, role := range l.config.Roles {
		if err := createRole(ctx, client, role); err != nil {
			return fmt.Errorf("creating role %s: %w", role.Name, err)
		}
	}
	return nil
}

// policyName is the name of the policies of configured users and roles.
const policyName = "lab"

func createUser(ctx context.Context, client *iam.Client, user User) (localaws.AccessKey, error) {
	name := aws.String(user.Name)
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: name}); err != nil {
		return localaws.AccessKey{}, err
	}
	if user.Policy != "" {
		if _, err := client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String(policyName), PolicyDocument: &user.Policy}); err != nil {
			return localaws.AccessKey{}, err
		}
	}
	made, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		return localaws.AccessKey{}, err
	}
	return localaws.AccessKey{ID: aws.ToString(made.AccessKey.AccessKeyId), Secret: aws.ToString(made.AccessKey.SecretAccessKey)}, nil
}

func createRole(ctx context.Context, client *iam.Client, role Role) error {
	var trusted []string
	for _, user := range role.AssumedBy {
		trusted = append(trusted, arnOfUser(user))
	}
	trust, err := trustPolicy("AWS", trusted...)
	if err != nil {
		return err
	}
	if _, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role.Name, AssumeRolePolicyDocument: &trust}); err != nil {
		return err
	}
	if role.Policy == "" {
		return nil
	}
	_, err = client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role.Name, PolicyName: aws.String(policyName), PolicyDocument: &role.Policy})
	return err
}

// trustPolicy returns the policy of a role that the principals may assume.
func trustPolicy(kind string, principals ...string) (string, error) {
	list, err := json.Marshal(principals)
	if err != nil {
		return "", fmt.Errorf("encoding a trust policy: %w", err)
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"` + kind + `":` + string(list) + `},"Action":"sts:AssumeRole"}]}`, nil
}

// awsAuth returns the content of the lab's aws-auth: the nodes, and the configured
// mappings.
func (c Config) awsAuth() (map[string]string, error) {
	type entry struct {
		RoleARN  string   `json:"rolearn,omitempty"`
		UserARN  string   `json:"userarn,omitempty"`
		Username string   `json:"username"`
		Groups   []string `json:"groups,omitempty"`
	}
	var roles, users []entry
	for _, mapping := range c.Mappings {
		if mapping.Role != "" {
			roles = append(roles, entry{RoleARN: arnOfRole(mapping.Role), Username: mapping.Username, Groups: mapping.Groups})
		} else {
			users = append(users, entry{UserARN: arnOfUser(mapping.User), Username: mapping.Username, Groups: mapping.Groups})
		}
	}
	data := map[string]string{"mapRoles": NodesMapping()}
	for section, entries := range map[string][]entry{"mapRoles": roles, "mapUsers": users} {
		if len(entries) == 0 {
			continue
		}
		text, err := yaml.Marshal(entries)
		if err != nil {
			return nil, fmt.Errorf("encoding aws-auth: %w", err)
		}
		data[section] += string(text)
	}
	return data, nil
}
