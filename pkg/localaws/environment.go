package localaws

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Environment is the environment in which a program talks to a local AWS, with the
// credentials that `aws configure` set last, and cannot reach the real AWS.
type Environment struct {
	// Set holds variables and their values.
	Set map[string]string
	// Unset holds variables that would redirect clients or override the
	// configuration.
	Unset []string
	// leaving keeps the endpoints that are not on this machine: whoever leaves a local AWS
	// may have set them since.
	leaving bool
}

// endpointPrefix is the prefix of the variables that set an endpoint, for one
// service or for all.
const endpointPrefix = "AWS_ENDPOINT_URL"

// DirVariable names the directory of a local AWS's [Files], for the localaws commands
// of a shell.
const DirVariable = "LOCALAWS_DIR"

// loopback lists this machine's names, for NO_PROXY.
const loopback = "localhost,127.0.0.1,::1"

// Environment returns the environment for the local AWS that listens at a host and
// port.
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
			// API servers and pages on this machine. The proxy dials only clusters.
			"NO_PROXY": loopback,
			"no_proxy": loopback,
			// Programs that are not AWS clients read these. SSL_CERT_FILE and
			// REQUESTS_CA_BUNDLE replace the system's CAs, so they name a file with both.
			"SSL_CERT_FILE":       f.Bundle(),
			"REQUESTS_CA_BUNDLE":  f.Bundle(),
			"NODE_EXTRA_CA_CERTS": f.CA(),
			"NODE_USE_ENV_PROXY":  "1",
			// Without credentials clients would ask the metadata service of this
			// machine.
			"AWS_EC2_METADATA_DISABLED": "true",
			DirVariable:                 f.Dir,
		},
		Unset: []string{
			"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
			"AWS_PROFILE", "AWS_DEFAULT_PROFILE",
			"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
			"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_DATA_PATH",
			endpointPrefix, endpointPrefix + "_STS", endpointPrefix + "_IAM", endpointPrefix + "_EKS", endpointPrefix + "_EC2", endpointPrefix + "_CLOUDTRAIL",
		},
	}
}

// unsets reports whether a variable must not be set.
func (e Environment) unsets(name, value string) bool {
	if slices.Contains(e.Unset, name) {
		return true
	}
	return strings.HasPrefix(name, endpointPrefix) && (!e.leaving || isHere(value))
}

// isHere reports whether the host of a URL is this machine.
func isHere(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && address.IsLoopback()
}

// Apply returns the environment with this one applied; variables are NAME=value.
func (e Environment) Apply(environ []string) []string {
	applied := slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, value, _ := strings.Cut(variable, "=")
		_, set := e.Set[name]
		return set || e.unsets(name, value)
	})
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		applied = append(applied, name+"="+e.Set[name])
	}
	return applied
}

// Inverse returns the environment that unsets what e sets, and service endpoints on this
// machine. It does not restore the values that e replaced.
func (e Environment) Inverse() Environment {
	return Environment{Unset: slices.Sorted(maps.Keys(e.Set)), leaving: true}
}

// Shell returns text that a POSIX shell evaluates to set the environment. A shell
// cannot unset by pattern, so Shell unsets the service endpoints in environ.
func (e Environment) Shell(environ []string) string {
	var b strings.Builder
	unset := slices.Clone(e.Unset)
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); e.unsets(name, value) && isName(name) {
			unset = append(unset, name)
		}
	}
	slices.Sort(unset)
	b.WriteString("unset " + strings.Join(slices.Compact(unset), " ") + "\n")
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		b.WriteString("export " + name + "=" + quote(e.Set[name]) + "\n")
	}
	return b.String()
}

// isName reports whether the name is valid for a shell variable.
func isName(name string) bool {
	return strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// quote quotes text as one word of a POSIX shell.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
