package lint

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
)

// GitHub returns the problems of files as workflow commands of GitHub Actions, which
// shows them beside the lines of a pull request.
func GitHub(files []Checked) string {
	// A text from a file must not end the command and start another one.
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	for _, c := range files {
		for _, p := range c.Problems {
			fmt.Fprintf(&b, "::%s file=%s", p.Severity, property.Replace(c.Name))
			if p.Line > 0 {
				fmt.Fprintf(&b, ",line=%d", p.Line)
			}
			if p.Column > 0 {
				fmt.Fprintf(&b, ",col=%d", p.Column)
			}
			fmt.Fprintf(&b, ",title=%s::%s\n", property.Replace(string(p.Code)), cli.Printable(message.Replace(sentence(p))))
		}
	}
	return b.String()
}
