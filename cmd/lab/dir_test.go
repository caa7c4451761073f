package main

import (
	"os"
	"testing"

	"github.com/kube-iam/authenticator/internal/shell"
)

func TestTyped(t *testing.T) {
	t.Parallel()
	program := shell.Quote(os.Args[0])
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{nil, program + " env"},
		{[]string{"--dir", "/tmp/lab-2"}, program + " env --dir /tmp/lab-2"},
		{[]string{"--dir", "it's a lab"}, program + ` env --dir 'it'\''s a lab'`},
	} {
		command := newUp(nil)
		if err := command.ParseFlags(test.arguments); err != nil {
			t.Fatal(err)
		}
		if got := typed(command, "env"); got != test.want {
			t.Errorf("after lab up %q: %s, want %s", test.arguments, got, test.want)
		}
	}
}
