package iam

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
)

const (
	// serviceLinkedPath is the path of service-linked roles.
	serviceLinkedPath = "/aws-service-role/"
	// maxDeletions bounds the deletions of an account. Another one replaces the oldest.
	maxDeletions = 100
)

// A serviceLinked is the service-linked role of a service.
type serviceLinked struct {
	service, role string
	// suffixes reports that an account may have several.
	suffixes bool
}

// serviceLinkedRoles returns the roles that the EKS guides name, and common ones. No
// service uses them here, so they have a trust policy and no others.
func serviceLinkedRoles() []serviceLinked {
	return []serviceLinked{
		{"access-analyzer.amazonaws.com", "AWSServiceRoleForAccessAnalyzer", false},
		{"autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", true},
		{"backup.amazonaws.com", "AWSServiceRoleForBackup", false},
		{"cloudtrail.amazonaws.com", "AWSServiceRoleForCloudTrail", false},
		{"config.amazonaws.com", "AWSServiceRoleForConfig", false},
		{"ecs.amazonaws.com", "AWSServiceRoleForECS", false},
		{"eks.amazonaws.com", "AWSServiceRoleForAmazonEKS", false},
		{"eks-connector.amazonaws.com", "AWSServiceRoleForAmazonEKSConnector", false},
		{"eks-fargate.amazonaws.com", "AWSServiceRoleForAmazonEKSForFargate", false},
		{"eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup", false},
		{"elasticache.amazonaws.com", "AWSServiceRoleForElastiCache", false},
		{"elasticfilesystem.amazonaws.com", "AWSServiceRoleForAmazonElasticFileSystem", false},
		{"elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing", false},
		{"es.amazonaws.com", "AWSServiceRoleForAmazonElasticsearchService", false},
		{"guardduty.amazonaws.com", "AWSServiceRoleForAmazonGuardDuty", false},
		{"inspector2.amazonaws.com", "AWSServiceRoleForAmazonInspector2", false},
		{"kafka.amazonaws.com", "AWSServiceRoleForKafka", false},
		{"opensearchservice.amazonaws.com", "AWSServiceRoleForAmazonOpenSearchService", false},
		{"organizations.amazonaws.com", "AWSServiceRoleForOrganizations", false},
		{"rds.amazonaws.com", "AWSServiceRoleForRDS", false},
		{"spot.amazonaws.com", "AWSServiceRoleForEC2Spot", false},
		{"spotfleet.amazonaws.com", "AWSServiceRoleForEC2SpotFleet", false},
		{"ssm.amazonaws.com", "AWSServiceRoleForAmazonSSM", false},
		{"sso.amazonaws.com", "AWSServiceRoleForSSO", false},
		{"support.amazonaws.com", "AWSServiceRoleForSupport", false},
		{"transitgateway.amazonaws.com", "AWSServiceRoleForVPCTransitGateway", false},
		{"trustedadvisor.amazonaws.com", "AWSServiceRoleForTrustedAdvisor", false},
	}
}

func serviceLinkedOperations() map[string]operation {
	made := func(c *call) string {
		name := ""
		if linked, err := c.serviceLinked(); err == nil {
			name = linked.role
		}
		return c.ARN("iam", "", "role"+serviceLinkedPath+c.Get("AWSServiceName")+"/"+name)
	}
	service := func(c *call) map[string][]string {
		return map[string][]string{"iam:awsservicename": {c.Get("AWSServiceName")}}
	}
	task := func(c *call) string {
		return c.ARN("iam", "", "role/"+path.Dir(strings.TrimPrefix(c.Get("DeletionTaskId"), "task/")))
	}
	return map[string]operation{
		"CreateServiceLinkedRole":            with(write(made, createServiceLinkedRole, "AWSServiceName", "Description", "CustomSuffix"), service),
		"DeleteServiceLinkedRole":            write(roleResource, deleteServiceLinkedRole, "RoleName"),
		"GetServiceLinkedRoleDeletionStatus": read(task, getDeletionStatus, "DeletionTaskId"),
	}
}

func (r *role) serviceLinked() bool { return strings.HasPrefix(r.Path, serviceLinkedPath) }

// serviceLinked returns the role that a call creates; its name includes the suffix.
func (c *call) serviceLinked() (serviceLinked, error) {
	service, suffix := c.Get("AWSServiceName"), c.Get("CustomSuffix")
	all := serviceLinkedRoles()
	at := slices.IndexFunc(all, func(l serviceLinked) bool { return l.service == service })
	if at < 0 {
		var known []string
		for _, linked := range all {
			known = append(known, linked.service)
		}
		return serviceLinked{}, api.Refuse(http.StatusBadRequest, "InvalidInput", "AWSServiceName "+service+" is not a service with a service-linked role in localaws; supported: "+strings.Join(known, ", "))
	}
	linked := all[at]
	if suffix != "" && !linked.suffixes {
		return serviceLinked{}, invalidInput("Custom suffix is not allowed for " + service)
	}
	if suffix != "" {
		linked.role += "_" + suffix
	}
	return linked, checkName("customSuffix", linked.role, maxRoleName)
}

func createServiceLinkedRole(c *call) (any, error) {
	linked, err := c.serviceLinked()
	if err != nil {
		return nil, err
	}
	if _, ok := c.state.Roles[lower(linked.role)]; ok {
		return nil, invalidInput("Service role name " + linked.role + " has been taken in this account, please try a different suffix.")
	}
	r := &role{
		entity:     entity{Name: linked.role, Path: serviceLinkedPath + linked.service + "/", ID: account.NewID("AROA", 17), Created: c.Time},
		MaxSession: 3600,
	}
	if r.Description, err = c.description(); err != nil {
		return nil, err
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + linked.service + `"},"Action":"sts:AssumeRole"}]}`
	if err := c.setTrust(r, trust); err != nil {
		return nil, err
	}
	if err := c.addRole(r); err != nil {
		return nil, err
	}
	return fields{element("Role", r.createdXML())}, nil
}

// deleteServiceLinkedRole deletes at once and keeps the task for status queries.
func deleteServiceLinkedRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if !r.serviceLinked() {
		return nil, noSuchEntity("There is no service-linked role with name " + r.Name + ".")
	}
	c.removeRole(r)
	task := "task" + r.Path + r.Name + "/" + account.NewUUID()
	c.state.Deletions = append(c.state.Deletions, task)
	c.state.Deletions = c.state.Deletions[max(0, len(c.state.Deletions)-maxDeletions):]
	return fields{element("DeletionTaskId", task)}, nil
}

func getDeletionStatus(c *call) (any, error) {
	task := c.Get("DeletionTaskId")
	if !slices.Contains(c.state.Deletions, task) {
		return nil, noSuchEntity("The deletion task " + task + " cannot be found.")
	}
	return fields{element("Status", "SUCCEEDED")}, nil
}

// protectServiceLinked rejects changes to the policies and the trust policy of a
// service-linked role.
func protectServiceLinked(operations map[string]operation) {
	for _, name := range []string{
		"AddRoleToInstanceProfile", "AttachRolePolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
		"DetachRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy", "UpdateAssumeRolePolicy",
	} {
		operation := operations[name]
		run := operation.Run
		operation.Run = func(tx *account.Tx, form api.Form) (any, error) {
			if r, ok := account.Get[*state](tx).Roles[lower(form.Get("RoleName"))]; ok && r.serviceLinked() {
				return nil, newError(http.StatusBadRequest, "UnmodifiableEntity", "Cannot perform the operation on the protected role '"+r.Name+"' - this role is only modifiable by AWS")
			}
			return run(tx, form)
		}
		operations[name] = operation
	}
}
