package exposition

import (
	"runtime"
	"runtime/debug"
	"time"
)

// writeRuntime writes the metrics of the Go runtime, named as all Go programs name them.
func writeRuntime(t *text) {
	gc := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&gc)
	t.header(&Family{name: "go_gc_duration_seconds", help: "Pauses of garbage collections.", kind: Summary})
	for i, quantile := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		t.sample("go_gc_duration_seconds", `quantile="`+quantile+`"`, gc.PauseQuantiles[i].Seconds())
	}
	t.sample("go_gc_duration_seconds_sum", "", gc.PauseTotal.Seconds())
	t.sample("go_gc_duration_seconds_count", "", float64(gc.NumGC))

	t.header(&Family{name: "go_info", help: "Version of Go.", kind: Gauge})
	t.sample("go_info", format([]string{"version"}, []string{runtime.Version()}), 1)

	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	threads, _ := runtime.ThreadCreateProfile(nil)
	t.one(Gauge, "go_gc_gomemlimit_bytes", "Memory limit of the runtime, from GOMEMLIMIT.", float64(debug.SetMemoryLimit(-1)))
	t.one(Gauge, "go_goroutines", "Goroutines that exist.", float64(runtime.NumGoroutine()))
	t.one(Gauge, "go_sched_gomaxprocs_threads", "Threads that may run Go code at once.", float64(runtime.GOMAXPROCS(0)))
	t.one(Gauge, "go_threads", "Threads of the operating system that were made.", float64(threads))
	t.one(Gauge, "go_memstats_alloc_bytes", "Bytes of heap objects, garbage that is not freed yet included.", float64(m.Alloc))
	t.one(Counter, "go_memstats_alloc_bytes_total", "Bytes of heap objects allocated so far.", float64(m.TotalAlloc))
	t.one(Gauge, "go_memstats_buck_hash_sys_bytes", "Bytes of the profiling bucket table.", float64(m.BuckHashSys))
	t.one(Counter, "go_memstats_frees_total", "Heap objects freed so far.", float64(m.Frees))
	t.one(Gauge, "go_memstats_gc_sys_bytes", "Bytes of the garbage collector's metadata.", float64(m.GCSys))
	t.one(Gauge, "go_memstats_heap_alloc_bytes", "Bytes of heap objects; same as go_memstats_alloc_bytes.", float64(m.HeapAlloc))
	t.one(Gauge, "go_memstats_heap_idle_bytes", "Bytes of unused spans of the heap.", float64(m.HeapIdle))
	t.one(Gauge, "go_memstats_heap_inuse_bytes", "Bytes of spans of the heap in use.", float64(m.HeapInuse))
	t.one(Gauge, "go_memstats_heap_objects", "Heap objects allocated and not freed.", float64(m.HeapObjects))
	t.one(Gauge, "go_memstats_heap_released_bytes", "Bytes of the heap that were returned to the operating system.", float64(m.HeapReleased))
	t.one(Gauge, "go_memstats_heap_sys_bytes", "Bytes of the heap from the operating system.", float64(m.HeapSys))
	t.one(Gauge, "go_memstats_last_gc_time_seconds", "When the last garbage collection ended, in seconds since 1970.", float64(m.LastGC)/1e9)
	t.one(Counter, "go_memstats_mallocs_total", "Heap objects allocated so far.", float64(m.Mallocs))
	t.one(Gauge, "go_memstats_mcache_inuse_bytes", "Bytes of mcache structures in use.", float64(m.MCacheInuse))
	t.one(Gauge, "go_memstats_mcache_sys_bytes", "Bytes of mcache structures from the operating system.", float64(m.MCacheSys))
	t.one(Gauge, "go_memstats_mspan_inuse_bytes", "Bytes of mspan structures in use.", float64(m.MSpanInuse))
	t.one(Gauge, "go_memstats_mspan_sys_bytes", "Bytes of mspan structures from the operating system.", float64(m.MSpanSys))
	t.one(Gauge, "go_memstats_next_gc_bytes", "Bytes of the heap at which the next garbage collection begins.", float64(m.NextGC))
	t.one(Gauge, "go_memstats_other_sys_bytes", "Bytes of other memory of the runtime.", float64(m.OtherSys))
	t.one(Gauge, "go_memstats_stack_inuse_bytes", "Bytes of stacks in use.", float64(m.StackInuse))
	t.one(Gauge, "go_memstats_stack_sys_bytes", "Bytes of stacks from the operating system.", float64(m.StackSys))
	t.one(Gauge, "go_memstats_sys_bytes", "Bytes from the operating system.", float64(m.Sys))
}

// one writes a metric that has one sample.
func (t *text) one(kind Kind, name, help string, value float64) {
	t.header(&Family{name: name, help: help, kind: kind})
	t.sample(name, "", value)
}
