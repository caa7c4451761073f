package config

import (
	"maps"
	"slices"
	"strings"
)

// A setting is the flag that a key sets.
type setting struct {
	// flag is a flag of the command, or of every command that has it if the command is
	// empty.
	flag, command string
}

// settings returns the keys that set flags, by their full names in lower case. All keys
// match in any case, as in aws-iam-authenticator.
func settings() map[string]setting {
	return map[string]setting{
		"clusterid":     {flag: "cluster-id"},
		"log-verbosity": {flag: "log-verbosity"},

		"cache":              {flag: "cache", command: "token"},
		"externalid":         {flag: "external-id", command: "token"},
		"forwardsessionname": {flag: "forward-session-name", command: "token"},
		"region":             {flag: "region", command: "token"},
		"role":               {flag: "role", command: "token"},
		"sessionname":        {flag: "session-name", command: "token"},
		"tokenonly":          {flag: "token-only", command: "token"},

		"output":    {flag: "output", command: "verify"},
		"partition": {flag: "partition", command: "verify"},
		"token":     {flag: "token", command: "verify"},

		"server.address":                   {flag: "address"},
		"server.awsauthfile":               {flag: "aws-auth-file"},
		"server.backendmode":               {flag: "backend-mode"},
		"server.clientcafile":              {flag: "client-ca-file"},
		"server.clientcertificatefile":     {flag: "client-certificate-file"},
		"server.clientkeyfile":             {flag: "client-key-file"},
		"server.clusterownerarns":          {flag: "cluster-owner-arn"},
		"server.denyfile":                  {flag: "deny-file"},
		"server.dynamicbackendmodepath":    {flag: "dynamic-backend-mode-file"},
		"server.dynamicfilepath":           {flag: "dynamic-file"},
		"server.dynamicfileuseridstrict":   {flag: "dynamic-file-user-id-strict"},
		"server.ec2describeinstancesburst": {flag: "ec2-describeInstances-burst"},
		"server.ec2describeinstancesqps":   {flag: "ec2-describeInstances-qps"},
		"server.generatekubeconfig":        {flag: "generate-kubeconfig"},
		"server.healthport":                {flag: "health-port"},
		"server.hostname":                  {flag: "hostname"},
		"server.kubeconfig":                {flag: "kubeconfig", command: "server"},
		"server.kubeconfigpregenerated":    {flag: "kubeconfig-pregenerated"},
		"server.master":                    {flag: "master"},
		"server.metricsbindaddress":        {flag: "metrics-bind-address"},
		"server.partition":                 {flag: "partition", command: "server"},
		"server.port":                      {flag: "port"},
		"server.rolepaths":                 {flag: "role-paths"},
		"server.statedir":                  {flag: "state-dir"},
		"server.stsendpoint":               {flag: "sts-endpoint"},
		"server.stsendpointdial":           {flag: "sts-endpoint-dial"},
		"server.stsregions":                {flag: "sts-region"},
		"server.tlscertfile":               {flag: "tls-cert-file"},
		"server.tlsprivatekeyfile":         {flag: "tls-private-key-file"},
		"server.verificationcachettl":      {flag: "verification-cache-ttl"},
	}
}

// Flags returns the flags that keys set, by their commands; "" is for every command
// that has the flag.
func Flags() map[string][]string {
	flags := map[string][]string{}
	for _, s := range settings() {
		flags[s.command] = append(flags[s.command], s.flag)
	}
	return flags
}

// withoutEffect returns the keys that are accepted for compatibility but never read,
// each with what to do instead.
func withoutEffect() map[string]string {
	return map[string]string{
		"defaultrole":   "remove it: role names the role to assume",
		"feature-gates": "remove it: only the flag --feature-gates is read",
	}
}

// spelled returns all keys as the documentation spells them, for hints.
func spelled() []string {
	keys := []string{
		"clusterID", "clusters", "server", "externalID", "forwardSessionName", "sessionName", "tokenOnly",
		"defaultRole", "server.awsAuthFile", "server.backendMode", "server.clientCAFile",
		"server.clientCertificateFile", "server.clientKeyFile", "server.clusterOwnerARNs", "server.denyFile",
		"server.dynamicBackendModePath", "server.dynamicFilePath", "server.dynamicFileUserIDStrict",
		"server.ec2DescribeInstancesBurst", "server.ec2DescribeInstancesQps",
		"server.ec2DescribeInstancesRoleARN", "server.generateKubeconfig", "server.healthPort",
		"server.kubeconfigPregenerated", "server.mapAccounts", "server.mapRoles", "server.mapUsers",
		"server.metricsBindAddress", "server.reservedPrefixConfig", "server.rolePaths",
		"server.scrubbedAccounts", "server.sourceARN", "server.stateDir", "server.stsEndpoint",
		"server.stsEndpointDial", "server.stsRegions", "server.tlsCertFile", "server.tlsPrivateKeyFile",
		"server.verificationCacheTTL",
	}
	for key := range maps.Keys(settings()) {
		if !slices.ContainsFunc(keys, func(spelled string) bool { return strings.EqualFold(spelled, key) }) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
