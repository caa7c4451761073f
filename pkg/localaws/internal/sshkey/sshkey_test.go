package sshkey_test

import (
	"bytes"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/sshkey"
)

func TestRSA(t *testing.T) {
	t.Parallel()
	for _, bits := range []uint{2047, 2048} { // without and with a zero before the number
		key := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1), E: 65537}
		wire := sshkey.WireRSA(key)
		if got := sshkey.ParseRSA(wire); got == nil || !got.Equal(key) {
			t.Errorf("%d bits: %v", bits, got)
		}
		if got := sshkey.ParseRSA(wire[:len(wire)-1]); got != nil {
			t.Errorf("%d bits, one byte less: %v", bits, got)
		}
	}
	for name, wire := range map[string][]byte{
		"another type":    sshkey.Wire([]byte("ssh-dss"), []byte{3}, []byte{5}),
		"a part more":     sshkey.Wire([]byte("ssh-rsa"), []byte{3}, []byte{5}, nil),
		"exponent 1":      sshkey.Wire([]byte("ssh-rsa"), []byte{1}, []byte{5}),
		"a long exponent": sshkey.Wire([]byte("ssh-rsa"), bytes.Repeat([]byte{1}, 9), []byte{5}),
		"a length beyond": {0xff, 0xff, 0xff, 0xff, 'a'},
		"half a length":   {0, 0},
	} {
		if got := sshkey.ParseRSA(wire); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := sshkey.Colons([]byte{10, 27}); got != "0a:1b" {
		t.Error(got)
	}
}
