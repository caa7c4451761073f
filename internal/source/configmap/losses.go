package configmap

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Deleted is the code of the deletion of aws-auth itself.
const Deleted mapper.Code = "Deleted"

const rollback = "if that was not intended, run: authenticator map rollback"

func deletion() mapper.Problem {
	return mapper.Problem{
		Code: Deleted, Severity: mapper.Error, Section: kube.AWSAuth,
		Message: "it was deleted", Effect: "nobody whom it mapped can sign in", Fix: "create it again; " + rollback,
	}
}

// reportLosses reports what an edit takes away.
func (c *ConfigMap) reportLosses(configMap *unstructured.Unstructured, before, after *mapper.Table) {
	losses := lockout.Losses(before, after, "aws-auth", rollback)
	for _, loss := range losses {
		loss.Problem.Log(c.config.Log, "an edit of aws-auth takes away what the cluster needs")
		c.events.Warn(configMap, string(loss.Problem.Code), loss.Problem.String())
	}
	c.config.OnEdit(lockout.Groups(losses))
}
