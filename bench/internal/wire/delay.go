package wire

import (
	"fmt"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Delay is a loopback proxy in front of a server that holds every packet back.
type Delay struct{ proxy *toxiproxy.Proxy }

// NewDelay starts one that adds so many milliseconds each way.
func NewDelay(server string, milliseconds int) (*Delay, error) {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(api, "postgres", "127.0.0.1:0", server)
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"name": %q, "type": "latency", "stream": %q, "attributes": {"latency": %d}}`,
			stream, stream, milliseconds)
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return nil, err
		}
	}
	if err := proxy.Start(); err != nil {
		return nil, err
	}
	return &Delay{proxy: proxy}, nil
}

// Addr is where the proxy listens.
func (d *Delay) Addr() string { return d.proxy.Listen }

// Close ends the proxy and its connections.
func (d *Delay) Close() { d.proxy.Stop() }
