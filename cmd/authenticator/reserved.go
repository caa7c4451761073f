package main

import (
	"slices"

	"github.com/kube-iam/authenticator/internal/cli"
)

// reservedPrefixes returns the prefixes that usernames may not begin with, by the
// name of the source. A source that is not used is an error: a guard for it would
// be one that is misspelt.
func reservedPrefixes(p *program, sources []string) (map[string][]string, error) {
	prefixes := map[string][]string{}
	for _, reserved := range p.config.ReservedPrefixes {
		name, err := sourceName(reserved.Source)
		if err != nil {
			return nil, cli.Usagef("reading the configuration %s: line %d: reservedPrefixConfig: %w", p.configPath, reserved.Line, err)
		}
		if !slices.Contains(sources, name) {
			return nil, cli.Usagef("reading the configuration %s: line %d: reservedPrefixConfig is for source %s, which neither --backend-mode nor --aws-auth-file names", p.configPath, reserved.Line, name)
		}
		prefixes[name] = append(prefixes[name], reserved.Prefixes...)
	}
	return prefixes, nil
}
