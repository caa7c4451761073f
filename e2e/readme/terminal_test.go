//go:build e2e

package readme

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The size of a character, in pixels. Every line is stretched to its columns, so
// that columns line up in whatever monospaced font the reader has.
const (
	characterWidth = 8.4
	lineHeight     = 20
	margin         = 20
	barHeight      = 32
)

// A window is a terminal to draw.
type window struct {
	title, description string
	lines              []string
}

// svg draws the window. It has its own background and border, and so reads well on
// a light page and on a dark one. It uses no font or file of another site.
func (w window) svg() []byte {
	columns := 0
	for _, line := range w.lines {
		columns = max(columns, utf8.RuneCountInString(line))
	}
	width, height := 2*margin+int(float64(columns)*characterWidth), barHeight+margin+lineHeight*len(w.lines)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%d" role="img" aria-labelledby="title description">
<title id="title">%s</title>
<desc id="description">%s</desc>
<style>
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c9d1d9; white-space: pre }
.step { fill: #79c0ff; font-weight: bold }
.command { fill: #ffffff; font-weight: bold }
.quiet { fill: #8b949e }
</style>
<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="#161b22" stroke="#6e7681"/>
<circle cx="20" cy="17" r="5" fill="#ff5f56"/>
<circle cx="38" cy="17" r="5" fill="#ffbd2e"/>
<circle cx="56" cy="17" r="5" fill="#27c93f"/>
`, width, height, escaped(w.title), escaped(w.description), width-1, height-1)
	for i, line := range w.lines {
		b.WriteString(drawn(line, barHeight+lineHeight*i+lineHeight*3/4))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

var stepTitle = regexp.MustCompile(`^\d+/\d+ `)

// drawn returns a line as an element of SVG, at a height.
func drawn(line string, y int) string {
	text := strings.TrimLeft(line, " ")
	if text == "" {
		return ""
	}
	x := margin + float64(len(line)-len(text))*characterWidth
	length := float64(utf8.RuneCountInString(text)) * characterWidth
	text, cut := strings.CutSuffix(text, ellipsis)
	content := escaped(text)
	switch command, typed := strings.CutPrefix(text, "$ "); {
	case typed:
		content = `<tspan class="quiet">$ </tspan><tspan class="command">` + escaped(command) + `</tspan>`
	case stepTitle.MatchString(text):
		content = `<tspan class="step">` + content + `</tspan>`
	}
	if cut {
		content += `<tspan class="quiet">` + ellipsis + `</tspan>`
	}
	return fmt.Sprintf("<text x=\"%.1f\" y=\"%d\" textLength=\"%.1f\" xml:space=\"preserve\">%s</text>\n", x, y, length, content)
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
