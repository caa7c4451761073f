package localaws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// place returns the region and the partition.
func (c Config) place() (region, partition string, err error) {
	regions := account.GlobalRegions()
	if c.Partition != "" && regions[c.Partition] == "" {
		return "", "", fmt.Errorf("unknown partition %q (supported: %s)", c.Partition, strings.Join(slices.Sorted(maps.Keys(regions)), ", "))
	}
	if c.Region == "" {
		partition = cmp.Or(c.Partition, "aws")
		return regions[partition], partition, nil
	}
	partition, ok := account.PartitionOf(c.Region)
	switch {
	case !ok:
		return "", "", fmt.Errorf("unknown AWS region %q (expected one such as eu-west-2)", c.Region)
	case c.Partition != "" && partition != c.Partition:
		return "", "", fmt.Errorf("region %s is in partition %s, not in %s (expected one such as %s)", c.Region, partition, c.Partition, regions[c.Partition])
	}
	return c.Region, partition, nil
}

// accounts returns the IDs of all accounts, and the keys of their administrators.
func (c Config) accounts() (ids []string, administrators map[string]AccessKey, err error) {
	administrators = map[string]AccessKey{}
	keys := map[string]string{} // the account of each
	for _, a := range append([]Account{{c.AccountID, c.Administrator}}, c.Accounts...) {
		key := a.Administrator.ID
		if other, taken := keys[key]; taken && key != "" && other != a.ID {
			return nil, nil, fmt.Errorf("access key %s is the administrator's of account %s and of %s", key, other, a.ID)
		}
		keys[key] = a.ID
		ids, administrators[a.ID] = append(ids, a.ID), a.Administrator
	}
	return ids, administrators, nil
}
