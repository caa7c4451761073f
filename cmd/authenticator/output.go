package main

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// printAs prints a value for programs to read.
func printAs(out io.Writer, format string, value any) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(value); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	case "yaml":
		text, err := yaml.Marshal(value)
		if err == nil {
			_, err = out.Write(text)
		}
		if err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	default:
		return usagef("--output %q is neither json nor yaml", format)
	}
}
