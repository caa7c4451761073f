package authn

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// verificationTimeout is less than what a kube-apiserver waits, so that it gets
// an answer that says what is wrong.
const verificationTimeout = 9 * time.Second

// Coalesce has concurrent requests for one token and cluster share one verification. It
// runs on a context of its own: a caller who hangs up fails nobody else.
func Coalesce(verifier verify.Verifier) verify.Verifier {
	c := &coalescing{verifier: verifier}
	return verify.Func(c.verify)
}

type coalescing struct {
	verifier verify.Verifier
	group    singleflight.Group
}

func (c *coalescing) verify(ctx context.Context, clusterID string, req token.Request) (verify.Result, error) {
	result := c.group.DoChan(clusterID+"\x00"+req.URL(), func() (any, error) {
		shared, cancel := context.WithTimeout(context.WithoutCancel(ctx), verificationTimeout)
		defer cancel()
		return c.verifier.Verify(shared, clusterID, req)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return verify.Result{}, r.Err
		}
		return r.Val.(verify.Result), nil
	case <-ctx.Done():
		return verify.Result{}, &verify.UnreachableError{Err: context.Cause(ctx)}
	}
}
