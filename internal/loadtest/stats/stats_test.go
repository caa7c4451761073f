package stats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/kube-iam/authenticator/internal/loadtest/stats"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i // unsorted: 100, 99, … 1
	}
	for _, test := range []struct {
		name    string
		samples []int
		p       float64
		want    int
	}{
		{"no samples", nil, 99, 0},
		{"one sample", []int{7}, 99, 7},
		{"median of odd", []int{3, 1, 2}, 50, 2},
		{"median of even is the lower", []int{4, 1, 3, 2}, 50, 2},
		{"p99 of 100", hundred, 99, 99},
		{"p100", hundred, 100, 100},
		{"p0", hundred, 0, 1},
		{"p99 of few is the largest", []int{1, 2, 3}, 99, 3},
	} {
		if got := stats.Percentile(test.samples, test.p); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("Percentile sorted the caller's samples")
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{5}, 5},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := stats.Median(test.values); got != test.want {
			t.Errorf("Median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
	if got := stats.Median(nil); !math.IsNaN(got) {
		t.Errorf("Median of nothing = %v, want NaN", got)
	}
}

func TestRatios(t *testing.T) {
	t.Parallel()
	if got, want := stats.Ratios([]float64{1, 6, 9}, []float64{2, 3}), []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
