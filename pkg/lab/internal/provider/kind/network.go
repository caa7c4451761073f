package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// A network is the network of the lab's containers. Its gateway is this machine, and
// local AWS listens on it.
type network struct {
	gateway netip.Addr
	subnet  netip.Prefix
	// metadata is the URL of the instances' metadata service.
	metadata string
	// addresses are those of the listeners, by name.
	addresses map[string]string

	// services are the metadata services by instance ID. Each remembers the session
	// tokens that it has issued.
	services map[string]http.Handler

	end     context.CancelFunc
	serving sync.WaitGroup
	servers []*http.Server
}

func (n *network) close() {
	if n.end == nil {
		return
	}
	n.end()
	for _, server := range n.servers {
		_ = server.Close()
	}
	n.serving.Wait()
}

// makeNetwork creates the lab's own network. The engine's other containers are not in
// it, and it is removed with the lab.
func (c *Cluster) makeNetwork(ctx context.Context) error {
	if err := c.declare(); err != nil {
		return err
	}
	_, err := c.engine.run(ctx, "network", "create", "--label", labLabel+"="+c.name, c.name)
	if err != nil && strings.Contains(err.Error(), "already exists") {
		return errors.Join(fmt.Errorf("network %[1]s exists already: another machine's lab on this engine may be using it "+
			"(if its lab's directory was removed, remove the network: docker ps -aq --filter network=%[1]s | xargs -r docker rm -fv; docker network rm %[1]s)", c.name),
			c.disown())
	}
	if err != nil {
		return fmt.Errorf("creating network %s: %w", c.name, err)
	}
	return c.readNetwork(ctx)
}

// readNetwork reads the addresses of the network.
func (c *Cluster) readNetwork(ctx context.Context) error {
	text, err := c.engine.run(ctx, "network", "inspect", "--format", "{{json .IPAM.Config}}", c.name)
	if err != nil {
		return fmt.Errorf("reading network %s: %w", c.name, err)
	}
	var ranges []struct {
		Subnet  netip.Prefix
		Gateway netip.Addr
	}
	if err := json.Unmarshal([]byte(text), &ranges); err != nil {
		return fmt.Errorf("reading network %s: %w", c.name, err)
	}
	for _, r := range ranges {
		if r.Gateway.Is4() {
			c.network.gateway, c.network.subnet = r.Gateway, r.Subnet
			return nil
		}
	}
	return fmt.Errorf("reading network %s: it has no IPv4 gateway: %s", c.name, text)
}

// relayName returns the name of the container that has AWS's hostnames on the network.
func (c *Cluster) relayName() string { return c.name + "-aws" }

// resolveToLocalAWS makes AWS's hostnames resolve to local AWS on the containers'
// network, for the nodes and, through CoreDNS, for the pods. A relay has the names and
// listens on port 443, for which a user of this machine may lack the privileges.
func (c *Cluster) resolveToLocalAWS(ctx context.Context) error {
	names := []string{metadataListener, tlsListener}
	if c.spec.TrustEndpoint {
		names = append(names, plainListener)
	}
	if err := c.serveContainers(ctx, names...); err != nil {
		return err
	}
	if err := c.declare(); err != nil {
		return err
	}
	relays := []string{":443=" + c.network.addresses[tlsListener]}
	if c.spec.TrustEndpoint {
		relays = append(relays, ":"+relayPort+"="+c.network.addresses[plainListener])
	}
	return c.runRelay(ctx, relays...)
}

// The listeners on the network's gateway.
const (
	metadataListener = "metadata" // the instances' metadata
	tlsListener      = "tls"      // AWS's hostnames
	plainListener    = "plain"    // local AWS's endpoint without TLS
)

// serveContainers serves local AWS to the containers of the network.
func (c *Cluster) serveContainers(ctx context.Context, names ...string) error {
	var serving context.Context
	serving, c.network.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, name := range names {
		listener, err := c.listen(name)
		if err != nil {
			return err
		}
		switch name {
		case metadataListener:
			c.network.metadata = "http://" + listener.Addr().String() + "/"
			if err := c.serveMetadata(listener); err != nil {
				return err
			}
		case tlsListener:
			c.serveAWS(serving, c.spec.AWS.ServeTLS, listener)
		case plainListener:
			c.serveAWS(serving, c.spec.AWS.Serve, listener)
		}
	}
	return nil
}

// serveAWS serves the containers of the network until ctx is done.
func (c *Cluster) serveAWS(ctx context.Context, serve func(context.Context, net.Listener, []netip.Prefix) error, listener net.Listener) {
	c.network.serving.Go(func() {
		if err := serve(ctx, listener, []netip.Prefix{c.network.subnet}); err != nil {
			c.spec.Progress("local AWS on network %s: %v", c.name, err)
		}
	})
}

// listen listens on the network's gateway: at the address that the containers know, if the
// cluster is taken up.
func (c *Cluster) listen(name string) (net.Listener, error) {
	address, known := c.network.addresses[name]
	if !known {
		address = net.JoinHostPort(c.network.gateway.String(), "0")
	}
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && known:
		return nil, fmt.Errorf("listening on the gateway of network %s: %w: the containers find local AWS at this address (end the program that uses it, or start from scratch: %s)", c.name, err, c.spec.Command("down"))
	case err != nil:
		return nil, fmt.Errorf("listening on the gateway of network %s: %w (the lab must run on the engine's machine: is the engine on another, or in a virtual one?)", c.name, err)
	}
	if c.network.addresses == nil {
		c.network.addresses = map[string]string{}
	}
	c.network.addresses[name] = listener.Addr().String()
	return listener, nil
}

// awsNames returns AWS's hostnames that resolve to the relay.
func awsNames(region string) []string {
	names := []string{"sts.amazonaws.com", "iam.amazonaws.com"}
	for _, region := range []string{region, "us-east-1"} {
		for _, service := range []string{"sts", "ec2", "eks"} {
			names = append(names, service+"."+region+".amazonaws.com")
		}
	}
	return names
}

func (c *Cluster) runRelay(ctx context.Context, relays ...string) error {
	arguments := []string{
		"run", "--detach", "--name", c.relayName(), "--label", labLabel + "=" + c.name, "--network", c.name,
		"--restart", "on-failure:1", // as kind's nodes, which restart with the engine
		"--volume", c.config.LocalAWS + ":/localaws:ro", "--entrypoint", "/localaws",
	}
	for _, name := range awsNames(c.spec.Region) {
		arguments = append(arguments, "--network-alias", name)
	}
	arguments = append(arguments, c.config.NodeImage, "relay")
	arguments = append(arguments, relays...)
	if _, err := c.engine.run(ctx, arguments...); err != nil {
		return fmt.Errorf("starting the relay to local AWS: %w", err)
	}
	return nil
}

// relayPort is the relay's port for local AWS's endpoint without TLS.
const relayPort = "4566"

// serveMetadata serves the metadata of instances on the network. Each node gets its
// own, as at 169.254.169.254; its address identifies it.
func (c *Cluster) serveMetadata(listener net.Listener) error {
	c.network.services = map[string]http.Handler{}
	for _, instance := range c.config.Workers {
		service, err := c.spec.AWS.IMDS(instance.ID)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		c.network.services[instance.ID] = service
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(c.metadata),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 * 1024,
		ErrorLog:       slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	c.network.servers = append(c.network.servers, server)
	c.network.serving.Go(func() { _ = server.Serve(listener) })
	return nil
}

func (c *Cluster) metadata(w http.ResponseWriter, r *http.Request) {
	instance, err := c.instanceAt(r.Context(), r.RemoteAddr)
	if err != nil {
		http.Error(w, "lab: "+err.Error(), http.StatusForbidden)
		return
	}
	c.network.services[instance.ID].ServeHTTP(w, r)
}

// instanceAt returns the instance of the node that has an address now. After a
// restart, a node may have the address that another had.
func (c *Cluster) instanceAt(ctx context.Context, remote string) (localaws.Instance, error) {
	client, err := netip.ParseAddrPort(remote)
	if err != nil {
		return localaws.Instance{}, err
	}
	host := client.Addr().Unmap()
	if !c.network.subnet.Contains(host) { // do not run docker for strangers
		return localaws.Instance{}, fmt.Errorf("no instance has the address %s", host)
	}
	instances := c.config.Workers
	arguments := []string{"inspect", "--format", "{{.Name}}{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"}
	for _, instance := range instances {
		arguments = append(arguments, instance.PrivateDNSName)
	}
	containers, err := c.engine.run(ctx, arguments...)
	if err != nil && containers == "" {
		return localaws.Instance{}, err
	}
	for line := range strings.Lines(containers) {
		fields := strings.Fields(strings.TrimPrefix(line, "/"))
		for _, instance := range instances {
			if len(fields) > 1 && fields[0] == instance.PrivateDNSName && fields[1] == host.String() {
				return instance, nil
			}
		}
	}
	return localaws.Instance{}, fmt.Errorf("no instance has the address %s", host)
}
