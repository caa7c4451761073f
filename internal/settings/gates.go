package settings

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
)

// ssoRoleMatch is the only feature gate of aws-iam-authenticator that has an effect
// here. There, all gates are off by default; here, their features are always on, and
// only SSORoleMatch can be turned off: by its name, or with all alpha gates.
const (
	ssoRoleMatch = "SSORoleMatch"
	allAlpha     = "AllAlpha"
)

func featureGateNames() []string {
	return []string{allAlpha, "AllBeta", "ConfiguredInitDirectories", "IAMIdentityMappingCRD", ssoRoleMatch}
}

// ParseFeatureGates returns the gates that a flag's value sets.
func ParseFeatureGates(text string) (map[string]bool, error) {
	gates := map[string]bool{}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if names := featureGateNames(); !slices.Contains(names, name) {
			return nil, cli.Usagef("--feature-gates: %w", cli.Unknown("gate", name, names))
		}
		on, err := strconv.ParseBool(value)
		if !ok || err != nil {
			return nil, cli.Usagef("--feature-gates: %q is not %s=true or %s=false", pair, name, name)
		}
		gates[name] = on
	}
	return gates, nil
}
