package awsauth_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// BenchmarkParse reads 8,000 users, and reports the memory that the result retains for
// each.
func BenchmarkParse(b *testing.B) {
	const n = 8_000
	data := map[string]string{"mapUsers": users(n)}
	b.ReportAllocs()
	for b.Loop() {
		if result := awsauth.Parse(data, nil, options()); len(result.Problems) > 0 {
			b.Fatal(result.Problems[0])
		}
	}
	b.StopTimer()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	result := awsauth.Parse(data, nil, options())
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "retained-B/entry")
	runtime.KeepAlive(result)
	runtime.KeepAlive(data)
}

// BenchmarkParseDuplicates reads 8,000 entries that are all for the same user.
func BenchmarkParseDuplicates(b *testing.B) {
	data := map[string]string{"mapUsers": strings.Repeat("- userarn: "+user+"bob\n  username: bob\n", 8_000)}
	b.ReportAllocs()
	for b.Loop() {
		awsauth.Parse(data, nil, options())
	}
}
