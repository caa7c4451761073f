package localaws_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/pem"
	"image/png"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// recordTests are those of the operations on what localaws keeps and no service uses.
func recordTests() map[string]permissionTest {
	const user, ssh, certificate, saml = "UserName=alice", "UserName=alice&SSHPublicKeyId=x", "ServerCertificateName=new&Path=/x/", "SAMLProviderArn=arn:aws:iam::" + account + ":saml-provider/x"
	tests := map[string]permissionTest{
		"UploadServerCertificate":            {certificate, "server-certificate/x/new"},
		"ListServerCertificates":             {"PathPrefix=/x/", "server-certificate/x/"},
		"CreateSAMLProvider":                 {"Name=x", "saml-provider/x"},
		"ListSAMLProviders":                  {"", "saml-provider/"},
		"ChangePassword":                     {"", "user/nobody"},
		"GenerateServiceLastAccessedDetails": {"Arn=arn:aws:iam::" + account + ":user/team/alice", "user/team/alice"},
		"ListPoliciesGrantingServiceAccess":  {"Arn=arn:aws:iam::" + account + ":role/team/deployer", "role/team/deployer"},
	}
	for form, of := range map[string]struct {
		resource string
		actions  []string
	}{
		user: {"user/team/alice", []string{
			"CreateLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile", "GetLoginProfile", "UploadSSHPublicKey", "ListSSHPublicKeys",
			"UploadSigningCertificate", "ListSigningCertificates", "UpdateSigningCertificate", "DeleteSigningCertificate",
		}},
		ssh: {"user/team/alice", []string{"GetSSHPublicKey", "UpdateSSHPublicKey", "DeleteSSHPublicKey"}},
		"ServerCertificateName=x": {"server-certificate/x", []string{
			"GetServerCertificate", "UpdateServerCertificate", "DeleteServerCertificate", "TagServerCertificate", "UntagServerCertificate", "ListServerCertificateTags",
		}},
		saml: {"saml-provider/x", []string{
			"GetSAMLProvider", "UpdateSAMLProvider", "DeleteSAMLProvider", "TagSAMLProvider", "UntagSAMLProvider", "ListSAMLProviderTags",
		}},
		"": {"*", []string{
			"UpdateAccountPasswordPolicy", "GetAccountPasswordPolicy", "DeleteAccountPasswordPolicy", "GenerateCredentialReport", "GetCredentialReport",
			"GetServiceLastAccessedDetails", "GetServiceLastAccessedDetailsWithEntities",
			"EnableOutboundWebIdentityFederation", "DisableOutboundWebIdentityFederation", "GetOutboundWebIdentityFederationInfo",
		}},
	} {
		for _, action := range of.actions {
			tests[action] = permissionTest{form, of.resource}
		}
	}
	return tests
}

func TestPasswords(t *testing.T) {
	s := start(t, localaws.Config{})
	bob := iam.NewFromConfig(newUser(t, s, "bob", anything))
	client, ctx, name := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("bob")
	set := func(password string) error {
		return errorOf(client.UpdateLoginProfile(ctx, &iam.UpdateLoginProfileInput{UserName: name, Password: &password}))
	}
	change := func(old, to string) error {
		return errorOf(bob.ChangePassword(ctx, &iam.ChangePasswordInput{OldPassword: &old, NewPassword: &to}))
	}
	wantCode(t, "NoSuchEntity", set("Correct horse 1"))
	wantMessage(t, "PasswordPolicyViolation", "minimum length of 8", errorOf(client.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: name, Password: aws.String("short")})))
	made, err := client.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: name, Password: aws.String("Correct horse 1"), PasswordResetRequired: true})
	must(t, err)
	if *made.LoginProfile.UserName != "bob" || !made.LoginProfile.PasswordResetRequired {
		t.Errorf("%+v", made.LoginProfile)
	}
	wantCode(t, "EntityAlreadyExists", errorOf(client.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: name, Password: aws.String("Correct horse 2")})))
	wantCode(t, "AccessDenied", change("wrong", "Correct horse 2"))
	must(t, change("Correct horse 1", "Correct horse 2"))
	got, err := client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: name})
	must(t, err)
	if got.LoginProfile.PasswordResetRequired {
		t.Error("the user changed the password, which must still be reset")
	}

	wantMessage(t, "NoSuchEntity", "The Password Policy with domain name "+account+" cannot be found.", errorOf(client.GetAccountPasswordPolicy(ctx, &iam.GetAccountPasswordPolicyInput{})))
	must(t, errorOf(client.UpdateAccountPasswordPolicy(ctx, &iam.UpdateAccountPasswordPolicyInput{
		MinimumPasswordLength: aws.Int32(12), RequireUppercaseCharacters: true, MaxPasswordAge: aws.Int32(90), PasswordReusePrevention: aws.Int32(2),
	})))
	policy, err := client.GetAccountPasswordPolicy(ctx, &iam.GetAccountPasswordPolicyInput{})
	must(t, err)
	if p := policy.PasswordPolicy; *p.MinimumPasswordLength != 12 || !p.RequireUppercaseCharacters || p.RequireNumbers || !p.ExpirePasswords || *p.MaxPasswordAge != 90 || *p.PasswordReusePrevention != 2 {
		t.Errorf("%+v", p)
	}
	wantMessage(t, "PasswordPolicyViolation", "uppercase", set("correct horse 3"))
	must(t, set("Correct horse 3"))
	must(t, set("Correct horse 4"))
	wantMessage(t, "PasswordPolicyViolation", "last 2 passwords", set("Correct horse 3"))
	must(t, set("Correct horse 5"))
	must(t, set("Correct horse 6"))
	must(t, set("Correct horse 3"))
	must(t, errorOf(client.DeleteAccountPasswordPolicy(ctx, &iam.DeleteAccountPasswordPolicyInput{})))
	must(t, errorOf(client.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: name})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: name})))
}

func TestSSHPublicKeys(t *testing.T) {
	s := start(t, localaws.Config{})
	newUser(t, s, "bob", "")
	client, ctx, name := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("bob")
	upload := func(body string) (*iamtypes.SSHPublicKey, error) {
		made, err := client.UploadSSHPublicKey(ctx, &iam.UploadSSHPublicKeyInput{UserName: name, SSHPublicKeyBody: &body})
		if err != nil {
			return nil, err
		}
		return made.SSHPublicKey, nil
	}
	encoded := pemOf(t, newRSA(t))
	made, err := upload(encoded)
	must(t, err)
	if !strings.HasPrefix(*made.SSHPublicKeyId, "APKA") || len(*made.Fingerprint) != 47 || made.Status != "Active" || !strings.HasPrefix(*made.SSHPublicKeyBody, "ssh-rsa AAAAB3NzaC1yc2E") {
		t.Errorf("%+v", made)
	}
	wantCode(t, "DuplicateSSHPublicKey", errorOf(upload(*made.SSHPublicKeyBody+" bob@laptop")))
	for _, bad := range []string{"ssh-rsa AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "ssh-rsa " + base64.StdEncoding.EncodeToString([]byte("\xff\xff\xff\xff")), "x"} {
		wantCode(t, "InvalidPublicKey", errorOf(upload(bad)))
	}
	got, err := client.GetSSHPublicKey(ctx, &iam.GetSSHPublicKeyInput{UserName: name, SSHPublicKeyId: made.SSHPublicKeyId, Encoding: iamtypes.EncodingTypePem})
	must(t, err)
	if *got.SSHPublicKey.SSHPublicKeyBody != encoded {
		t.Errorf("got %s, want %s", *got.SSHPublicKey.SSHPublicKeyBody, encoded)
	}
	must(t, errorOf(client.UpdateSSHPublicKey(ctx, &iam.UpdateSSHPublicKeyInput{UserName: name, SSHPublicKeyId: made.SSHPublicKeyId, Status: iamtypes.StatusTypeInactive})))
	list, err := client.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysInput{UserName: name})
	must(t, err)
	if len(list.SSHPublicKeys) != 1 || list.SSHPublicKeys[0].Status != "Inactive" {
		t.Errorf("%+v", list.SSHPublicKeys)
	}
	wantCode(t, "DeleteConflict", errorOf(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})))
	must(t, errorOf(client.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: name, SSHPublicKeyId: made.SSHPublicKeyId})))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: name, SSHPublicKeyId: made.SSHPublicKeyId})))
	for range 5 {
		must(t, errorOf(upload(pemOf(t, newRSA(t)))))
	}
	wantCode(t, "LimitExceeded", errorOf(upload(encoded)))
}

func newRSA(t *testing.T) *rsa.PublicKey {
	t.Helper()
	n := make([]byte, 256) // as good as a product of primes for those who only carry it
	_, _ = rand.Read(n)
	n[0] |= 0x80
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
}

func pemOf(t *testing.T, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// newCertificate returns a certificate and its key, in PEM.
func newCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &made.PublicKey, made)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(made)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestCertificates(t *testing.T) {
	s := start(t, localaws.Config{})
	newUser(t, s, "bob", "")
	client, ctx, name := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("bob")
	body, key := newCertificate(t)
	other, _ := newCertificate(t)

	signing, err := client.UploadSigningCertificate(ctx, &iam.UploadSigningCertificateInput{UserName: name, CertificateBody: &body})
	must(t, err)
	id := signing.Certificate.CertificateId
	wantCode(t, "DuplicateCertificate", errorOf(client.UploadSigningCertificate(ctx, &iam.UploadSigningCertificateInput{UserName: name, CertificateBody: &body})))
	wantCode(t, "MalformedCertificate", errorOf(client.UploadSigningCertificate(ctx, &iam.UploadSigningCertificateInput{UserName: name, CertificateBody: &key})))
	must(t, errorOf(client.UpdateSigningCertificate(ctx, &iam.UpdateSigningCertificateInput{UserName: name, CertificateId: id, Status: iamtypes.StatusTypeInactive})))
	list, err := client.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{UserName: name})
	must(t, err)
	if len(list.Certificates) != 1 || list.Certificates[0].Status != "Inactive" || *list.Certificates[0].CertificateBody != body {
		t.Errorf("%+v", list.Certificates)
	}
	must(t, errorOf(client.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: name, CertificateId: id})))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: name, CertificateId: id})))

	upload := func(name, body string) error {
		return errorOf(client.UploadServerCertificate(ctx, &iam.UploadServerCertificateInput{
			ServerCertificateName: &name, Path: aws.String("/x/"), CertificateBody: &body, PrivateKey: &key, CertificateChain: &other, Tags: tags("a", "b"),
		}))
	}
	wantCode(t, "KeyPairMismatch", upload("web", other))
	wantCode(t, "MalformedCertificate", upload("web", "x"))
	must(t, upload("web", body))
	wantCode(t, "EntityAlreadyExists", upload("Web", body))
	must(t, errorOf(client.UpdateServerCertificate(ctx, &iam.UpdateServerCertificateInput{ServerCertificateName: aws.String("web"), NewServerCertificateName: aws.String("site"), NewPath: aws.String("/y/")})))
	got, err := client.GetServerCertificate(ctx, &iam.GetServerCertificateInput{ServerCertificateName: aws.String("site")})
	must(t, err)
	if c := got.ServerCertificate; *c.ServerCertificateMetadata.Arn != arn("server-certificate/y/site") || *c.CertificateBody != body || *c.CertificateChain != other || *c.Tags[0].Key != "a" {
		t.Errorf("%+v", c)
	}
	all, err := client.ListServerCertificates(ctx, &iam.ListServerCertificatesInput{PathPrefix: aws.String("/y/")})
	must(t, err)
	if len(all.ServerCertificateMetadataList) != 1 {
		t.Errorf("%+v", all.ServerCertificateMetadataList)
	}
	must(t, errorOf(client.DeleteServerCertificate(ctx, &iam.DeleteServerCertificateInput{ServerCertificateName: aws.String("site")})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetServerCertificate(ctx, &iam.GetServerCertificateInput{ServerCertificateName: aws.String("site")})))
}

func TestCredentialReport(t *testing.T) {
	s := start(t, localaws.Config{})
	newUser(t, s, "bob", "")
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	wantCode(t, "ReportNotPresent", errorOf(client.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})))
	for _, want := range []iamtypes.ReportStateType{"STARTED", "COMPLETE"} {
		made, err := client.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
		must(t, err)
		if made.State != want {
			t.Errorf("%s, want %s", made.State, want)
		}
	}
	got, err := client.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
	must(t, err)
	rows, err := csv.NewReader(bytes.NewReader(got.Content)).ReadAll()
	must(t, err)
	if len(rows) != 4 || rows[1][0] != "<root_account>" || rows[3][0] != "bob" || rows[3][3] != "false" || rows[3][8] != "true" || len(rows[0]) != 22 {
		t.Errorf("%q", rows)
	}
	s.Clock().Advance(4 * time.Hour)
	wantCode(t, "ReportExpired", errorOf(client.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})))
}

func TestSAMLProviders(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	metadata := `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com">` + strings.Repeat(" ", 1000) + `</EntityDescriptor>`
	create := func(text string) (*iam.CreateSAMLProviderOutput, error) {
		return client.CreateSAMLProvider(ctx, &iam.CreateSAMLProviderInput{Name: aws.String("idp"), SAMLMetadataDocument: &text, Tags: tags("a", "b")})
	}
	wantMessage(t, "InvalidInput", "Could not parse metadata", errorOf(create(strings.Repeat("x", 1000))))
	made, err := create(metadata)
	must(t, err)
	if *made.SAMLProviderArn != arn("saml-provider/idp") {
		t.Errorf("%+v", made)
	}
	wantCode(t, "EntityAlreadyExists", errorOf(create(metadata)))
	must(t, errorOf(client.UpdateSAMLProvider(ctx, &iam.UpdateSAMLProviderInput{SAMLProviderArn: made.SAMLProviderArn, SAMLMetadataDocument: aws.String(metadata + "\n")})))
	got, err := client.GetSAMLProvider(ctx, &iam.GetSAMLProviderInput{SAMLProviderArn: made.SAMLProviderArn})
	must(t, err)
	if *got.SAMLMetadataDocument != metadata+"\n" || *got.Tags[0].Key != "a" {
		t.Errorf("%+v", got)
	}
	list, err := client.ListSAMLProviders(ctx, &iam.ListSAMLProvidersInput{})
	must(t, err)
	if len(list.SAMLProviderList) != 1 {
		t.Errorf("%+v", list)
	}
	err = errorOf(sts.NewFromConfig(s.SDK()).AssumeRoleWithSAML(ctx, &sts.AssumeRoleWithSAMLInput{
		PrincipalArn: made.SAMLProviderArn, RoleArn: aws.String(arn("role/r")), SAMLAssertion: aws.String("assertion"),
	}))
	wantMessage(t, "InvalidIdentityToken", "localaws verifies no SAML assertions", err)
	must(t, errorOf(client.DeleteSAMLProvider(ctx, &iam.DeleteSAMLProviderInput{SAMLProviderArn: made.SAMLProviderArn})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetSAMLProvider(ctx, &iam.GetSAMLProviderInput{SAMLProviderArn: made.SAMLProviderArn})))
}

// TestQRCode checks that an app can scan the seed. The code itself is the library's.
func TestQRCode(t *testing.T) {
	s := start(t, localaws.Config{})
	made, err := iam.NewFromConfig(s.SDK()).CreateVirtualMFADevice(t.Context(), &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String(strings.Repeat("x", 226))})
	must(t, err)
	code, err := png.Decode(bytes.NewReader(made.VirtualMFADevice.QRCodePNG))
	must(t, err)
	if size := code.Bounds().Dx(); size < 100 {
		t.Errorf("the image is %d pixels wide", size)
	}
}

// TestSimulationOfResources checks what AWS returns for resources that a call names.
func TestSimulationOfResources(t *testing.T) {
	s := start(t, localaws.Config{})
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a/${aws:username}"}]}`
	for _, resource := range []string{"*", "arn:aws:s3:::a/b"} {
		answer, err := iam.NewFromConfig(s.SDK()).SimulateCustomPolicy(t.Context(), &iam.SimulateCustomPolicyInput{
			PolicyInputList: []string{policy}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{resource},
		})
		must(t, err)
		named, r := resource != "*", answer.EvaluationResults[0]
		if (r.EvalDecisionDetails != nil) != named || len(r.EvalDecisionDetails) > 0 || (len(r.MissingContextValues) == 0) != named || (len(r.ResourceSpecificResults) == 1) != named {
			t.Errorf("%s: %+v", resource, r)
		}
		if !named {
			continue
		}
		if one := r.ResourceSpecificResults[0]; *one.EvalResourceName != resource || one.EvalResourceDecision != r.EvalDecision || !slices.Equal(one.MissingContextValues, []string{"aws:username"}) {
			t.Errorf("%+v", one)
		}
	}
}
