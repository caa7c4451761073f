package settings

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
)

// UserIDStrictFlag is the flag that matches the entries of a DynamicFile by their userid.
const UserIDStrictFlag = "dynamic-file-user-id-strict"

// Dynamic names the files in which a control plane writes access
// entries and the backend mode, as on EKS.
type Dynamic struct {
	DynamicFile     string
	UserIDStrict    bool
	BackendModeFile string
}

// AddFlags adds the flags of the files.
func (o *Dynamic) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.DynamicFile, "dynamic-file", "", "file of backend DynamicFile: JSON with mapRoles, mapUsers and mapAccounts")
	flags.BoolVar(&o.UserIDStrict, UserIDStrictFlag, false, "match the entries of backend DynamicFile by their userid, the unique ID of a user or role, and by their ARN too if there is one")
	flags.StringVar(&o.BackendModeFile, "dynamic-backend-mode-file", "", "JSON file with backendMode, which replaces --backend-mode")
}

// checkDynamic returns an error for backends that need a flag that is not given. The warnings
// name flags that have no effect.
func (o *Dynamic) checkDynamic(names []string) (warnings []string, err error) {
	isUsed := slices.Contains(names, BackendDynamicFile)
	if isUsed && o.DynamicFile == "" {
		return nil, cli.Usagef("backend DynamicFile needs --dynamic-file, or dynamicFilePath in the configuration file")
	}
	if !isUsed && o.BackendModeFile == "" && (o.DynamicFile != "" || o.UserIDStrict) {
		warnings = append(warnings, "--dynamic-file and --dynamic-file-user-id-strict have no effect: --backend-mode does not name DynamicFile")
	}
	return warnings, nil
}

// WithModes returns the options with other backends.
func (o *Mapping) WithModes(modes []string) *Mapping {
	if slices.Equal(modes, o.BackendModes) {
		return o
	}
	other := *o
	other.BackendModes, other.BackendModesGiven = modes, true
	return &other
}
