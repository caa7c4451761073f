package main

import (
	"fmt"
	"slices"

	"github.com/kube-iam/authenticator/internal/cli"
)

// reservedPrefixes returns the prefixes that usernames must not start with, by the
// name of the source. An unknown source is an error, since a misspelt guard guards
// nothing. A source that is not used is a warning.
func reservedPrefixes(p *program, sources []string) (prefixes map[string][]string, warnings []string, err error) {
	prefixes = map[string][]string{}
	for _, reserved := range p.config.ReservedPrefixes {
		place := fmt.Sprintf("the configuration %s: line %d: reservedPrefixConfig", p.configPath, reserved.Line)
		name := backendName(reserved.Source)
		switch known := append(backendNames(), sourceAWSAuthFile); {
		case !slices.Contains(known, name):
			return nil, nil, cli.Usagef("reading %s: %w", place, cli.Unknown("source", reserved.Source, known))
		case !slices.Contains(sources, name):
			warnings = append(warnings, fmt.Sprintf("%s has no effect: neither --backend-mode nor --aws-auth-file names source %s", place, name))
		default:
			prefixes[name] = append(prefixes[name], reserved.Prefixes...)
		}
	}
	return prefixes, warnings, nil
}
