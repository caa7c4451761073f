package localaws

import "github.com/kube-iam/authenticator/pkg/localaws/internal/api"

func requestTags(tags map[string]string) map[string][]string { return api.RequestTags(tags) }

func resourceTags(tags map[string]string) map[string][]string { return api.ResourceTags(tags) }

func merged(all ...map[string][]string) map[string][]string { return api.Merged(all...) }
