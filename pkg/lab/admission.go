package lab

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/deploy/kind"
)

// GuardAWSAuth has the kube-apiserver ask the authenticator before it edits aws-auth, as
// in a new lab.
func (l *Lab) GuardAWSAuth(ctx context.Context) error {
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict([]byte(kind.Admission), configuration); err != nil {
		return fmt.Errorf("reading the guard on aws-auth: %w", err)
	}
	ca, err := l.cluster.WebhookCA(ctx)
	if err != nil {
		return fmt.Errorf("reading the authenticator's certificate: %w", err)
	}
	url := l.info.Webhook + "/validate"
	configuration.Webhooks[0].ClientConfig.URL, configuration.Webhooks[0].ClientConfig.CABundle = &url, ca
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	_, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{})
	return err
}

// UnguardAWSAuth undoes GuardAWSAuth.
func (l *Lab) UnguardAWSAuth(ctx context.Context) error {
	client, err := l.Kubernetes()
	if err != nil {
		return err
	}
	return client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, guardName, metav1.DeleteOptions{})
}

// guardName is the name of the guard's configuration in deploy/kind.
const guardName = "authenticator"
