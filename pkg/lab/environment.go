package lab

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// awsEnvironment returns the variables with which AWS clients use the lab's AWS.
func (i Info) awsEnvironment() localaws.Environment {
	return i.files().Environment(strings.TrimPrefix(i.AWS, "http://"), Region)
}

// environment returns the variables with which aws and kubectl use the lab. path is
// the current PATH.
func (i Info) environment(path string) localaws.Environment {
	environment := i.awsEnvironment()
	environment.Set["KUBECONFIG"] = i.Kubeconfig
	environment.Set["KUBECACHEDIR"] = filepath.Join(i.Dir, "kube-cache") // the default is in ~/.kube
	environment.Set["PATH"] = withFirst(path, i.Assets)
	return environment
}

// withFirst returns a PATH that begins with dir.
func withFirst(path, dir string) string {
	switch first, _, _ := strings.Cut(path, string(os.PathListSeparator)); {
	case path == "": // an empty element would be the current directory
		return dir
	case first == dir:
		return path
	}
	return dir + string(os.PathListSeparator) + path
}

// Environ returns an environment of NAME=value, changed so that aws and kubectl use
// the lab.
func (i Info) Environ(environ []string) []string {
	return i.environment(lookup(environ, "PATH")).Apply(environ)
}

// Shell returns what a POSIX shell with the given environment must evaluate to use
// the lab.
func (i Info) Shell(environ []string) string {
	return i.environment(lookup(environ, "PATH")).Shell(environ)
}

// lookup returns the value of a variable. The last one of the name counts.
func lookup(environ []string, name string) string {
	value := ""
	for _, variable := range environ {
		if rest, ok := strings.CutPrefix(variable, name+"="); ok {
			value = rest
		}
	}
	return value
}
