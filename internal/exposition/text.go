package exposition

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// text is the text format of Prometheus.
type text struct{ bytes.Buffer }

// header writes the lines that precede the samples of a family.
func (t *text) header(of *Family) {
	t.WriteString("# HELP " + of.name + " " + strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(of.help) + "\n")
	t.WriteString("# TYPE " + of.name + " " + string(of.kind) + "\n")
}

// sample writes a sample. The labels are as [format] returns them.
func (t *text) sample(name, labels string, value float64) {
	t.WriteString(name)
	if labels != "" {
		t.WriteString("{" + labels + "}")
	}
	t.WriteString(" " + formatFloat(value) + "\n")
}

// format returns labels with their values, without the braces around them. A label
// without a value is empty.
func format(labels, values []string) string {
	var b strings.Builder
	for i, label := range labels {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(label)
		b.WriteString(`="`)
		if i < len(values) {
			_, _ = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).WriteString(&b, values[i])
		}
		b.WriteByte('"')
	}
	return b.String()
}

func formatFloat(value float64) string {
	if math.IsInf(value, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(value, 'g', -1, 64)
}
