package eks

// configMap is the authentication mode of every cluster here: only the ConfigMap
// aws-auth and the creator's role grant access.
const configMap = "CONFIG_MAP"

// An accessConfig is the access configuration of a cluster.
type accessConfig struct {
	AuthenticationMode string `json:"authenticationMode"`
	Bootstrap          bool   `json:"bootstrapClusterCreatorAdminPermissions"`
}

func (a *accessConfig) check() error {
	switch {
	case a.AuthenticationMode == "API" || a.AuthenticationMode == "API_AND_CONFIG_MAP":
		return invalid("localaws does not support authentication mode " + a.AuthenticationMode + ": its clusters have " + configMap + ".")
	case a.AuthenticationMode != configMap:
		return invalid("Authentication mode " + a.AuthenticationMode + " is unknown (supported: API, API_AND_CONFIG_MAP, CONFIG_MAP).")
	case !a.Bootstrap:
		return invalid("bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to " + configMap)
	}
	return nil
}

// unsupportedMode returns the error for a change of the authentication mode. AWS
// only lets clusters go from CONFIG_MAP to API_AND_CONFIG_MAP.
func unsupportedMode(mode string) error {
	if mode == "API_AND_CONFIG_MAP" {
		return (&accessConfig{AuthenticationMode: mode}).check()
	}
	return invalid("Unsupported authentication mode update from " + configMap + " to " + mode)
}
