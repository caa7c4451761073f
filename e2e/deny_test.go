//go:build e2e

package e2e

import (
	"testing"
)

// TestDenyFile denies a mapped user whose identity the server has cached, by key and by
// ARN, and takes it back. STS is asked only once.
func TestDenyFile(t *testing.T) {
	user := newUser(t, "leaked")
	s := signIn(t, "")
	user.configure(s)
	const nobody = "# nobody\n"
	denied := s.write("denied.txt", nobody)
	server := serve(s, "server", "--cluster-id=kubedemy", "--verification-cache-ttl=10m", "--deny-file="+denied,
		"--aws-auth-file="+s.write("aws-auth.yaml", "mapUsers:\n- userarn: arn:aws:iam::231144931069:user/leaked\n  username: leaked\n"))
	token := s.bearerToken("kubedemy")
	if status := server.review(token); !status.Authenticated || status.User.Username != "leaked" {
		t.Fatalf("before: %+v", status)
	}
	for name, entry := range map[string]string{"key": user.id, "ARN": "arn:aws:iam::231144931069:user/leaked"} {
		s.write("denied.txt", entry+" # leaked\n")
		eventually(t, watchDelay, "denied by "+name, func() bool { return !server.review(token).Authenticated })
		s.write("denied.txt", nobody)
		eventually(t, watchDelay, "signed in again after "+name, func() bool { return server.review(token).Authenticated })
	}
	if asked := server.metric("sts_responses_total"); asked != 1 {
		t.Errorf("STS was asked %v times: the identity was not cached", asked)
	}
}
