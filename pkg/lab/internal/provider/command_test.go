package provider

import "testing"

// TestCommand checks that a command names the directory, unless it is the default one.
func TestCommand(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/cache")
	standard, err := DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		standard:  "lab restart authenticator",
		"/my lab": "lab restart authenticator --dir '/my lab'",
	} {
		if got := Command(dir, "restart", "authenticator"); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}
