package exposition

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// writeProcess writes the metrics of the process, named as all programs name them. What
// cannot be read is left out.
func writeProcess(t *text) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		t.one(Counter, "process_cpu_seconds_total", "CPU time in user and system mode.", seconds(usage.Utime)+seconds(usage.Stime))
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		t.one(Gauge, "process_max_fds", "File descriptors that may be open.", float64(limit.Cur))
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		t.one(Gauge, "process_open_fds", "File descriptors that are open.", float64(len(open)-1)) // one is ReadDir's
	}
	if syscall.Getrlimit(syscall.RLIMIT_AS, &limit) == nil {
		t.one(Gauge, "process_virtual_memory_max_bytes", "Virtual memory that may be used.", float64(limit.Cur))
	}
	if pages := numbers("/proc/self/statm", ""); len(pages) > 1 {
		size := float64(os.Getpagesize())
		t.one(Gauge, "process_virtual_memory_bytes", "Virtual memory.", pages[0]*size)
		t.one(Gauge, "process_resident_memory_bytes", "Resident memory.", pages[1]*size)
	}
	// In clock ticks since the system started. Linux has 100 a second for programs.
	if stat := numbers("/proc/self/stat", ") "); len(stat) > 19 {
		if booted := numbers("/proc/stat", "\nbtime "); len(booted) > 0 {
			t.one(Gauge, "process_start_time_seconds", "When the process started, in seconds since 1970.", booted[0]+stat[19]/100)
		}
	}
	// The second IpExt line has the values of the names in the first.
	if octets := numbers("/proc/self/net/netstat", "\nIpExt: "); len(octets) > 7 {
		t.one(Counter, "process_network_receive_bytes_total", "Bytes received over the network.", octets[6])
		t.one(Counter, "process_network_transmit_bytes_total", "Bytes sent over the network.", octets[7])
	}
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// numbers returns the fields of a file from after the last occurrence of a text, up to
// the end of that line. A field that is not a number is zero.
func numbers(path, after string) []float64 {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	start := strings.LastIndex(string(content), after)
	if start < 0 {
		return nil
	}
	if after == "" {
		start = 0
	}
	line, _, _ := strings.Cut(string(content[start+len(after):]), "\n")
	var all []float64
	for field := range strings.FieldsSeq(line) {
		number, _ := strconv.ParseFloat(field, 64)
		all = append(all, number)
	}
	return all
}
