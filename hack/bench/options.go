package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
)

// options of a comparison.
type options struct {
	// ours and peer are the programs to compare.
	ours, peer string
	rounds     int
	// tokens is how many tokens the memory row sends.
	tokens int
	rows   []row
}

func parseOptions(args []string) (options, error) {
	var o options
	var names string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.ours, "ours", "bin/authenticator", "the authenticator")
	flags.StringVar(&o.peer, "peer", "bin/bench/aws-iam-authenticator", "aws-iam-authenticator")
	flags.IntVar(&o.rounds, "rounds", 7, "rounds of each measure; the table has their medians")
	flags.IntVar(&o.tokens, "tokens", 500_000, "distinct tokens that the memory row sends")
	flags.StringVar(&names, "rows", "", "measures to take, separated by commas (default all: "+rowNames()+")")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.tokens < 1 {
		return options{}, fmt.Errorf("expected flags only, and at least one round and one token")
	}
	var err error
	if o.rows, err = selectRows(names); err != nil {
		return options{}, err
	}
	// They run in other working directories.
	for _, path := range []*string{&o.ours, &o.peer} {
		if *path, err = filepath.Abs(*path); err != nil {
			return options{}, err
		}
	}
	return o, nil
}

// A row is one line of the goals, or several lines measured together.
type row struct {
	name    string
	measure func(*bench) ([]line, error)
}

func allRows() []row {
	return []row{
		{"dead-region", (*bench).deadRegion},
		{"slow-refusal", (*bench).slowRefusal},
		{"memory", (*bench).memory},
		{"distinct", (*bench).distinct},
		{"repeated", (*bench).repeated},
		{"single", (*bench).single},
		{"token", (*bench).token},
		{"edit", (*bench).edit},
	}
}

func rowNames() string {
	var names []string
	for _, r := range allRows() {
		names = append(names, r.name)
	}
	return strings.Join(names, ",")
}

// selectRows returns rows by name, in the table's order; all if none is named.
func selectRows(names string) ([]row, error) {
	if names == "" {
		return allRows(), nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		wanted[name] = true
	}
	var rows []row
	for _, r := range allRows() {
		if wanted[r.name] {
			rows = append(rows, r)
			delete(wanted, r.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("unknown row %q (supported: %s)", name, rowNames())
	}
	return rows, nil
}
