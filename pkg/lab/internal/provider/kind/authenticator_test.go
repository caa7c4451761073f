package kind

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRestartWhileItStarts checks that a pod is removed whose container cannot be removed
// at first, because the kubelet is starting it.
func TestRestartWhileItStarts(t *testing.T) {
	k := killed(t, "")
	tried := filepath.Join(t.TempDir(), "tried")
	standIn(t, `case "$*" in
*"crictl rmp"*) test -e `+tried+` || { : > `+tried+`; echo "container is in starting state, can't be removed" >&2; exit 1; } ;;
esac`)
	if err := k.RestartAuthenticator(t.Context(), false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(tried); err != nil {
		t.Error(err)
	}
}
