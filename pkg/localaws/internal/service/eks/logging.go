package eks

import "slices"

// A logging turns control plane logs on and off. localaws keeps what is on, and writes
// no logs.
type logging struct {
	Groups []logGroup `json:"clusterLogging"`
}

type logGroup struct {
	Types   []string `json:"types"`
	Enabled bool     `json:"enabled"`
}

func logTypes() []string {
	return []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
}

// apply returns the types that are on afterwards.
func (l *logging) apply(now []string) ([]string, error) {
	on := slices.Clone(now)
	for _, group := range l.Groups {
		for _, name := range group.Types {
			if err := oneOf("type", name, logTypes()); err != nil {
				return nil, err
			}
			on = slices.DeleteFunc(on, func(already string) bool { return already == name })
			if group.Enabled {
				on = append(on, name)
			}
		}
	}
	slices.Sort(on)
	return on, nil
}

// loggingOf describes which types are on.
func loggingOf(on []string) logging {
	off := slices.DeleteFunc(logTypes(), func(name string) bool { return slices.Contains(on, name) })
	described := logging{Groups: []logGroup{}}
	for _, group := range []logGroup{{on, true}, {off, false}} {
		if len(group.Types) > 0 {
			described.Groups = append(described.Groups, group)
		}
	}
	return described
}
