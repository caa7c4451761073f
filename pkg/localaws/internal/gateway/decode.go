package gateway

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/sigv4"
)

// maxBody bounds the body of a call: it fits a policy document of 131072
// characters, encoded.
const maxBody = 1 << 20

// A received request has its body and, if it is signed, its signature.
type received struct {
	request   *api.Request
	signature signature
	// Call is what the request itself tells, without its service and its region.
	account.Call
	// unreadable is why the body could not be read.
	unreadable *api.Error
}

// A signature is that of a request, or why there is none.
type signature struct {
	*sigv4.Signature
	err error
}

// key returns the access key ID that a request claims, verified or not; empty for an
// unsigned request.
func (s signature) key() string {
	if s.Signature == nil {
		return ""
	}
	return s.AccessKeyID
}

// receive reads a request.
func (g *Gateway) receive(w http.ResponseWriter, r *http.Request) received {
	in := received{Call: account.Call{RequestID: account.NewUUID(), Time: g.clock.Now().UTC(), TLS: r.TLS != nil, UserAgent: cut(r.UserAgent(), 1024)}}
	in.request = &api.Request{Request: r, ID: in.RequestID}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		in.SourceIP = host
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		in.unreadable = api.NewError(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "reading the request: "+err.Error())
	} else if err != nil {
		in.unreadable = api.NewError(http.StatusBadRequest, "IncompleteBody", "reading the request: "+err.Error())
	}
	in.request.Content = content
	in.signature.Signature, in.signature.err = sigv4.Parse(r, content)
	return in
}

// An addressed request is one to a service in a region.
type addressed struct {
	received
	// service is nil for an unknown service.
	service *api.Service
	// refusals encodes errors as the service does, or as clients of the unknown service
	// understand them.
	refusals api.ErrorEncoder
	// refused is why no service answers.
	refused *api.Error
}

// address finds the service that a request is for: by its host, its signature, or
// what only that service is asked.
func (g *Gateway) address(in received) addressed {
	a := addressed{received: in}
	a.Service = g.serviceOf(in.request.Host)
	a.Region = cmp.Or(regionOf(in.request.Host), globalRegion(in.request.Host))
	if in.signature.err == nil {
		a.Service = cmp.Or(a.Service, in.signature.Service)
		a.Region = in.signature.Region
	}
	if a.Service == "" {
		a.Service = g.askedOf(in.request)
	}
	a.Region = cmp.Or(a.Region, g.accounts.Default().Region)
	if a.service = g.find(a.Service); a.service != nil {
		if a.service.Global {
			a.Region = account.GlobalRegions()[g.accounts.Default().Partition]
		}
		a.refusals = a.service.Protocol
		a.refused = in.unreadable
		return a
	}
	a.refusals = g.unknown(in.request, a.Service)
	a.refused = cmp.Or(in.unreadable, g.unknownService(a.Service, in.request.Host))
	return a
}

// A call is an addressed request for an operation, with its input.
type call struct {
	addressed
	// operation is nil for an unknown operation.
	operation *api.Operation
	input     api.Input
	decoded   api.Decoded
	// malformed is why the call cannot run; only a known caller may know it.
	malformed *api.Error
}

// known returns the name of the operation; empty for an unknown one, whose name the
// caller chose.
func (c call) known() string {
	if c.operation == nil {
		return ""
	}
	return c.operation.Name
}

// decode finds the operation that a request is for, and reads its input.
func decode(a addressed) call {
	c := call{addressed: a}
	if a.refused != nil {
		return c
	}
	c.input, c.operation, c.malformed = a.service.Protocol.Read(a.request, a.service.Operations)
	c.Operation = c.input.Operation
	if c.malformed == nil {
		var err error
		if c.decoded, err = c.operation.Decode(c.input); err != nil {
			c.malformed = api.ErrorOf(err)
		}
	}
	return c
}
