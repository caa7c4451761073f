package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/encode"
)

// The output formats of commands.
const (
	Table = "table" // for people
	Wide  = "wide"  // a table with all columns
	JSON  = "json"
	YAML  = "yaml"
	Name  = "name" // only the names, one per line
)

// An Output is the output format of a command, and the value of its flag -o.
type Output struct {
	format    string
	supported []string
}

// AddFlag adds the flag to a command. The first format is the default.
func (o *Output) AddFlag(command *cobra.Command, formats ...string) {
	o.format, o.supported = formats[0], formats
	command.Flags().VarP(o, "output", "o", "output format: "+strings.Join(formats, ", "))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// Set implements pflag.Value.
func (o *Output) Set(format string) error {
	if !slices.Contains(o.supported, format) {
		return Unknown("format", format, o.supported)
	}
	o.format = format
	return nil
}

// String returns the format.
func (o *Output) String() string { return o.format }

// Type implements pflag.Value.
func (o *Output) Type() string { return "format" }

// Rows is the content of a table, with the name of each row first. A table of the
// properties of one object has no header.
type Rows struct {
	Header []string
	Cells  [][]any
}

// Add adds a row.
func (r *Rows) Add(cells ...any) { r.Cells = append(r.Cells, cells) }

// Print prints a value for programs, or the rows of its table for people.
func (o *Output) Print(w io.Writer, value any, rows func(wide bool) Rows) error {
	if err := o.print(w, value, rows); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func (o *Output) print(w io.Writer, value any, rows func(wide bool) Rows) error {
	var text []byte
	var err error
	switch o.format {
	case JSON:
		text, err = encode.JSON(value)
	case YAML:
		text, err = encode.YAML(value)
	case Name:
		for _, row := range rows(false).Cells {
			text = fmt.Appendln(text, Printable(fmt.Sprint(row[0])))
		}
	default:
		return rows(o.format == Wide).print(w)
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// PrintLine prints a value as a line of JSON, for values that come one after the other.
func PrintLine(w io.Writer, value any) error {
	text, err := encode.JSONLine(value)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func (r Rows) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Header) > 0 {
		fmt.Fprintln(table, strings.Join(r.Header, "\t"))
	}
	for _, row := range r.Cells {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Printable(fmt.Sprint(cell))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}
