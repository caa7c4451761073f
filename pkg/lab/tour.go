package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/internal/story"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// tourDir, in the lab's directory, is the directory in which the tour's commands run.
const tourDir = "tour"

// Tour walks through the six steps of signing in with AWS IAM, on the lab that info
// describes. It prints each command, its output and an explanation. It first undoes
// an earlier tour, so it can be repeated.
func Tour(ctx context.Context, info Info, out io.Writer) error {
	t := &tour{info: info, out: out}
	var err error
	if t.dir, err = info.open(); err != nil {
		return err
	}
	defer t.dir.Close()
	// The tour reads the CLI's output as JSON and cannot answer its prompts, whatever
	// the user has configured.
	t.environment = append(info.Environ(os.Environ()), "AWS_DEFAULT_OUTPUT=json", "AWS_CLI_AUTO_PROMPT=off")
	if t.iam, err = info.IAM(); err != nil {
		return err
	}
	if _, err := lookPath("aws", t.environment); err != nil {
		t.useSDK = true
		fmt.Fprintln(out, "The AWS CLI is not installed: the tour uses the AWS SDK instead, and shows the commands that do the same.")
	}
	if err := t.startOver(ctx); err != nil {
		return fmt.Errorf("undoing an earlier tour: %w", err)
	}
	started := time.Now()
	steps := story.Steps()
	for i, step := range steps {
		fmt.Fprintf(out, "\n%d/%d  %s\n", i+1, len(steps), step.Title)
		for _, command := range step.Commands {
			if err := t.run(ctx, step, command); err != nil {
				return fmt.Errorf("step %d, %s: %w", i+1, step.Title, err)
			}
		}
		fmt.Fprintf(out, "  # %s\n", step.Why)
	}
	fmt.Fprintf(out, "\nFrom no user to signed in: %.1f s.\n", time.Since(started).Seconds())
	return nil
}

// A tour is one run of the story.
type tour struct {
	info        Info
	out         io.Writer
	dir         *private.Dir
	environment []string
	iam         *iam.Client
	useSDK      bool
	key         accessKey
}

// accessKey is the access key that create-access-key prints.
type accessKey struct {
	ID     string `json:"AccessKeyId"`
	Secret string `json:"SecretAccessKey"`
}

func (t *tour) run(ctx context.Context, step story.Step, command string) error {
	fmt.Fprintf(t.out, "  $ %s\n", indented(command))
	output, err := t.output(ctx, step, command)
	if text := strings.TrimRight(string(output), "\n"); text != "" {
		fmt.Fprintf(t.out, "  %s\n", indented(text))
	}
	if err != nil {
		return err
	}
	if strings.Contains(command, "create-access-key") {
		return t.keep(output)
	}
	return nil
}

func (t *tour) output(ctx context.Context, step story.Step, command string) ([]byte, error) {
	if t.useSDK && strings.HasPrefix(command, "aws ") {
		return t.sdk(command)(ctx)
	}
	shell := exec.CommandContext(ctx, "sh", "-c", command)
	shell.Dir, shell.Env = t.dir.Path(tourDir), t.environment
	answers := step.Answers(t.key.ID, t.key.Secret)
	if answers != nil {
		shell.Stdin = strings.NewReader(strings.Join(answers, "\n") + "\n")
	}
	shell.WaitDelay = time.Second // a program that the shell started may outlive it
	var output bytes.Buffer
	shell.Stdout, shell.Stderr = &output, &output
	if err := shell.Run(); err != nil {
		if ctx.Err() != nil { // such as Ctrl-C, and not the signal that ended the command
			err = context.Cause(ctx)
		}
		return output.Bytes(), fmt.Errorf("running %s: %w", strings.SplitN(command, "\n", 2)[0], err)
	}
	if answers != nil { // without a terminal's echo, the prompts make no sense
		return fmt.Appendf(nil, "(answered: %s)", strings.Join(step.Answers(t.key.ID, "its secret"), ", ")), nil
	}
	return output.Bytes(), nil
}

// keep remembers the access key that a command printed.
func (t *tour) keep(output []byte) error {
	var answer struct{ AccessKey accessKey }
	// The CLI may print a warning first.
	if at := bytes.IndexByte(output, '{'); at > 0 {
		output = output[at:]
	}
	if err := json.NewDecoder(bytes.NewReader(output)).Decode(&answer); err != nil {
		return fmt.Errorf("reading the new access key: %w", err)
	}
	if answer.AccessKey.ID == "" {
		return errors.New("reading the new access key: the output contains none")
	}
	t.key = answer.AccessKey
	return nil
}

func indented(text string) string {
	return strings.ReplaceAll(text, "\n", "\n  ")
}

// lookPath finds a program on the PATH of an environment.
func lookPath(name string, environment []string) (string, error) {
	command := exec.Command("sh", "-c", `command -v "$1"`, "sh", name)
	command.Env = environment
	output, err := command.Output()
	return strings.TrimSpace(string(output)), err
}
