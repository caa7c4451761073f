package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/envtest"
)

// A Log is the log of a part of the lab.
type Log struct {
	Part string `json:"part"`
	// Path is that of a log in the lab's directory. Otherwise, Pods are the pods in
	// kube-system that have the log.
	Path string   `json:"path,omitempty"`
	Pods []string `json:"pods,omitempty"`

	dir, name string
	client    kubernetes.Interface
}

// Logs returns the logs that the lab in dir has there, whether it runs or not: a lab that
// failed to come up keeps them.
func Logs(dir string) ([]Log, error) {
	opened, err := openDir(dir)
	if err != nil || opened == nil {
		return nil, err
	}
	defer opened.Close()
	var logs []Log
	for _, log := range []Log{
		{Part: "lab", name: LogFile},
		{Part: "authenticator", name: provider.AuthenticatorLog},
		{Part: "aws", name: awsDir + "/log"},
		{Part: "etcd", name: envtest.EtcdLog},
		{Part: "kube-apiserver", name: envtest.APIServerLog},
		{Part: "kube-controller-manager", name: envtest.ControllersLog},
	} {
		file, err := opened.Open(log.name)
		// With kind, root gives the authenticator's directory to the pod, which has no log there.
		_, ofPod := errors.AsType[*private.UnsafeError](err)
		if errors.Is(err, fs.ErrNotExist) || ofPod && log.name == provider.AuthenticatorLog {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening the log of %s: %w", log.Part, err)
		}
		_ = file.Close()
		log.Path, log.dir = opened.Path(log.name), dir
		logs = append(logs, log)
	}
	return logs, nil
}

// followEvery is how often a log that is followed is read, or opened again if its pod has
// ended it.
const followEvery = 200 * time.Millisecond

// Copy writes the log to w. If follow is set, it also writes what is added, until ctx
// is done.
func (l Log) Copy(ctx context.Context, w io.Writer, follow bool) error {
	if len(l.Pods) > 0 {
		return l.copyPods(ctx, w, follow)
	}
	dir, err := openDir(l.dir)
	if err != nil {
		return err
	}
	if dir == nil {
		return fmt.Errorf("reading the log of %s: %s: %w", l.Part, l.dir, fs.ErrNotExist)
	}
	defer dir.Close()
	file, err := dir.Open(l.name)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", l.Part, err)
	}
	defer file.Close()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if _, err := io.Copy(w, file); err != nil {
			return fmt.Errorf("copying the log of %s: %w", l.Part, err)
		}
		if !follow {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
