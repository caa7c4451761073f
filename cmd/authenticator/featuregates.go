package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
)

// Feature gates of aws-iam-authenticator. It has them all off; here what they
// turn on always acts, but for SSORoleMatch, which can be turned off.
const ssoRoleMatch = "SSORoleMatch"

func featureGateNames() []string {
	return []string{"AllAlpha", "AllBeta", "ConfiguredInitDirectories", "IAMIdentityMappingCRD", ssoRoleMatch}
}

// parseFeatureGates returns the gates that a flag's value sets.
func parseFeatureGates(text string) (map[string]bool, error) {
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
