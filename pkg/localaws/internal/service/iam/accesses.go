package iam

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// An access is the last call to a service, and to each of its operations.
type access struct {
	use
	Operations map[string]use `json:"operations,omitempty"`
}

// A use is when and where something was last used.
type use struct {
	Time   time.Time `json:"time"`
	Region string    `json:"region"`
}

// noteAccess records that the user or role made a call, allowed or not. It records no
// more services and operations than localaws has.
func (e *entity) noteAccess(tx *account.Tx, operation string) {
	a := e.Accessed[tx.Service]
	a.use = use{tx.Time, tx.Region}
	if e.Accessed == nil {
		e.Accessed = map[string]access{}
	}
	if operation != "" {
		if a.Operations == nil {
			a.Operations = map[string]use{}
		}
		a.Operations[operation] = a.use
	}
	e.Accessed[tx.Service] = a
}

const (
	// trackingPeriod is how long AWS remembers a use.
	trackingPeriod = 400 * 24 * time.Hour
	// maxReports bounds the reports of an account, because each lists the users and
	// roles of a policy. Another one replaces the oldest.
	maxReports = 20
	// maxNamespaces bounds the services in one call.
	maxNamespaces = 200
	reportIDSize  = 36
)

func accessOperations() map[string]operation {
	of := func(c *call) string { return c.Get("Arn") }
	return map[string]operation{
		"GenerateServiceLastAccessedDetails":        write(of, generateAccessReport, "Arn", "Granularity"),
		"GetServiceLastAccessedDetails":             read(anything, getAccessReport, "JobId", "MaxItems", "Marker"),
		"GetServiceLastAccessedDetailsWithEntities": read(anything, getAccessReportEntities, "JobId", "ServiceNamespace", "MaxItems", "Marker"),
		"ListPoliciesGrantingServiceAccess":         read(of, listGranting, "Arn", "ServiceNamespaces.member.N", "Marker"),
	}
}

// An accessReport says which services a user, group, role or policy can access, and
// when each was last accessed, at the time of its creation.
type accessReport struct {
	// owner is who created the report: nobody else may read it.
	id, owner, granularity string
	created                time.Time
	services               []xmlServiceAccess
	accessors              []accessor
}

// An accessor is a user or role that can access the services of a report, and when it
// last accessed each.
type accessor struct {
	info xmlAccessor
	last map[string]time.Time
}

type xmlAccessor struct {
	Arn, Name, Type string
	ID              string `xml:"Id"`
	Path            string
}

type xmlServiceAccess struct {
	ServiceName, ServiceNamespace string
	LastAuthenticated             *timestamp `xml:",omitempty"`
	LastAuthenticatedEntity       string     `xml:",omitempty"`
	LastAuthenticatedRegion       string     `xml:",omitempty"`
	TotalAuthenticatedEntities    int
	TrackedActionsLastAccessed    *members[xmlActionAccess] `xml:",omitempty"`
}

type xmlActionAccess struct {
	ActionName, LastAccessedEntity string
	LastAccessedTime               timestamp
	LastAccessedRegion             string
}

// generateAccessReport makes a report at once.
func generateAccessReport(c *call) (any, error) {
	granularity, err := c.word("Granularity", "SERVICE_LEVEL", "ACTION_LEVEL")
	if err != nil {
		return nil, err
	}
	if granularity == "" {
		granularity = "SERVICE_LEVEL"
	}
	policies, accessors, err := c.accessible()
	if err != nil {
		return nil, err
	}
	r := &accessReport{id: account.NewUUID(), owner: c.Caller.UserID, granularity: granularity, created: c.Time}
	for _, service := range servicesOf(policies) {
		r.services = append(r.services, c.lastAccess(service, accessors, granularity == "ACTION_LEVEL"))
	}
	for _, h := range accessors {
		last := map[string]time.Time{}
		for service, a := range h.Accessed {
			if c.tracked(a.use) {
				last[service] = a.Time
			}
		}
		r.accessors = append(r.accessors, accessor{xmlAccessor{h.ARN, h.Name, strings.ToUpper(h.kind), h.ID, h.Path}, last})
	}
	if len(c.state.reports) >= maxReports {
		c.state.reports = slices.Delete(c.state.reports, 0, 1)
	}
	c.state.reports = append(c.state.reports, r)
	return fields{element("JobId", r.id)}, nil
}

// accessible returns the policies of the user, group or role that a call names, or the
// policy itself, and the users and roles that have the policies.
func (c *call) accessible() (policies []source, accessors []holder, err error) {
	arn := c.Get("Arn")
	if err := checkARN("arn", arn); err != nil {
		return nil, nil, err
	}
	var named func(*entity) bool
	if policyARNPattern.MatchString(arn) {
		managed, ok := c.state.managedSource(arn)
		if !ok {
			return nil, nil, c.state.noSuchPolicy(arn, "Policy "+arn+" was not found.")
		}
		policies, named = []source{managed}, func(e *entity) bool { return slices.Contains(e.Attached, arn) }
	} else {
		kind, of, err := c.entity(arn)
		if err != nil {
			return nil, nil, err
		}
		policies, named = c.state.sources(kind, of), func(e *entity) bool { return e == of }
	}
	for kind, e := range c.state.entities() {
		inGroup := func(g *group) bool { return named(&g.entity) }
		if kind != "Group" && (named(e) || slices.ContainsFunc(c.state.groupsOf(c.Tx, e.ID), inGroup)) {
			accessors = append(accessors, holder{kind, e})
		}
	}
	return policies, accessors, nil
}

// servicesOf returns the services that policies grant access to, sorted.
func servicesOf(policies []source) []string {
	named := slices.Collect(maps.Keys(serviceNames()))
	for _, policy := range policies {
		named = append(named, policy.Services()...)
	}
	slices.Sort(named)
	return slices.DeleteFunc(slices.Compact(named), func(service string) bool {
		return !slices.ContainsFunc(policies, func(p source) bool { return p.Grants(service) })
	})
}

// tracked reports whether a use is in the tracking period.
func (c *call) tracked(u use) bool { return !u.Time.IsZero() && c.Time.Sub(u.Time) <= trackingPeriod }

// lastAccess returns the last access to a service and, if wanted, to its operations.
func (c *call) lastAccess(service string, accessors []holder, operations bool) xmlServiceAccess {
	x := xmlServiceAccess{ServiceName: cmp.Or(serviceNames()[service], service), ServiceNamespace: service}
	var last use
	actions := map[string]xmlActionAccess{}
	for _, h := range accessors {
		a := h.Accessed[service]
		if !c.tracked(a.use) {
			continue
		}
		x.TotalAuthenticatedEntities++
		if a.Time.After(last.Time) {
			last = a.use
			x.LastAuthenticated, x.LastAuthenticatedEntity, x.LastAuthenticatedRegion = (*timestamp)(&last.Time), h.ARN, a.Region
		}
		for name, u := range a.Operations {
			if c.tracked(u) && u.Time.After(time.Time(actions[name].LastAccessedTime)) {
				actions[name] = xmlActionAccess{name, h.ARN, timestamp(u.Time), u.Region}
			}
		}
	}
	if operations && len(actions) > 0 {
		var list []xmlActionAccess
		for _, name := range slices.Sorted(maps.Keys(actions)) {
			list = append(list, actions[name])
		}
		x.TrackedActionsLastAccessed = new(membersOf(list))
	}
	return x
}

// accessReport returns the report that a call names.
func (c *call) accessReport() (*accessReport, error) {
	id := c.Get("JobId")
	switch {
	case id == "":
		return nil, missing("jobId")
	case len(id) < reportIDSize:
		return nil, tooShort("jobId", reportIDSize)
	case len(id) > reportIDSize:
		return nil, tooLong("jobId", reportIDSize)
	}
	at := slices.IndexFunc(c.state.reports, func(r *accessReport) bool { return r.id == id && r.owner == c.Caller.UserID })
	if at < 0 {
		return nil, noSuchEntity("The job with id " + id + " cannot be found.")
	}
	return c.state.reports[at], nil
}

// status returns the fields of a report that is complete.
func (r *accessReport) status() fields {
	return fields{element("JobStatus", "COMPLETED"), element("JobCreationDate", timestamp(r.created)), element("JobCompletionDate", timestamp(r.created))}
}

func getAccessReport(c *call) (any, error) {
	r, err := c.accessReport()
	if err != nil {
		return nil, err
	}
	list, err := paged(c, "ServicesLastAccessed", r.services)
	return slices.Concat(r.status(), fields{element("JobType", r.granularity)}, list), err
}

type xmlEntityAccess struct {
	EntityInfo        xmlAccessor
	LastAuthenticated *timestamp `xml:",omitempty"`
}

// getAccessReportEntities lists those who can access a service, the last one first.
func getAccessReportEntities(c *call) (any, error) {
	r, err := c.accessReport()
	if err != nil {
		return nil, err
	}
	service := c.Get("ServiceNamespace")
	if err := checkNamespace("serviceNamespace", service); err != nil {
		return nil, err
	}
	var all []xmlEntityAccess
	if slices.ContainsFunc(r.services, func(x xmlServiceAccess) bool { return x.ServiceNamespace == service }) {
		for _, a := range r.accessors {
			x := xmlEntityAccess{EntityInfo: a.info}
			if last, ok := a.last[service]; ok {
				x.LastAuthenticated = (*timestamp)(&last)
			}
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b xmlEntityAccess) int { return b.time().Compare(a.time()) })
	list, err := paged(c, "EntityDetailsList", all)
	return append(r.status(), list...), err
}

// time returns the time of the access; zero if there was none.
func (x xmlEntityAccess) time() time.Time {
	if x.LastAuthenticated == nil {
		return time.Time{}
	}
	return time.Time(*x.LastAuthenticated)
}

var namespacePattern = pattern.New(`^[\w-]*$`)

// checkNamespace checks the name of a service; field is its name on the wire.
func checkNamespace(field, service string) error {
	switch {
	case service == "":
		return missing(field)
	case len(service) > 64:
		return tooLong(field, 64)
	case !namespacePattern.MatchString(service):
		return invalid(field, `failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]*`)
	}
	return nil
}

// listGranting lists the policies of a user, group or role that grant access to
// services.
func listGranting(c *call) (any, error) {
	if err := checkARN("arn", c.Get("Arn")); err != nil {
		return nil, err
	}
	kind, e, err := c.entity(c.Get("Arn"))
	if err != nil {
		return nil, err
	}
	services := c.List("ServiceNamespaces.member", "")
	if len(services) == 0 {
		return nil, missing("serviceNamespaces")
	}
	if len(services) > maxNamespaces {
		return nil, tooLong("serviceNamespaces", maxNamespaces)
	}
	policies := c.state.sources(kind, e)
	var all []fields
	for _, service := range services {
		if err := checkNamespace("serviceNamespaces", service); err != nil {
			return nil, err
		}
		var granting []xmlSource
		for _, p := range policies {
			if p.Grants(service) {
				granting = append(granting, p.of)
			}
		}
		all = append(all, fields{element("ServiceNamespace", service), element("Policies", membersOf(granting))})
	}
	return paged(c, "PoliciesGrantingServiceAccess", all)
}

// serviceNames returns the names of the services that localaws has and of those in
// AWS-managed policies, by the prefix of their actions.
func serviceNames() map[string]string {
	return map[string]string{
		"account":              "AWS Account Management",
		"acm":                  "AWS Certificate Manager",
		"acm-pca":              "AWS Private Certificate Authority",
		"apigateway":           "Amazon API Gateway",
		"aps":                  "Amazon Managed Service for Prometheus",
		"arc-zonal-shift":      "Amazon Application Recovery Controller - Zonal Shift",
		"autoscaling":          "Amazon EC2 Auto Scaling",
		"cloudformation":       "AWS CloudFormation",
		"cloudfront":           "Amazon CloudFront",
		"cloudtrail":           "AWS CloudTrail",
		"cloudwatch":           "Amazon CloudWatch",
		"cognito-idp":          "Amazon Cognito User Pools",
		"ec2":                  "Amazon EC2",
		"ec2messages":          "Amazon Message Delivery Service",
		"ecr":                  "Amazon Elastic Container Registry",
		"ecr-public":           "Amazon Elastic Container Registry Public",
		"eks":                  "Amazon Elastic Kubernetes Service",
		"eks-auth":             "Amazon EKS Auth",
		"elasticbeanstalk":     "AWS Elastic Beanstalk",
		"elasticfilesystem":    "Amazon Elastic File System",
		"elasticloadbalancing": "Elastic Load Balancing",
		"es":                   "Amazon OpenSearch Service",
		"events":               "Amazon EventBridge",
		"iam":                  "AWS Identity and Access Management",
		"kms":                  "AWS Key Management Service",
		"lightsail":            "Amazon Lightsail",
		"logs":                 "Amazon CloudWatch Logs",
		"organizations":        "AWS Organizations",
		"outposts":             "AWS Outposts",
		"pricing":              "AWS Price List",
		"route53":              "Amazon Route 53",
		"route53domains":       "Amazon Route 53 Domains",
		"s3":                   "Amazon S3",
		"s3-object-lambda":     "Amazon S3 Object Lambda",
		"secretsmanager":       "AWS Secrets Manager",
		"shield":               "AWS Shield",
		"sns":                  "Amazon SNS",
		"ssm":                  "AWS Systems Manager",
		"ssmmessages":          "Amazon Session Manager Message Gateway Service",
		"sts":                  "AWS Security Token Service",
		"tag":                  "Amazon Resource Group Tagging API",
		"vpc-lattice":          "Amazon VPC Lattice",
		"wafv2":                "AWS WAF V2",
		"xray":                 "AWS X-Ray",
	}
}
