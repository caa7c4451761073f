package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// DirVariable names the directory of a lab, for the lab commands of a shell.
const DirVariable = "LAB_DIR"

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
	environment.Set[DirVariable] = i.Dir
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

// Leave returns what a POSIX shell with the given environment must evaluate to undo
// Shell. Values that Shell replaced are not restored. Only a running lab's directory
// of programs leaves the PATH.
func (i Info) Leave(environ []string) string {
	path := lookup(environ, "PATH")
	left := i.environment(path).Inverse()
	left.Unset = slices.DeleteFunc(left.Unset, func(name string) bool { return name == "PATH" })
	if rest, ok := strings.CutPrefix(path, i.Assets+string(os.PathListSeparator)); ok && i.Assets != "" {
		left.Set = map[string]string{"PATH": rest}
	}
	return left.Shell(environ)
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
