package ec2

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
)

// TestTerminatedInstancesAreBounded checks that the first that were terminated are forgotten,
// also while a clock stands still.
func TestTerminatedInstancesAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &state{Instances: map[string]*instance{
		"configured": {Instance: Instance{ID: "configured", State: "terminated"}},
		"running":    {Instance: Instance{ID: "running", State: "running"}},
	}}
	for n := range maxTerminated + 1 {
		id := strconv.Itoa(n)
		s.Instances[id] = &instance{Instance: Instance{ID: id, State: "terminated"}, Ended: now.Add(time.Duration(n))}
	}
	c := &call{Tx: &account.Tx{Call: account.Call{Time: now}}, state: s}
	c.forgetInstances()
	if len(s.Instances) != maxTerminated+2 || s.Instances["0"] != nil || s.Instances["1"] == nil || s.Instances["configured"] == nil {
		t.Errorf("%d instances are left", len(s.Instances))
	}
	c.Time = now.Add(2 * terminatedFor)
	c.forgetInstances()
	if len(s.Instances) != 2 {
		t.Errorf("%d instances are left after a while", len(s.Instances))
	}
}

// TestTemplateDataIsBounded fills a region with data up to the bound.
func TestTemplateDataIsBounded(t *testing.T) {
	data := launchData{UserData: strings.Repeat("a", 20000)}
	full := &template{base: base{ID: "lt-1"}, Default: 1, Latest: 1}
	for n := range maxRegionBytes/data.size() - 1 {
		full.Versions = append(full.Versions, &templateVersion{Number: n + 1, Data: data})
	}
	r := &region{Templates: map[string]*template{"lt-1": full}}
	if err := r.check("eu-west-2"); err != nil { // it counts the data
		t.Fatal(err)
	}
	if err := r.hasRoomFor(data); err != nil {
		t.Error(err)
	}
	full.add(&call{Tx: &account.Tx{Caller: &account.Caller{}}}, &templateVersion{Data: data})
	if err := r.hasRoomFor(data); err == nil || !strings.Contains(err.Error(), "localaws keeps at most 16777216 bytes") {
		t.Errorf("more than the bound: %v", err)
	}
}

// TestZonesAreChecked checks that no state has a zone that its region lacks.
func TestZonesAreChecked(t *testing.T) {
	for zone, good := range map[string]bool{"eu-west-2a": true, "eu-west-1a": false, "a": false, "": false, "eu-west-2z": false} {
		block := netip.MustParsePrefix("10.0.0.0/16")
		networks := &region{VPCs: map[string]*vpc{"v": {base: base{ID: "v"}, CIDR: block}}, Subnets: map[string]*subnet{"s": {base: base{ID: "s"}, VPC: "v", CIDR: block, Zone: zone}}}
		disks := &region{Volumes: map[string]*volume{"d": {base: base{ID: "d"}, Zone: zone}}}
		i := &instance{Instance: Instance{ID: "i-01234567", Region: "eu-west-2"}, Zone: zone}
		for what, err := range map[string]error{"subnet": networks.check("eu-west-2"), "volume": disks.check("eu-west-2"), "instance": i.check()} {
			if want := good || what == "instance" && zone == ""; (err == nil) != want {
				t.Errorf("a %s in %q: %v", what, zone, err)
			}
		}
	}
}
