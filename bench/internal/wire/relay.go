// Package wire holds what stands between a client and the server: a relay that
// counts round trips and a proxy that delays.
package wire

import (
	"context"
	"net"
	"sync"
)

// Relay passes TCP connections on to a server and counts round trips: how often
// the client speaks after the server, or first. A client that has sent a request
// and waits has made one, however many packets the request took, and however
// many messages were in it. That does not depend on the machine's speed.
type Relay struct {
	server   string
	listener net.Listener
	wait     sync.WaitGroup

	mu     sync.Mutex
	trips  int
	conns  map[net.Conn]struct{}
	closed bool
}

// NewRelay starts a relay to a server on a free port of the loopback interface.
func NewRelay(ctx context.Context, server string) (*Relay, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{server: server, listener: listener, conns: make(map[net.Conn]struct{})}
	r.wait.Go(r.accept)
	return r, nil
}

// Addr is where the relay listens.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Trips returns how many round trips there were since the last call.
func (r *Relay) Trips() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	trips := r.trips
	r.trips = 0
	return trips
}

// Close ends the relay and its connections.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.wait.Wait()
	return err
}

// keep remembers a connection for Close, or closes it if that was before.
func (r *Relay) keep(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = conn.Close()
	}
	r.conns[conn] = struct{}{}
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.keep(client)
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.keep(server)
		c := &conversation{relay: r}
		r.wait.Go(func() { c.pass(server, client, true) })
		r.wait.Go(func() { c.pass(client, server, false) })
	}
}

// conversation is one connection: who spoke last.
type conversation struct {
	relay       *Relay
	clientSpoke bool // guarded by relay.mu
}

// pass copies one direction. What is read is counted before it is passed on, so
// that the answer can't be counted first.
func (c *conversation) pass(to, from net.Conn, client bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			c.spoke(client)
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *conversation) spoke(client bool) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	if client && !c.clientSpoke {
		c.relay.trips++
	}
	c.clientSpoke = client
}
