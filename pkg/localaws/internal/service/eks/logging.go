package eks

// A loggingInput turns control plane logs on and off.
type loggingInput struct {
	ClusterLogging []logSetup `json:"clusterLogging"`
}

type logSetup struct {
	Types   []string `json:"types"`
	Enabled bool     `json:"enabled"`
}

func logTypes() []string {
	return []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
}

// check returns an error if a log is turned on, since localaws writes none.
func (l loggingInput) check() error {
	for _, setup := range l.ClusterLogging {
		if setup.Enabled {
			return invalid("localaws writes no control plane logs: logging cannot be enabled.")
		}
	}
	return nil
}
