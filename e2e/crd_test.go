//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/internal/convert"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// conditionDelay is how long a condition may take: servers write it after some jitter.
const conditionDelay = watchDelay + 5*time.Second

// incumbentDefinition is the CustomResourceDefinition of aws-iam-authenticator, as the API
// server reads it.
const incumbentDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: iamidentitymappings.iamauthenticator.k8s.aws}
spec:
  group: iamauthenticator.k8s.aws
  scope: Cluster
  names: {plural: iamidentitymappings, singular: iamidentitymapping, kind: IAMIdentityMapping, categories: [all]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [arn, username]
            properties:
              arn: {type: string}
              username: {type: string}
              groups: {type: array, items: {type: string}}
          status:
            type: object
            properties: {canonicalARN: {type: string}, userID: {type: string}}
`

// identityMapping is the manifest of an IAMIdentityMapping.
func identityMapping(name, arn, username string, groups ...string) string {
	return fmt.Sprintf("---\napiVersion: iamauthenticator.k8s.aws/v1alpha1\nkind: IAMIdentityMapping\nmetadata: {name: %s}\nspec: {arn: %q, username: %q, groups: [%s]}\n",
		name, arn, username, strings.Join(groups, ", "))
}

// A crdStory is a cluster with IAMIdentityMappings, and a server that follows them with
// the rights of the manifests.
type crdStory struct {
	*shell
	server *server
}

func (s *crdStory) apply(manifest string) {
	s.t.Helper()
	s.run("kubectl apply --filename " + s.write("objects.yaml", manifest))
}

func (s *crdStory) refuses(manifest, words string) {
	s.t.Helper()
	s.fails("kubectl apply --filename "+s.write("refused.yaml", manifest), words)
}

// inForce waits for a condition.
func (s *crdStory) inForce(name, want, words string) {
	s.t.Helper()
	var got string
	eventually(s.t, conditionDelay, want+": "+words, func() bool {
		got = s.run("kubectl get iamidentitymapping " + name + ` -o 'jsonpath={.status.conditions[?(@.type=="InForce")].status} {.status.conditions[?(@.type=="InForce")].reason}: {.status.conditions[?(@.type=="InForce")].message}'`)
		return strings.HasPrefix(got, want+":") && strings.Contains(got, words)
	})
}

// maps waits until the server maps a token to a user; an empty one is nobody.
func (s *crdStory) maps(token, username string) {
	s.t.Helper()
	eventually(s.t, watchDelay, "mapped to "+username, func() bool { return s.server.review(token).User.Username == username })
}

// TestCRD tells the life of IAMIdentityMappings: those of aws-iam-authenticator work as
// they are, and each says whether it is in force.
func TestCRD(t *testing.T) {
	s := &crdStory{shell: newShell(t, awsCLIs(t)[0])}
	kubeconfig := accountOfTheManifests(s.shell)
	component := func(file string) string { return manifest(t, "components/crd/"+file) }
	s.run("kubectl apply --filename " + component("rbac.yaml"))
	t.Cleanup(func() { s.run("kubectl delete --filename " + component("rbac.yaml")) })
	role, usurped := newRole(t, "Mapped"), newRole(t, "Old")
	engineer := newShell(t, awsCLIs(t)[0])
	token := engineer.bearerToken("kubedemy --role-arn " + role)

	// The objects of aws-iam-authenticator, with its own definition.
	s.run("kubectl apply --filename " + s.write("incumbent.yaml", incumbentDefinition))
	t.Cleanup(func() { s.run("kubectl delete crd iamidentitymappings.iamauthenticator.k8s.aws") })
	s.run("kubectl wait --for condition=Established crd/iamidentitymappings.iamauthenticator.k8s.aws")
	s.apply(identityMapping("old", role, "old:{{SessionName}}", "engineers") + identityMapping("junk", "junk", "{{Junk}}"))
	s.run(`kubectl patch iamidentitymapping old --subresource status --type merge --patch '{"status":{"canonicalARN":"` + strings.ToLower(role) + `","userID":""}}'`)
	s.server = serve(s.shell, "server", "--cluster-id=kubedemy", "--backend-mode=CRD", "--kubeconfig="+kubeconfig)
	session := engineer.sessionName(token, s.server)
	s.maps(token, "old:"+session)

	// Our definition takes them as they are, and they get conditions.
	s.run("kubectl apply --filename " + component("definition.yaml"))
	eventually(t, watchDelay, "a column", func() bool { return strings.Contains(s.run("kubectl get iamidentitymappings"), "IN FORCE") })
	s.run("kubectl label iamidentitymappings --all moved=over")
	s.apply(identityMapping("old", role, "first:{{SessionName}}", "engineers"))
	s.maps(token, "first:"+session)
	s.inForce("old", "True Mapped", "maps "+role)
	s.run("kubectl delete iamidentitymapping junk")

	// An older object wins, and the other one says so.
	s.apply(identityMapping("usurper", strings.ToUpper(role[:12])+role[12:], "usurper", "system:masters"))
	s.inForce("usurper", "False DuplicateEntry", "iamidentitymapping/old is for the same principal and wins: it is older, or as old and first by name")
	s.maps(token, "first:"+session)
	s.run("kubectl delete iamidentitymapping old")
	s.maps(token, "usurper")
	s.inForce("usurper", "True Mapped", "maps")
	s.run("kubectl delete iamidentitymapping usurper")
	s.maps(token, "")

	// The definition refuses junk.
	for manifest, words := range map[string]string{
		identityMapping("bad", "junk", "x"):                                             "expected the ARN of an IAM user or role",
		identityMapping("bad", "arn:aws:iam::231144931069:role/*", "x"):                 "must not contain a wildcard",
		identityMapping("bad", "arn:aws:iam::2311:role/x", "x"):                         "expected the ARN",
		identityMapping("bad", usurped, ""):                                             "must not be empty",
		identityMapping("bad", usurped, "{{Session}}"):                                  "unknown placeholder",
		identityMapping("bad", usurped, "{{SessionName}}", `""`):                        "a group must not be empty",
		identityMapping("bad", usurped, strings.Repeat("x", 2000)):                      "Too long",
		strings.ReplaceAll(identityMapping("bad", usurped, "x"), `username: "x", `, ""): "spec.username: Required value",
	} {
		s.refuses(manifest, words)
	}
	// What the server drops is reported, if the definition cannot know.
	s.apply(identityMapping("path", "arn:aws:iam::231144931069:role/team/Mapped", "x:{{SessionName}}"))
	s.inForce("path", "False RolePath", "AWS never returns a role's path")
	s.run("kubectl delete iamidentitymapping path")

	s.testConverted()
	s.testLimit(component("limit.yaml"), role)
}

// sessionName returns the name of a token's session.
func (s *shell) sessionName(token string, v *server) (name string) {
	s.t.Helper()
	eventually(s.t, watchDelay, "signed in", func() bool {
		if names := v.review(token).User.Extra["sessionName"]; len(names) > 0 {
			name = names[0]
		}
		return name != ""
	})
	return name
}

// testConverted checks that what map convert prints is accepted, and in force.
func (s *crdStory) testConverted() {
	s.t.Helper()
	aws := s.write("aws-auth.yaml", `mapRoles:
- rolearn: arn:aws:iam::231144931069:role/Admin
  username: admin:{{SessionName}}
  groups: [system:masters]
- rolearn: arn:aws:iam::231144931069:role/Node
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
mapUsers:
- userarn: arn:aws:iam::231144931069:user/div/Bob
  username: bob
- userarn: arn:aws:sts::231144931069:federated-user/Fed
  username: fed
`)
	converted := s.run(s.authenticator() + " map convert -f " + aws + " --to " + convert.CRD)
	s.apply(converted)
	for document := range strings.SplitSeq(converted, "---\n") {
		var object struct {
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			s.t.Fatal(err)
		}
		if object.Metadata.Name != "" {
			s.inForce(object.Metadata.Name, "True Mapped", "maps")
		}
	}
	s.run("kubectl delete iamidentitymappings --all")
}

func (s *shell) authenticator() string { return suite.Info().Authenticator }

// testLimit checks the policy that limits what an object can grant.
func (s *crdStory) testLimit(policy, role string) {
	s.t.Helper()
	before := identityMapping("before", role, "x:{{SessionName}}", "system:masters")
	s.apply(before)
	s.run("kubectl apply --filename " + policy)
	s.t.Cleanup(func() { s.run("kubectl delete --filename " + policy) })
	eventually(s.t, watchDelay, "refused: system:masters", func() bool {
		s.run("kubectl delete iamidentitymapping probe --ignore-not-found")
		r := s.try("kubectl apply --filename " + s.write("probe.yaml", identityMapping("probe", role, "x", "system:masters")))
		return strings.Contains(r.stderr, "groups of Kubernetes itself are refused here: system:masters")
	})
	for manifest, words := range map[string]string{
		identityMapping("bad", role, "x", "fine", "system:nodes"):              "refused here: system:nodes",
		identityMapping("bad", role, "system:admin"):                           "usernames of Kubernetes itself",
		identityMapping("bad", role, "x", `"{{SessionName}}:masters"`):         "a placeholder must come after the first colon",
		identityMapping("bad", role, "{{SessionName}}:kube-scheduler"):         "a placeholder must come after the first colon",
		identityMapping("before", role, "y:{{SessionName}}", "system:masters"): "refused here: system:masters",
	} {
		s.refuses(manifest, words)
	}
	s.apply(identityMapping("good", role, "x:{{SessionName}}", "engineers", "system:authenticated", `"team:{{AccountID}}"`))
	s.run("kubectl label iamidentitymapping before still=here")
}

// TestDefinitionAcceptsWhatIsInForce checks that the definition's rules refuse no ARN
// that the server takes.
func TestDefinitionAcceptsWhatIsInForce(t *testing.T) {
	s := &crdStory{shell: newShell(t, awsCLIs(t)[0])}
	definition := manifest(t, "components/crd/definition.yaml")
	s.run("kubectl apply --filename " + definition)
	t.Cleanup(func() { s.run("kubectl delete --filename " + definition) })
	s.run("kubectl wait --for condition=Established crd/iamidentitymappings.iamauthenticator.k8s.aws")
	for i, arn := range []string{
		"arn:aws:iam::231144931069:root", "arn:aws-us-gov:iam::231144931069:role/Admin", "ARN:AWS:IAM::231144931069:ROLE/Admin",
		"arn:aws:iam::231144931069:user/x:role/a/bob", "arn:aws:sts::231144931069:assumed-role/Admin/bob@example.com",
		"arn:aws:sts::231144931069:federated-user/bob", "arn:aws:iam::231144931069:role/a+b=c,d.e@f_g-h", "arn:aws-iso-b:iam::231144931069:role/x",
	} {
		_, kept, problems := awsauth.ParseObject(awsauth.Object{ARN: arn, Username: "x"}, mapper.Rule{}, awsauth.Options{AssumedRoles: awsauth.AssumedRolesAsRole})
		if !kept {
			t.Errorf("%s is not taken: %v", arn, problems)
		}
		s.apply(identityMapping(fmt.Sprintf("arn-%d", i), arn, "x"))
	}
}
