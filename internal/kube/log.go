package kube

import (
	"io"
	"log/slog"

	"k8s.io/klog/v2"
)

// LogTo makes client-go, which logs with klog, write to a log; nil discards its lines. The
// program calls it before it makes clients.
func LogTo(log *slog.Logger) {
	if log == nil {
		klog.LogToStderr(false)
		klog.SetOutput(io.Discard)
		return
	}
	klog.SetSlogLogger(log)
}
