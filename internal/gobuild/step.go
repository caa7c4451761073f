// Package gobuild runs go build, says how much of it is done, and forecasts when
// it ends.
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
	// Flags are those of go build, without -o and -v.
	Flags []string
	// Output is the directory of the programs.
	Output string
	// Env is added to the environment.
	Env []string
	// Done, if it is set, is called with the error of the build when that ends. What
	// it returns is the error of the step.
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
