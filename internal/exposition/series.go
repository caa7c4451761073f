package exposition

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// A Value is a counter or a gauge.
type Value struct{ bits atomic.Uint64 }

// Set sets the value.
func (v *Value) Set(value float64) { v.bits.Store(math.Float64bits(value)) }

// Inc adds one.
func (v *Value) Inc() { v.add(1) }

// Dec subtracts one.
func (v *Value) Dec() { v.add(-1) }

func (v *Value) add(delta float64) {
	for {
		old := v.bits.Load()
		if v.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+delta)) {
			return
		}
	}
}

func (v *Value) write(t *text, name, labels string) {
	t.sample(name, labels, math.Float64frombits(v.bits.Load()))
}

// A Distribution is a histogram.
type Distribution struct {
	bounds []float64

	mu sync.Mutex
	// counts has a bucket for each bound and one for what is above the last.
	counts []uint64
	sum    float64
}

// Observe counts a value.
func (d *Distribution) Observe(value float64) {
	bucket, _ := slices.BinarySearch(d.bounds, value)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[bucket]++
	d.sum += value
}

func (d *Distribution) write(t *text, name, labels string) {
	d.mu.Lock()
	counts, sum := slices.Clone(d.counts), d.sum
	d.mu.Unlock()
	before := labels
	if before != "" {
		before += ","
	}
	total := 0.0
	for i, count := range counts {
		bound := math.Inf(1)
		if i < len(d.bounds) {
			bound = d.bounds[i]
		}
		total += float64(count)
		t.sample(name+"_bucket", before+`le="`+formatFloat(bound)+`"`, total)
	}
	t.sample(name+"_sum", labels, sum)
	t.sample(name+"_count", labels, total)
}
