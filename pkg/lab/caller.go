package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// Caller is a user or a role of the lab's account, with all that a program needs to
// call AWS and the cluster as that identity.
type Caller struct {
	// ARN is the ARN of the user or the role.
	ARN string
	// Kubeconfig is the path of a kubeconfig that signs in as the caller. It works in any
	// environment.
	Kubeconfig string

	info Info
	aws  localaws.Environment
}

// callersDir, in the lab's directory, has a directory for each caller.
const callersDir = "callers"

// User returns a user of [Config.Users].
func (l *Lab) User(name string) (*Caller, error) {
	if caller, ok := l.callers[arnOfUser(name)]; ok {
		return caller, nil
	}
	return nil, fmt.Errorf("unknown user %q (Config.Users creates users)", name)
}

// Role returns a role of [Config.Roles], as the first user of its AssumedBy assumes it.
func (l *Lab) Role(name string) (*Caller, error) {
	if caller, ok := l.callers[arnOfRole(name)]; ok {
		return caller, nil
	}
	return nil, fmt.Errorf("unknown role %q (Config.Roles creates roles)", name)
}

// Administrator returns the administrator of the lab's AWS account, who is one of the
// cluster too, by a client certificate.
func (l *Lab) Administrator() (*Caller, error) {
	const dir = callersDir + "/administrator"
	err := l.dir.Mkdir(dir)
	if err == nil {
		err = kubeconfig.WriteCertificate(l.dir, dir+"/kubeconfig", administratorContext, l.admin)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the files of the administrator: %w", err)
	}
	caller := &Caller{ARN: arnOfUser("administrator"), Kubeconfig: l.path(dir, "kubeconfig"), info: l.info, aws: l.info.awsEnvironment()}
	caller.aws.Set["AWS_PROFILE"] = "admin"
	return caller, nil
}

// writeCallers writes the files of all callers.
func (l *Lab) writeCallers(context.Context) error {
	l.callers = map[string]*Caller{}
	for _, user := range l.config.Users {
		key := l.keys[user.Name]
		if err := l.writeCaller(arnOfUser(user.Name), "user-"+user.Name, profile("default", "region", Region), keyProfile("default", key)); err != nil {
			return fmt.Errorf("writing the files of user %s: %w", user.Name, err)
		}
	}
	for _, role := range l.config.Roles {
		arn, key := arnOfRole(role.Name), l.keys[role.AssumedBy[0]]
		config := profile("default", "region", Region, "role_arn", arn, "source_profile", "source", "role_session_name", role.AssumedBy[0])
		if err := l.writeCaller(arn, "role-"+role.Name, config, keyProfile("source", key)); err != nil {
			return fmt.Errorf("writing the files of role %s: %w", role.Name, err)
		}
	}
	return nil
}

// writeCaller writes the AWS configuration, the credentials and the kubeconfig of a
// caller into a directory of its own.
func (l *Lab) writeCaller(arn, name, config, credentials string) error {
	dir := callersDir + "/" + name
	if err := l.dir.Mkdir(dir); err != nil {
		return err
	}
	for file, text := range map[string]string{"config": config, "credentials": credentials} {
		if err := l.dir.WriteFile(dir+"/"+file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	caller := &Caller{ARN: arn, Kubeconfig: l.path(dir, "kubeconfig"), info: l.info, aws: l.info.awsEnvironment()}
	caller.aws.Set["AWS_CONFIG_FILE"] = l.path(dir, "config")
	caller.aws.Set["AWS_SHARED_CREDENTIALS_FILE"] = l.path(dir, "credentials")
	plugin := l.info.plugin()
	for _, name := range slices.Sorted(maps.Keys(caller.aws.Set)) {
		plugin.Env = append(plugin.Env, api.ExecEnvVar{Name: name, Value: caller.aws.Set[name]})
	}
	for _, name := range caller.aws.Unset { // a kubeconfig cannot unset a variable, and an empty one has no effect
		plugin.Env = append(plugin.Env, api.ExecEnvVar{Name: name})
	}
	l.callers[arn] = caller
	cluster := &api.Cluster{Server: l.info.Endpoint, CertificateAuthorityData: l.admin.CAData}
	return kubeconfig.Write(l.dir, dir+"/kubeconfig", ClusterName, cluster, &api.AuthInfo{Exec: plugin})
}

// profile returns a profile of the AWS configuration.
func profile(name string, settings ...string) string {
	text := "[" + name + "]\n"
	for setting := range slices.Chunk(settings, 2) {
		text += setting[0] + " = " + setting[1] + "\n"
	}
	return text
}

func keyProfile(name string, key localaws.AccessKey) string {
	return profile(name, "aws_access_key_id", key.ID, "aws_secret_access_key", key.Secret)
}

// Environ returns an environment of NAME=value, changed so that aws, kubectl and the
// AWS SDKs act as the caller, in the lab.
func (c *Caller) Environ(environ []string) []string {
	environment := c.info.environment(lookup(environ, "PATH"))
	maps.Copy(environment.Set, c.aws.Set)
	environment.Set["KUBECONFIG"] = c.Kubeconfig
	return environment.Apply(environ)
}

// Command returns a command that runs a program as the caller, such as kubectl or aws.
func (c *Caller) Command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	environ := c.Environ(os.Environ())
	if path, err := lookPath(name, environ); err == nil { // kubectl may be only in the lab
		name = path
	}
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = environ
	return command
}

// REST returns a configuration of client-go that signs in as the caller.
func (c *Caller) REST() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %s: %w", c.ARN, err)
	}
	return config, nil
}

// Kubernetes returns a client of the lab's cluster that signs in as the caller.
func (c *Caller) Kubernetes() (kubernetes.Interface, error) {
	config, err := c.REST()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client of %s: %w", c.ARN, err)
	}
	return client, nil
}
