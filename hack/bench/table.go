package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/kube-iam/authenticator/internal/loadtest/stats"
)

// A line of the table. Empty cells are not measured.
type line struct {
	measure, ours, peer, floor string
	// ratio is the median, with the least and the greatest of the rounds.
	ratio, spread string
	goal          string
	met           bool
}

// withRatio sets the ratio, one value per round, and the goal for its median.
func (l line) withRatio(of string, ratios []float64, g goal) line {
	l.ratio = fmt.Sprintf("%.2f %s", stats.Median(ratios), of)
	return l.withValues(ratios, g)
}

// withValues sets the spread of the values that the goal is for, one per round, and
// whether their median meets it.
func (l line) withValues(values []float64, g goal) line {
	l.spread = fmt.Sprintf("%.2f–%.2f", stats.Percentile(values, 0), stats.Percentile(values, 100))
	return l.withGoal(stats.Median(values), g)
}

// withGoal sets the goal, and whether a value meets it.
func (l line) withGoal(value float64, g goal) line {
	l.goal, l.met = g.text, g.isMet(value)
	return l
}

// A goal is a bound. The zero goal is none.
type goal struct {
	text  string
	isMet func(float64) bool
}

func atLeast(bound float64, unit string) goal {
	return goal{fmt.Sprintf("≥ %v%s", bound, unit), func(v float64) bool { return v >= bound }}
}

func atMost(bound float64, unit string) goal {
	return goal{fmt.Sprintf("≤ %v%s", bound, unit), func(v float64) bool { return v <= bound }}
}

func none() goal { return goal{"none", func(v float64) bool { return v == 0 }} }

// noGoal is for values without a goal.
func noGoal() goal { return goal{"", func(float64) bool { return true }} }

// write prints the table.
func write(out io.Writer, lines []line) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEASURE\tOURS\tPEER\tFLOOR\tRATIO\tMIN–MAX\tGOAL\tRESULT")
	for _, l := range lines {
		result := "met"
		switch {
		case l.goal == "":
			result = "-"
		case !l.met:
			result = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.measure, dash(l.ours), dash(l.peer), dash(l.floor), dash(l.ratio), dash(l.spread), dash(l.goal), result)
	}
	return w.Flush()
}

// inMilliseconds and inMiB format the median of the rounds' values.
func inMilliseconds(values []float64) string { return fmt.Sprintf("%.1f ms", stats.Median(values)) }
func inMiB(values []float64) string          { return fmt.Sprintf("%.1f MiB", stats.Median(values)) }

func dash(cell string) string {
	if cell == "" {
		return "-"
	}
	return cell
}
