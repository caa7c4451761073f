// Package sshkey encodes public keys for SSH (RFC 4253, 6.6).
package sshkey

import (
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
)

// Wire encodes strings: each after its length.
func Wire(parts ...[]byte) []byte {
	var wire []byte
	for _, part := range parts {
		wire = append(binary.BigEndian.AppendUint32(wire, uint32(len(part))), part...) // parts are short
	}
	return wire
}

// Split decodes what Wire encodes, and reports whether it is that.
func Split(wire []byte) (parts [][]byte, ok bool) {
	for len(wire) > 0 {
		if len(wire) < 4 || uint64(binary.BigEndian.Uint32(wire)) > uint64(len(wire)-4) {
			return nil, false
		}
		end := 4 + int(binary.BigEndian.Uint32(wire))
		parts, wire = append(parts, wire[4:end]), wire[end:]
	}
	return parts, true
}

// WireRSA encodes an RSA key. The first bit of a number is its sign.
func WireRSA(key *rsa.PublicKey) []byte {
	number := func(n *big.Int) []byte {
		if n.BitLen()%8 == 0 {
			return append([]byte{0}, n.Bytes()...)
		}
		return n.Bytes()
	}
	return Wire([]byte("ssh-rsa"), number(big.NewInt(int64(key.E))), number(key.N))
}

// ParseRSA decodes an RSA key; nil if it is none.
func ParseRSA(wire []byte) *rsa.PublicKey {
	parts, ok := Split(wire)
	if !ok || len(parts) != 3 || string(parts[0]) != "ssh-rsa" {
		return nil
	}
	exponent := new(big.Int).SetBytes(parts[1])
	if exponent.BitLen() > 31 || exponent.Int64() < 2 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(parts[2]), E: int(exponent.Int64())}
}

// Colons formats a fingerprint: 0a:1b:2c.
func Colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}
