package gobuild

// ProgramFlags returns the flags of our own programs, but for those of the linker. The
// Makefile has the same, and says why: only builds with the same flags share the build
// cache.
func ProgramFlags() []string {
	return []string{
		"-trimpath", "-gcflags=all=-dwarf=false",
		"-gcflags=github.com/aws/aws-sdk-go-v2/service/...=-dwarf=false -l",
		"-gcflags=k8s.io/api/...=-dwarf=false -l",
	}
}

// KubernetesFlags returns the flags of Kubernetes' programs. Packages that are in ours
// too have the same ones, so that they are compiled once.
func KubernetesFlags() []string {
	return []string{"-trimpath", "-gcflags=all=-dwarf=false", "-gcflags=k8s.io/.../v1...=-dwarf=false -l"}
}
