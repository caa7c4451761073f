package config

import "testing"

// FuzzConfig checks that no configuration file makes the program panic, and that every
// value has a flag.
func FuzzConfig(f *testing.F) {
	f.Add("clusterID: c\nserver:\n  port: 21362\n  mapUsers: []\n  backendMode: [MountedFile, EKSConfigMap]\n")
	f.Add("server:\n  reservedPrefixConfig:\n  - backendmode: EKSConfigMap\n    usernamePrefixReserveList: [a]\n")
	f.Add("&a [*a]")
	f.Add("server: &s\n  server: *s\n")
	f.Add("clusters:\n- id: blue\n  default: true\n  mapUsers: &m []\n- id: green\n  stsRegions: [a]\n  mapUsers: *m\n")
	f.Add("clusters: &c [{id: blue, mapRoles: *c}]")
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := Parse([]byte(text))
		if err != nil {
			return
		}
		values := c.Values
		for _, item := range c.Clusters {
			if !clusterID().MatchString(item.ID) || item.Line < 1 || item.Version == "" {
				t.Errorf("%+v", item)
			}
			values = append(values, item.Settings.Values...)
		}
		for _, value := range values {
			if value.Flag == "" || value.Line < 1 {
				t.Errorf("%+v", value)
			}
		}
	})
}
