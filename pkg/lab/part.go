package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/kind"
)

// A Part is a program or a container that the lab runs.
type Part struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// PID is the process of a program.
	PID int `json:"pid,omitempty"`
}

func (p Part) String() string {
	if p.PID == 0 {
		return p.Name
	}
	return fmt.Sprintf("%s (process %d)", p.Name, p.PID)
}

// Left is what a killed lab left in its directory.
type Left struct {
	// Running are the programs and containers that still run.
	Running []Part `json:"running,omitempty"`
	// TakeUp reports whether `lab up` can take up the state of the cluster and of the
	// AWS account.
	TakeUp bool `json:"takeUp"`
}

// Inspect returns the description of the lab in dir with the state of its parts, or of
// what a killed lab left there.
func Inspect(ctx context.Context, dir string) (Info, error) {
	info, running, err := published(dir)
	if err != nil {
		return Info{Dir: dir}, err
	}
	opened, err := openDir(dir)
	if err != nil || opened == nil {
		return Info{Dir: dir}, err
	}
	defer opened.Close()
	now, err := runningParts(ctx, opened)
	if err != nil {
		return info, err
	}
	if !running {
		return left(opened, dir, now)
	}
	for i, part := range info.Parts {
		at := slices.IndexFunc(now, func(p Part) bool { return p.Name == part.Name })
		if info.Parts[i].Running = at >= 0; at >= 0 {
			info.Parts[i] = now[at]
		}
	}
	return info, nil
}

// left returns the description of a directory in which no lab runs.
func left(dir *private.Dir, path string, running []Part) (Info, error) {
	info := Info{Dir: path}
	killed, ok, err := abandoned(dir)
	if err != nil {
		return info, err
	}
	if ok || len(running) > 0 {
		info.Left = &Left{Running: running, TakeUp: ok && killed.canBeTakenUp()}
	}
	return info, nil
}

// runningParts returns the programs and the containers that the last lab in the
// directory has started and that run.
func runningParts(ctx context.Context, dir *private.Dir) ([]Part, error) {
	recorded, err := recordedPrograms(dir)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for _, program := range recorded {
		switch err := program.Verify(); {
		case err == nil:
			parts = append(parts, Part{Name: program.Name, Running: true, PID: program.PID})
		case !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, process.ErrReused) && !errors.Is(err, process.ErrUnproven):
			return nil, fmt.Errorf("inspecting %s: %w", program, err)
		}
	}
	containers, err := kind.Running(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, name := range containers {
		parts = append(parts, Part{Name: name, Running: true})
	}
	return parts, nil
}

// ended returns an error that names the parts that have ended, if any has.
func (i Info) ended() error {
	var names []string
	for _, part := range i.Parts {
		if !part.Running {
			names = append(names, part.Name)
		}
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s of the lab in %s has ended (%s shows why, %s starts it)", names[0], i.Dir, i.command("logs"), i.command("restart", names[0]))
	}
	return fmt.Errorf("%s of the lab in %s have ended (%s shows why, %s starts all)", strings.Join(names, ", "), i.Dir, i.command("logs"), i.command("restart"))
}

// remedy returns what to do where no lab runs.
func (i Info) remedy() string {
	if i.Left == nil {
		return i.command("up") + " starts one"
	}
	var running []string
	for _, part := range i.Left.Running {
		running = append(running, part.String())
	}
	text := "a killed one left its files"
	if len(running) > 0 {
		text = "a killed one left " + strings.Join(running, ", ")
	}
	if i.Left.TakeUp {
		return text + "; " + i.command("up") + " resumes it, " + i.command("down") + " removes it"
	}
	return text + "; " + i.command("up") + " and " + i.command("down") + " remove it"
}

// command returns a command of lab for the lab, as it can be typed.
func (i Info) command(words ...string) string { return provider.Command(i.Dir, words...) }
