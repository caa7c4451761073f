package process

import (
	"encoding/binary"
	"slices"
	"testing"
)

func TestParseArguments(t *testing.T) {
	t.Parallel()
	count := func(n uint32) string { return string(binary.NativeEndian.AppendUint32(nil, n)) }
	for name, test := range map[string]struct {
		raw, executable string
		command         []string
		fails           bool
	}{
		"as it is":          {raw: count(2) + "/bin/etcd\x00\x00\x00\x00etcd\x00--x\x00HOME=/\x00", executable: "/bin/etcd", command: []string{"etcd", "--x"}},
		"an empty one":      {raw: count(2) + "/bin/etcd\x00etcd\x00\x00", executable: "/bin/etcd", command: []string{"etcd", ""}},
		"nothing":           {fails: true},
		"a number":          {raw: count(2), fails: true},
		"a path":            {raw: count(2) + "/bin/etcd\x00", fails: true},
		"incomplete":        {raw: count(2) + "/bin/etcd\x00\x00etcd\x00--", fails: true},
		"a count too large": {raw: count(1<<32-1) + "/bin/etcd\x00\x00etcd\x00", fails: true},
	} {
		executable, command, err := parseArguments([]byte(test.raw))
		if (err != nil) != test.fails || executable != test.executable || !slices.Equal(command, test.command) {
			t.Errorf("%s: parseArguments = %q, %q, %v", name, executable, command, err)
		}
	}
}
