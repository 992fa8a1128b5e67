package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// proxy stands between a pool and the server.
type proxy struct {
	proxy *toxiproxy.Proxy
	names atomic.Int64
}

// proxyLimit is how long a change of a proxy may take. One that takes longer never
// ends: toxiproxy waits for a link that waits for it.
const proxyLimit = 10 * time.Second

var errStuck = errors.New("faults: toxiproxy is stuck; this says nothing of the plugin")

// newProxy starts one. By abrupt connections end with a reset, else as if one side had
// closed them: toxiproxy sees to that only where there is a toxic for it when the
// connection is made, and one that touches nothing will do.
func newProxy(name, server string, abrupt bool) (*proxy, error) {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{proxy: toxiproxy.NewProxy(api, name, "127.0.0.1:0", server)}
	if abrupt {
		for _, stream := range []string{"upstream", "downstream"} {
			if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
				`{"name": "abrupt_%s", "type": "reset_peer", "stream": %q, "toxicity": 0}`, stream, stream))); err != nil {
				return nil, fmt.Errorf("faults: %w", err)
			}
		}
	}
	if err := p.proxy.Start(); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	return p, nil
}

// addr is where it listens.
func (p *proxy) addr() string { return p.proxy.Listen }

// poison adds a toxic to all of its connections, until it is lifted. Lifting it again
// does nothing.
func (p *proxy) poison(kind, attribute string, value int, up bool) (lift func() error, err error) {
	name := fmt.Sprintf("%s_%d", kind, p.names.Add(1))
	stream := map[bool]string{true: "upstream", false: "downstream"}[up]
	toxic := fmt.Sprintf(`{"name": %q, "type": %q, "stream": %q, "attributes": {%q: %d}}`, name, kind, stream, attribute, value)
	err = limited(func() error {
		_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
		return err
	})
	return func() error {
		return limited(func() error {
			err := p.proxy.Toxics.RemoveToxic(context.Background(), name)
			if errors.Is(err, toxiproxy.ErrToxicNotFound) {
				return nil
			}
			return err
		})
	}, err
}

// off closes all connections, and takes no new ones until it is lifted.
func (p *proxy) off() (lift func() error, err error) {
	err = limited(func() error { p.proxy.Stop(); return nil })
	return func() error {
		return limited(func() error {
			for try := 1; ; try++ { // somebody may have the port meanwhile
				err := p.proxy.Start()
				if err == nil || errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
					return nil
				}
				if try == 50 {
					return fmt.Errorf("faults: %w", err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}, err
}

// limited runs f for proxyLimit at most.
func limited(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	limit := time.NewTimer(proxyLimit)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return errStuck
	}
}
