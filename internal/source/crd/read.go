package crd

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Read reads the objects once, as the source does. It writes no statuses.
func Read(ctx context.Context, client dynamic.Interface, options awsauth.Options, reserved []string) (source.Snapshot, error) {
	options.AssumedRoles = awsauth.AssumedRolesAsRole
	objects := kube.IdentityMappings(client)
	var list []any
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return objects.List(ctx, options)
	})
	err := pages.EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		list = append(list, objectOf(o))
		return nil
	})
	if apierrors.IsNotFound(err) {
		err = notInstalled{failureOf(err), err}
	}
	if err != nil {
		return source.Snapshot{}, fmt.Errorf("reading the IAMIdentityMappings: %w", err)
	}
	return snapshotOf(list, options, reserved), nil
}

// snapshotOf returns the mappings of a list of objects.
func snapshotOf(list []any, options awsauth.Options, reserved []string) source.Snapshot {
	s := newStore(defaultLimits(), options)
	_ = s.Replace(list, "") // it takes any list
	judged := judgeAll(s.contents(), options.RolePaths, reserved)
	return source.Snapshot{Table: judged.table, Problems: judged.problems}
}

// judgeAll judges what was read, and reports what was left out.
func judgeAll(read contents, paths mapper.RolePaths, reserved []string) verdicts {
	judged := judge(read.objects, paths, reserved)
	judged.problems = first(judged.problems)
	if read.leftOut > 0 {
		judged.problems = append([]mapper.Problem{tooMany(read.leftOut, len(read.objects))}, judged.problems...)
	}
	return judged
}
