//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An mfaApp makes one-time codes (RFC 6238), like the app on a phone.
type mfaApp struct {
	serial string
	seed   []byte
}

func (a mfaApp) code(step int64) string {
	mac := hmac.New(sha1.New, a.seed)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// newMFAApp creates a virtual MFA device and enables it for a user, with an
// administrator's AWS CLI. It also returns a valid code: the two that enabled the
// device are used up.
func newMFAApp(t *testing.T, user accessKey) (app mfaApp, code string) {
	t.Helper()
	admin := newShell(t, awsCLIs(t)[0])
	var created struct{ VirtualMFADevice struct{ SerialNumber string } }
	admin.decode("aws iam create-virtual-mfa-device --virtual-mfa-device-name "+user.user+" --bootstrap-method Base32StringSeed --outfile seed", &created)
	app.serial = created.VirtualMFADevice.SerialNumber
	seed, err := os.ReadFile(filepath.Join(admin.dir, "seed"))
	if err != nil {
		t.Fatal(err)
	}
	if app.seed, err = base32.StdEncoding.DecodeString(strings.TrimSpace(string(seed))); err != nil {
		t.Fatal(err)
	}
	step := time.Now().Unix() / 30
	admin.run("aws iam enable-mfa-device --user-name " + user.user + " --serial-number " + app.serial +
		" --authentication-code1 " + app.code(step-1) + " --authentication-code2 " + app.code(step))
	t.Cleanup(func() {
		admin.run("aws iam deactivate-mfa-device --user-name " + user.user + " --serial-number " + app.serial)
		admin.run("aws iam delete-virtual-mfa-device --serial-number " + app.serial)
	})
	return app, app.code(step + 1)
}

// TestMFA signs in with a role that requires an MFA code. The code is typed where
// kubectl runs.
func TestMFA(t *testing.T) {
	role := newRoleOf(t, "/", "Careful", `"Principal":{"AWS":"arn:aws:iam::231144931069:root"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`)
	setAWSAuth(t, map[string]string{"mapRoles": "- rolearn: " + role + "\n  username: careful:{{SessionName}}\n  groups: [careful]\n"})
	for _, plugin := range plugins() {
		t.Run(plugin.name, func(t *testing.T) {
			user := newUser(t, "careful")
			app, code := newMFAApp(t, user)
			s := signIn(t, "")
			user.configure(s)
			s.run("aws iam put-user-policy --profile admin --user-name careful --policy-name AssumeCareful --policy-document '" +
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + role + `"}]}'`)
			s.fails("aws sts assume-role --role-arn "+role+" --role-session-name hasty", "AccessDenied")
			s.profile(`[profile careful]
role_arn = ` + role + `
source_profile = default
mfa_serial = ` + app.serial + `
role_session_name = typed
`)
			s.set("AWS_PROFILE", "careful")
			plugin.use(s)
			// Without a terminal, no one can type a code.
			if r := s.try("kubectl auth whoami </dev/null"); r.err == nil {
				t.Errorf("without a code: %s", r.stdout)
			}
			table := s.runOnTerminal("kubectl auth whoami", "MFA code", code)
			for _, want := range []string{"careful:typed", "[careful system:authenticated]", "assumed-role/Careful/typed"} {
				if !strings.Contains(table, want) {
					t.Errorf("the terminal does not show %q:\n%s", want, table)
				}
			}
		})
	}
}

// countLogged returns how often the authenticator's log has a text. It counts once the log has
// a decision that comes after all others: that about the default profile's user, who is not
// mapped.
func (s *shell) countLogged(text, user string) int {
	s.t.Helper()
	last := ":user/" + user + " "
	before := strings.Count(s.authenticatorLog(), last)
	if status := s.review(s.bearerToken("kubedemy")); status.Authenticated {
		s.t.Fatalf("%s is mapped", status.User.Username)
	}
	eventually(s.t, watchDelay, "in the log", func() bool { return strings.Count(s.authenticatorLog(), last) > before })
	return strings.Count(s.authenticatorLog(), text)
}

// TestMFAOnceASession types one code for two calls of kubectl. They send one token, so
// kube-apiserver answers the second call from its own cache.
func TestMFAOnceASession(t *testing.T) {
	role := newRoleOf(t, "/", "Patient", `"Principal":{"AWS":"arn:aws:iam::231144931069:root"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`)
	setAWSAuth(t, map[string]string{"mapRoles": "- rolearn: " + role + "\n  username: patient:{{SessionName}}\n  groups: [patient]\n"})
	user := newUser(t, "patient")
	app, code := newMFAApp(t, user)
	s := signIn(t, "")
	user.configure(s)
	s.run("aws iam put-user-policy --profile admin --user-name patient --policy-name AssumePatient --policy-document '" +
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + role + `"}]}'`)
	s.profile(`[profile patient]
role_arn = ` + role + `
source_profile = default
mfa_serial = ` + app.serial + `
role_session_name = typed
`)
	s.run(suite.Info().Authenticator + " kubeconfig --cluster-id kubedemy --from-context $(kubectl config current-context) --alias patient --profile patient --exec-command " + suite.Info().Authenticator)
	if table := s.runOnTerminal("kubectl auth whoami", "MFA code", code); !strings.Contains(table, "patient:typed") {
		t.Errorf("the terminal does not show patient:typed:\n%s", table)
	}
	reviews := s.countLogged("patient:typed", "patient")
	// Nobody can type a code now.
	if table := s.run("kubectl auth whoami </dev/null"); !strings.Contains(table, "patient:typed") {
		t.Errorf("the second call: %s", table)
	}
	if again := s.countLogged("patient:typed", "patient"); reviews == 0 || again != reviews {
		t.Errorf("the log names the user %d times after the first call and %d times after the second: kube-apiserver asked twice", reviews, again)
	}
	// Another cluster's token is another one, of the same session.
	if made := s.run(suite.Info().Authenticator + " token --cluster-id other --profile patient --cache --token-only </dev/null"); !strings.HasPrefix(made, "k8s-aws-v1.") {
		t.Error("no token for another cluster without a code")
	}
}
