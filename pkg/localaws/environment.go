package localaws

import (
	"maps"
	"slices"
	"strings"
)

// Environment is what a program's environment must be so that it talks to a
// local AWS, as whoever `aws configure` last configured, and can never reach the
// real one.
type Environment struct {
	// Set to these values.
	Set map[string]string
	// Unset, since each would lead elsewhere or outrank what is configured.
	Unset []string
}

// endpointPrefix begins the variables that name an endpoint, for one service or
// for all.
const endpointPrefix = "AWS_ENDPOINT_URL"

// Environment for the local AWS that listens at a host and port.
func (f Files) Environment(hostPort, region string) Environment {
	proxy := "http://" + hostPort
	return Environment{
		Set: map[string]string{
			"AWS_CONFIG_FILE":             f.Config(),
			"AWS_SHARED_CREDENTIALS_FILE": f.Credentials(),
			"AWS_REGION":                  region,
			"AWS_DEFAULT_REGION":          region,
			"AWS_CA_BUNDLE":               f.CA(),
			"HTTPS_PROXY":                 proxy,
			"https_proxy":                 proxy,
			// Without credentials clients would ask the machine that they run on.
			"AWS_EC2_METADATA_DISABLED": "true",
		},
		Unset: []string{
			"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
			"AWS_PROFILE", "AWS_DEFAULT_PROFILE",
			"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
			"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_DATA_PATH",
			endpointPrefix, endpointPrefix + "_STS", endpointPrefix + "_IAM", endpointPrefix + "_EKS", endpointPrefix + "_EC2", endpointPrefix + "_CLOUDTRAIL",
			"NO_PROXY", "no_proxy",
		},
	}
}

// unsets reports whether a variable must not be set.
func (e Environment) unsets(name string) bool {
	return slices.Contains(e.Unset, name) || strings.HasPrefix(name, endpointPrefix)
}

// Apply is an environment of other variables, NAME=value, with this one over it.
func (e Environment) Apply(environ []string) []string {
	applied := slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		_, set := e.Set[name]
		return set || e.unsets(name)
	})
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		applied = append(applied, name+"="+e.Set[name])
	}
	return applied
}

// Shell is what a POSIX shell evaluates to get the environment. There is no
// pattern to unset by, so the endpoints of services are taken from environ.
func (e Environment) Shell(environ []string) string {
	var b strings.Builder
	unset := slices.Clone(e.Unset)
	for _, variable := range environ {
		if name, _, _ := strings.Cut(variable, "="); e.unsets(name) && isName(name) {
			unset = append(unset, name)
		}
	}
	slices.Sort(unset)
	b.WriteString("unset " + strings.Join(slices.Compact(unset), " ") + "\n")
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		b.WriteString("export " + name + "=" + Quote(e.Set[name]) + "\n")
	}
	return b.String()
}

// isName reports whether a shell can have a variable of the name.
func isName(name string) bool {
	return strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Quote makes text one word of a POSIX shell.
func Quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
