package main

import (
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := write(&out, []line{
		line{measure: "fast", ours: "3"}.withRatio("× floor", []float64{0.5, 0.9, 2}, atLeast(0.9, "")),
		line{measure: "slow"}.withRatio("× floor", []float64{0.5, 0.8, 2}, atLeast(0.9, "")),
		line{measure: "small"}.withValues([]float64{10}, atMost(10, " MiB")),
		line{measure: "big"}.withValues([]float64{10.1}, atMost(10, " MiB")),
		line{measure: "all"}.withGoal(1, none()),
		line{measure: "shown"}.withRatio("× peer", []float64{3}, noGoal()),
	}); err != nil {
		t.Fatal(err)
	}
	want := `MEASURE  OURS  PEER  FLOOR  RATIO         MIN–MAX      GOAL      RESULT
fast     3     -     -      0.90 × floor  0.50–2.00    ≥ 0.9     met
slow     -     -     -      0.80 × floor  0.50–2.00    ≥ 0.9     MISSED
small    -     -     -      -             10.00–10.00  ≤ 10 MiB  met
big      -     -     -      -             10.10–10.10  ≤ 10 MiB  MISSED
all      -     -     -      -             -            none      MISSED
shown    -     -     -      3.00 × peer   3.00–3.00    -         -
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-rows", "token,distinct", "-rounds", "3", "-peer", "/peer"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.rows) != 2 || o.rows[0].name != "distinct" || o.rows[1].name != "token" || o.rounds != 3 || o.peer != "/peer" {
		t.Errorf("%+v", o)
	}
	if all, err := parseOptions(nil); err != nil || len(all.rows) != len(allRows()) || all.rounds != 7 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, args := range [][]string{{"-rows", "tokens"}, {"-rounds", "0"}, {"-tokens", "-1"}, {"more"}} {
		if _, err := parseOptions(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
