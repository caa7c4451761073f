package mapper_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

func TestProblemSaysWhatItCosts(t *testing.T) {
	problem := mapper.Problem{Code: mapper.EntryNoARN, Severity: mapper.Error, Section: "mapUsers", Line: 3, Column: 1, Message: "it has no userarn", Effect: "the entry is ignored", Fix: "add userarn"}
	if got, want := problem.String(), "mapUsers line 3: it has no userarn; the entry is ignored (add userarn)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var log strings.Builder
	problem.Log(slog.New(slog.NewTextHandler(&log, nil)), "problem")
	if want := `problem="it has no userarn" effect="the entry is ignored" fix="add userarn"`; !strings.Contains(log.String(), want) {
		t.Errorf("%s, want %s in it", &log, want)
	}
	problem.Effect = ""
	if got, want := problem.String(), "mapUsers line 3: it has no userarn (add userarn)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
