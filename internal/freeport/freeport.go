// Package freeport finds ports for programs that cannot choose their own: another one
// must know the port before they listen.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports are below the range that the system assigns to connections, which could take
// them before the program listens.
const from, to = 10000, 32000

// Reserve returns ports of loopback where nothing listens. Until release is called, no
// other caller gets them, in this process or another.
//
// A reservation is a UDP socket with the port, for a program that needs TCP. Nothing
// listens on the port meanwhile: a process that is just being started could inherit that
// socket, and still hold it when the program listens.
func Reserve(count int) (ports []int, release func(), err error) {
	const tries = 1000
	var reserved []net.PacketConn
	release = func() {
		for _, socket := range reserved {
			_ = socket.Close()
		}
	}
	for range tries {
		if len(ports) == count {
			return ports, release, nil
		}
		port := from + rand.IntN(to-from)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		socket, err := net.ListenPacket("udp", address)
		if err != nil {
			continue // reserved
		}
		reserved = append(reserved, socket)
		if listening, err := net.Dial("tcp", address); err == nil {
			_ = listening.Close()
			continue
		}
		ports = append(ports, port)
	}
	release()
	return nil, nil, fmt.Errorf("finding %d free ports: none in %d tries", count, tries)
}

// Address returns an address of loopback with a port where nothing listens. It reserves
// nothing.
func Address() (string, error) {
	ports, release, err := Reserve(1)
	if err != nil {
		return "", err
	}
	release()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), nil
}
