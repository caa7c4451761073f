package lab

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// awsEnvironment leads AWS's clients to the lab's AWS.
func (i Info) awsEnvironment() localaws.Environment {
	return i.files().Environment(strings.TrimPrefix(i.AWS, "http://"), Region)
}

// environment is all that aws and kubectl need to use the lab.
func (i Info) environment(path string) localaws.Environment {
	environment := i.awsEnvironment()
	environment.Set["KUBECONFIG"] = i.Kubeconfig
	environment.Set["KUBECACHEDIR"] = filepath.Join(i.Dir, "kube-cache") // else kubectl keeps it in ~/.kube
	environment.Set["PATH"] = withFirst(path, i.Assets)
	return environment
}

// withFirst is a PATH on which dir comes first; once is enough.
func withFirst(path, dir string) string {
	switch first, _, _ := strings.Cut(path, string(os.PathListSeparator)); {
	case path == "": // an empty element would be the current directory
		return dir
	case first == dir:
		return path
	}
	return dir + string(os.PathListSeparator) + path
}

// Environ is an environment of other variables, NAME=value, changed so that aws
// and kubectl use the lab.
func (i Info) Environ(environ []string) []string {
	return i.environment(lookup(environ, "PATH")).Apply(environ)
}

// Shell is what a POSIX shell with the environment given evaluates to use the lab.
func (i Info) Shell(environ []string) string {
	return i.environment(lookup(environ, "PATH")).Shell(environ)
}

// lookup the value of a variable; the last one of its name counts.
func lookup(environ []string, name string) string {
	value := ""
	for _, variable := range environ {
		if rest, ok := strings.CutPrefix(variable, name+"="); ok {
			value = rest
		}
	}
	return value
}
