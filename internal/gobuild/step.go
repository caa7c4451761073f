// Package gobuild runs go build, shows how much is done, and estimates when it ends.
package gobuild

import (
	"os"
	"slices"
)

// A Step is one go build.
type Step struct {
	// Go is the go command. Empty means the one on PATH.
	Go string
	// Dir is a directory of the module.
	Dir string
	// Packages are the programs, as import paths or patterns.
	Packages []string
	// Flags of go build, without -o and -v.
	Flags []string
	// Output is the directory of the programs.
	Output string
	// Env is appended to the environment.
	Env []string
	// Done, if set, is called with the error of the build. Its result is the error of
	// the step.
	Done func(error) error
}

func (s Step) environment() []string { return append(os.Environ(), s.Env...) }

func (s Step) listArguments() []string {
	return slices.Concat([]string{"list"}, s.Flags, []string{"-deps", "-json=" + listedFields, "--"}, s.Packages)
}

func (s Step) buildArguments() []string {
	output := s.Output + string(os.PathSeparator) // a directory, even if it is not there
	return slices.Concat([]string{"build"}, s.Flags, []string{"-v", "-o", output, "--"}, s.Packages)
}
