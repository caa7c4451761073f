package pattern_test

import (
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	key := pattern.New(`^(\w+)=(\w+)$`)
	for range 2 {
		if !key.MatchString("a=b") || key.MatchString("a") || key.ReplaceAllString("a=b", "$2=$1") != "b=a" {
			t.Error("the pattern does not match as its expression does")
		}
		if got := key.FindStringSubmatch("a=b"); !slices.Equal(got, []string{"a=b", "a", "b"}) {
			t.Errorf("groups %q", got)
		}
	}
	if key.String() != `^(\w+)=(\w+)$` {
		t.Errorf("the expression is %s", key)
	}
	if zero := (pattern.Pattern{}); !zero.MatchString("") || !zero.MatchString("a") {
		t.Error("the zero Pattern does not match every text")
	}
}

// A start compiles nothing.
func TestNewDoesNotCompile(t *testing.T) { // not parallel: it counts allocations
	if allocations := testing.AllocsPerRun(10, func() { pattern.New(`^(a{0,500}){2}$`) }); allocations > 10 {
		t.Errorf("%v allocations", allocations)
	}
}
