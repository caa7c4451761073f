package main

import (
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// open returns the description of the running lab that a command is for.
func open(command *cobra.Command) (lab.Info, error) {
	dir, err := dirOf(command)
	if err != nil {
		return lab.Info{}, err
	}
	return lab.Open(dir)
}
