package eks

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/image"
)

// A version is a minor version of Kubernetes that clusters can have.
type version struct {
	name string
	// platform is the platform version of new clusters.
	platform string
	// released on EKS, and the ends of standard and of extended support.
	released, standard, extended string
}

const defaultVersion = "1.36"

// versions returns the supported versions, the oldest first. The dates of 1.36 are
// those that the others suggest.
func versions() []version {
	return []version{
		{"1.31", "eks.50", "2024-09-26", "2025-11-26", "2026-11-26"},
		{"1.32", "eks.34", "2025-01-23", "2026-03-23", "2027-03-23"},
		{"1.33", "eks.27", "2025-05-29", "2026-07-29", "2027-07-29"},
		{"1.34", "eks.13", "2025-10-02", "2026-12-02", "2027-12-02"},
		{"1.35", "eks.3", "2026-01-27", "2027-03-27", "2028-03-27"},
		{"1.36", "eks.1", "2026-06-02", "2027-08-02", "2028-08-02"},
	}
}

func versionOf(name string) (version, bool) {
	for _, v := range versions() {
		if v.name == name {
			return v, true
		}
	}
	return version{}, false
}

func versionNames() []string {
	var names []string
	for _, v := range versions() {
		names = append(names, v.name)
	}
	return names
}

func unsupportedVersion(name string) error {
	return invalid("unsupported Kubernetes version " + name + " (supported: " + strings.Join(versionNames(), ", ") + ")")
}

// minor returns 33 for 1.33.
func minor(name string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "1."))
	return n
}

// status is by the clock. No version is UNSUPPORTED: clusters can always have it.
func (v version) status(now time.Time) string {
	if now.Format(time.DateOnly) < v.standard {
		return "STANDARD_SUPPORT"
	}
	return "EXTENDED_SUPPORT"
}

func versionOperations() []api.Operation {
	return []api.Operation{
		on(anything, "GET /cluster-versions", "DescribeClusterVersions", describeClusterVersions,
			"clusterType", "clusterVersions.N", "defaultOnly", "includeAll", "maxResults", "nextToken", "status", "versionStatus"),
	}
}

func describeClusterVersions(tx *account.Tx, _ none, in request[none]) (any, error) {
	query := in.Query
	if kind := query.Get("clusterType"); kind != "" && kind != "eks" {
		return nil, unsupported("localaws has no clusters of type " + strconv.Quote(kind) + ".")
	}
	wanted := strings.ToUpper(strings.ReplaceAll(query.Get("status"), "-", "_"))
	if status := query.Get("versionStatus"); status != "" {
		wanted = status
	}
	if wanted != "" {
		if err := oneOf("versionStatus", wanted, []string{"UNSUPPORTED", "STANDARD_SUPPORT", "EXTENDED_SUPPORT"}); err != nil {
			return nil, err
		}
	}
	var found []version
	for _, v := range versions() {
		switch {
		case wanted != "" && v.status(tx.Time) != wanted:
		case query.Get("defaultOnly") == "true" && v.name != defaultVersion:
		case query.Has("clusterVersions") && !slices.Contains(query["clusterVersions"], v.name):
		default:
			found = append(found, v)
		}
	}
	page, next, err := page(in.Input, found, func(v version) string { return v.name })
	if err != nil {
		return nil, err
	}
	described := make([]any, len(page))
	for i, v := range page {
		described[len(page)-1-i] = v.describe(tx.Time) // the newest first
	}
	return paged("clusterVersions", described, next), nil
}

func (v version) describe(now time.Time) any {
	status := v.status(now)
	return map[string]any{
		"clusterVersion": v.name, "clusterType": "eks", "defaultPlatformVersion": v.platform, "defaultVersion": v.name == defaultVersion,
		"releaseDate": seconds(v.released), "endOfStandardSupportDate": seconds(v.standard), "endOfExtendedSupportDate": seconds(v.extended),
		"versionStatus": status, "status": strings.ToLower(strings.ReplaceAll(status, "_", "-")), "kubernetesPatchVersion": image.Patch(v.name),
	}
}

func seconds(date string) int64 {
	at, _ := time.Parse(time.DateOnly, date) // the dates above parse
	return at.Unix()
}
