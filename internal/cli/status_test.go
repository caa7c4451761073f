package cli

import (
	"bytes"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	const clear = "\r\x1b[K"
	for name, test := range map[string]struct {
		width int // of a terminal
		want  string
	}{
		"a file":            {0, "x: begin\nx: 3 of 9, at 15 s\nx: end\n"},
		"a terminal":        {80, "x: begin\nx: 1 of 9" + clear + "x: 2 of 9" + clear + "x: 3 of 9, at 15 s" + clear + "x: end\n"},
		"a narrow terminal": {8, "x: begin\nx: 1 of" + clear + "x: 2 of" + clear + "x: 3 of" + clear + "x: end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(0, 0)
			var out bytes.Buffer
			p := &Progress{prefix: "x: ", now: func() time.Time { return now }, out: &out, width: test.width, printed: now}
			p.Printf("%s", "begin")
			p.Statusf("%d of 9", 1)
			now = now.Add(14 * time.Second)
			p.Statusf("%d of 9", 2)
			now = now.Add(time.Second)
			p.Statusf("%d of 9, at 15 s", 3)
			p.Printf("end")
			p.Done()
			if out.String() != test.want {
				t.Errorf("got  %q\nwant %q", out.String(), test.want)
			}
		})
	}
}

func TestProgressIsDone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(&out, "")
	p.width = 80
	p.Statusf("1 of 9")
	p.Done()
	p.Done()
	if want := "1 of 9\r\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
