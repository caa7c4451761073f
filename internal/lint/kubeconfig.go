package lint

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// The versions of the ExecCredential API.
const (
	execV1       = "client.authentication.k8s.io/v1"
	execV1beta1  = "client.authentication.k8s.io/v1beta1"
	execV1alpha1 = "client.authentication.k8s.io/v1alpha1"
)

// checkKubeconfig checks the users that sign in with a credential plugin. Root is nil if
// the file does not parse.
func (r *Report) checkKubeconfig(content []byte, root *yaml.Node, opts Options) {
	if root == nil {
		_, _, err := awsauth.ParseYAML(string(content))
		r.addInvalid(FileInvalid, err, "kubectl cannot read the file")
		return
	}
	clusters := clustersOfUsers(root)
	for user := range items(field(root, "users")) {
		name, _ := textOf(field(user, "name"))
		exec := field(field(user, "user"), "exec")
		if exec == nil || exec.Kind != yaml.MappingNode {
			continue
		}
		p := plugin{report: r, opts: opts, user: name, exec: exec, clusters: clusters[name]}
		p.check()
	}
}

// clustersOfUsers returns the names of the clusters that each user signs in to, by the
// contexts of a kubeconfig.
func clustersOfUsers(root *yaml.Node) map[string][]string {
	clusters := map[string][]string{}
	for item := range items(field(root, "contexts")) {
		context := field(item, "context")
		user, _ := textOf(field(context, "user"))
		cluster, _ := textOf(field(context, "cluster"))
		clusters[user] = append(clusters[user], cluster)
	}
	return clusters
}

// A plugin is the credential plugin of a kubeconfig's user.
type plugin struct {
	report   *Report
	opts     Options
	user     string
	exec     *yaml.Node
	clusters []string

	command string
	args    []argument
	env     map[string]string
}

// An argument is an argument of a plugin, and its place.
type argument struct {
	text string
	at   *yaml.Node
}

func (p *plugin) check() {
	p.checkVersion()
	p.readCommand()
	p.readArguments()
	p.readEnvironment()
	switch base := p.command[strings.LastIndexByte(p.command, '/')+1:]; base {
	case "aws":
		p.checkAWS()
	case "authenticator", "aws-iam-authenticator":
		p.checkAuthenticator(base)
	}
}

func (p *plugin) problem(code mapper.Code, severity mapper.Severity, at *yaml.Node, message, effect, fix string) *mapper.Problem {
	p.report.add(mapper.Problem{
		Code: code, Severity: severity, Section: "user " + p.user, Line: at.Line, Column: at.Column, Message: message, Effect: effect, Fix: fix,
	})
	return &p.report.Problems[len(p.report.Problems)-1]
}

func (p *plugin) error(code mapper.Code, at *yaml.Node, message, effect, fix string) {
	p.problem(code, mapper.Error, at, message, effect, fix)
}

func (p *plugin) checkVersion() {
	node := field(p.exec, "apiVersion")
	version, ok := textOf(node)
	const rejects = "kubectl rejects the user"
	switch {
	case !ok:
		p.error(ExecAPIVersion, p.exec, "exec has no apiVersion", rejects, "add apiVersion: "+execV1beta1)
	case version == execV1alpha1:
		found := p.problem(ExecAPIVersion, mapper.Error, node, "kubectl 1.24 and later do not support "+execV1alpha1, rejects, "write "+execV1beta1)
		found.Edit = mapper.Edit{Kind: mapper.Replace, Line: node.Line, Column: node.Column, Old: version, New: execV1beta1}
	case version != execV1 && version != execV1beta1:
		p.error(ExecAPIVersion, node, fmt.Sprintf("unknown apiVersion %q (supported: %s, %s)", version, execV1beta1, execV1), rejects, "write "+execV1beta1)
	}
	mode := field(p.exec, "interactiveMode")
	text, ok := textOf(mode)
	switch {
	case !ok && version == execV1:
		p.error(ExecInteractiveMode, p.exec, execV1+" requires interactiveMode", rejects, "add interactiveMode: IfAvailable")
	case ok && text != "Never" && text != "IfAvailable" && text != "Always":
		p.error(ExecInteractiveMode, mode, fmt.Sprintf("unknown interactiveMode %q (supported: Never, IfAvailable, Always)", text), rejects, "write IfAvailable")
	}
}

func (p *plugin) readCommand() {
	node := field(p.exec, "command")
	command, ok := textOf(node)
	if !ok {
		p.error(ExecCommand, p.exec, "exec has no command", "kubectl rejects the user", "add command: authenticator")
		return
	}
	p.command = command
	if p.opts.FindCommand == nil {
		return
	}
	if err := p.opts.FindCommand(command); err != nil {
		p.problem(ExecCommand, mapper.Warning, node, fmt.Sprintf("%q was not found on this machine: %v", command, err), "", "install it, or write its absolute path")
	}
}

func (p *plugin) readArguments() {
	for item := range items(field(p.exec, "args")) {
		if item.Kind != yaml.ScalarNode || item.Tag != "!!str" && item.Tag != "!!null" {
			p.notText(item, "an argument")
		}
		p.args = append(p.args, argument{item.Value, item})
	}
}

func (p *plugin) readEnvironment() {
	p.env = map[string]string{}
	for item := range items(field(p.exec, "env")) {
		name, ok := textOf(field(item, "name"))
		if !ok {
			p.error(ExecNotText, item, "a variable of env has no name", "kubectl rejects the user", "write name: and value:")
			continue
		}
		value := field(item, "value")
		switch {
		case value == nil || value.Tag == "!!null":
			p.problem(ExecNotText, mapper.Warning, item, fmt.Sprintf("the variable %s of env has no value", name), "the plugin gets an empty one", "add value:, or remove the variable")
		case value.Kind != yaml.ScalarNode || value.Tag != "!!str":
			p.notText(value, "the value of "+name)
			fallthrough
		default:
			p.env[name] = value.Value
		}
	}
}

// notText reports a value that is not text. It may be a secret, so the message does not
// contain it.
func (p *plugin) notText(at *yaml.Node, what string) {
	found := p.problem(ExecNotText, mapper.Error, at, what+" is not text", "kubectl cannot decode the file", "put it in quotes")
	if at.Kind == yaml.ScalarNode {
		found.Edit = mapper.Edit{Kind: mapper.Replace, Line: at.Line, Column: at.Column, Old: at.Value, New: at.Value}
	}
}

// flag returns the value of the first argument that is one of some flags, and where it
// is; nil if no argument is.
func (p *plugin) flag(names ...string) (value string, at *yaml.Node) {
	for i, arg := range p.args {
		for _, name := range names {
			if arg.text == name && i+1 < len(p.args) {
				return p.args[i+1].text, p.args[i+1].at
			}
			if arg.text == name {
				return "", arg.at
			}
			if value, ok := strings.CutPrefix(arg.text, name+"="); ok {
				return value, arg.at
			}
		}
	}
	return "", nil
}

func (p *plugin) hasArgument(text string) bool {
	for _, arg := range p.args {
		if arg.text == text {
			return true
		}
	}
	return false
}

// wrongFlag reports a flag that is another plugin's.
func (p *plugin) wrongFlag(command, instead string, names ...string) {
	for _, arg := range p.args {
		for _, name := range names {
			if arg.text == name || strings.HasPrefix(arg.text, name+"=") {
				p.error(ExecFlag, arg.at, fmt.Sprintf("%s has no flag %s", command, name), "the plugin fails", "write "+instead)
			}
		}
	}
}
