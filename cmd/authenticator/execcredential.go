package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// The versions of kubectl's ExecCredential.
const (
	execV1      = "client.authentication.k8s.io/v1"
	execV1beta1 = "client.authentication.k8s.io/v1beta1"
)

// execInfo is what kubectl passes in KUBERNETES_EXEC_INFO.
type execInfo struct {
	apiVersion string
	// noInput means that kubectl has no user to prompt.
	noInput bool
	// note tells the user about an unsupported value; empty if there is none.
	note string
}

func readExecInfo(text string) execInfo {
	if text == "" {
		return execInfo{apiVersion: execV1beta1}
	}
	var said struct {
		APIVersion string `json:"apiVersion"`
		Spec       struct {
			Interactive bool `json:"interactive"`
		} `json:"spec"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return execInfo{apiVersion: execV1beta1, note: "KUBERNETES_EXEC_INFO is not JSON; using " + execV1beta1}
	}
	switch said.APIVersion {
	case execV1, execV1beta1:
		return execInfo{apiVersion: said.APIVersion, noInput: !said.Spec.Interactive}
	default:
		return execInfo{
			apiVersion: execV1beta1,
			note:       fmt.Sprintf("KUBERNETES_EXEC_INFO asks for apiVersion %q, which is not supported; using %s", said.APIVersion, execV1beta1),
		}
	}
}

// execCredential is kubectl's ExecCredential.
type execCredential struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Spec       struct {
		Interactive bool `json:"interactive"`
	} `json:"spec"`
	Status struct {
		ExpirationTimestamp string `json:"expirationTimestamp"`
		Token               string `json:"token"`
	} `json:"status"`
}

func (i execInfo) credential(made presign.Token) execCredential {
	credential := execCredential{Kind: "ExecCredential", APIVersion: i.apiVersion}
	credential.Status.ExpirationTimestamp = made.Expiration.Format(time.RFC3339)
	credential.Status.Token = made.Token
	return credential
}
