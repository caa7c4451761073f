package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// An output is how a command prints what programs may read.
type output string

func (o *output) addFlag(flags *pflag.FlagSet) {
	flags.StringVarP((*string)(o), "output", "o", "table", "table, json or yaml")
}

// print a value, or the table that tells people of it.
func (o output) print(w io.Writer, value any, table func(io.Writer) error) error {
	var text []byte
	var err error
	switch o {
	case "table":
		return table(w)
	case "json":
		text, err = json.MarshalIndent(value, "", "  ")
		text = append(text, '\n')
	case "yaml":
		text, err = yaml.Marshal(value)
	default:
		return fmt.Errorf("--output %q is none of table, json, yaml", string(o))
	}
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
