package provider

import (
	"io"
	"os"
)

// ProgramLog copies a program's output to a file through a pipe. If the lab is killed
// before it has recorded a program, the pipe breaks, and the program ends when it next
// logs a line.
type ProgramLog struct {
	*os.File
	// Started is called once, as soon as the program runs.
	Started func()
}

// ReadFrom is called by os/exec when it has started the program.
func (l *ProgramLog) ReadFrom(output io.Reader) (int64, error) {
	l.Started()
	return l.File.ReadFrom(output)
}
