// Package stats summarizes measurements.
package stats

import (
	"cmp"
	"math"
	"slices"
)

// Percentile returns the smallest sample that at least p percent of the samples
// do not exceed (the nearest rank), and the zero value if there are none.
func Percentile[T cmp.Ordered](samples []T, p float64) T {
	if len(samples) == 0 {
		var none T
		return none
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Median returns the middle value, or the mean of the two middle values; NaN if
// there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Ratios divides each value by its counterpart: one ratio per round, so that what
// slows a whole round down does not show.
func Ratios(values, by []float64) []float64 {
	ratios := make([]float64, min(len(values), len(by)))
	for i := range ratios {
		ratios[i] = values[i] / by[i]
	}
	return ratios
}
