package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"server", "init", "token", "verify", "version"}
	for text, want := range map[string]string{
		"sevrer": "server", "tokn": "token", "Token": "token", "vsersion": "version", "verfy": "verify", "intt": "init",
		"delete": "", "": "", "x": "", strings.Repeat("token", 20): "",
	} {
		if got := Nearest(text, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	names := []string{"mapRoles", "mapUsers"}
	for text, want := range map[string]string{
		"mapRole": "mapRoles", "maproles": "mapRoles", "mapRloes": "mapRoles", "mapSers": "mapUsers", "mapHosts": "", "mapRol": "mapRoles", "mapRo": "",
	} {
		if got := Within(2, text, names); got != want {
			t.Errorf("Within(2, %q) = %q, want %q", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
