package auditcmd

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chromiumEnv names a browser; without it those on the path are looked for.
const chromiumEnv = "M2MSAFE_CHROMIUM"

// browser is a page of a headless Chromium, which is spoken to by the DevTools protocol
// over a pipe: no port, no driver.
type browser struct {
	t *testing.T
	*conversation
}

type conversation struct {
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
	events  []event // since the page was opened
}

type event struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

func findChromium(t *testing.T) string {
	t.Helper()
	if name := os.Getenv(chromiumEnv); name != "" {
		return name
	}
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on this machine; " + chromiumEnv + " names one (Debian: apt-get install chromium-headless-shell)")
	return ""
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := findChromium(t)
	theirs, to, err := os.Pipe()
	require.NoError(t, err)
	from, answers, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, answers}
	require.NoError(t, cmd.Start())
	require.NoError(t, theirs.Close())
	require.NoError(t, answers.Close())
	b := &browser{t, &conversation{to: to, from: bufio.NewReaderSize(from, 1<<20)}}
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil, nil)
		require.NoError(t, cmd.Wait())
		require.NoError(t, to.Close())
		require.NoError(t, from.Close())
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// of is the browser for a subtest.
func (b *browser) of(t *testing.T) *browser { return &browser{t, b.conversation} }

// call waits for the answer, and keeps the events that come before it.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.last++
	if params == nil {
		params = map[string]any{}
	}
	request := map[string]any{"id": b.last, "method": method, "params": params}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	text, err := json.Marshal(request)
	require.NoError(b.t, err)
	_, err = b.to.Write(append(text, 0))
	require.NoError(b.t, err)
	for {
		message := b.next()
		if message.ID != b.last {
			continue
		}
		require.Empty(b.t, string(message.Error), method)
		if result != nil {
			require.NoError(b.t, json.Unmarshal(message.Result, result))
		}
		return
	}
}

type message struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	event
}

func (b *browser) next() (m message) {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal(bytes.TrimRight(text, "\x00"), &m))
	if m.Method != "" {
		b.events = append(b.events, m.event)
	}
	return m
}

// show opens a page as somebody with a screen of that size and those wishes sees it.
func (b *browser) show(address, scheme string, width, height int) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": address}, nil)
	for deadline := time.Now().Add(30 * time.Second); ; {
		for _, e := range b.events {
			if e.Method == "Page.loadEventFired" {
				return
			}
		}
		require.Less(b.t, time.Now(), deadline, "the page does not load")
		b.next()
	}
}

// eval is the value of an expression in the page.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true}, &answer)
	require.Empty(b.t, string(answer.ExceptionDetails), expression)
	if value != nil {
		require.NoError(b.t, json.Unmarshal(answer.Result.Value, value))
	}
}

// picture is what is on the screen.
func (b *browser) picture() []byte {
	b.t.Helper()
	var answer struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &answer)
	png, err := base64.StdEncoding.DecodeString(answer.Data)
	require.NoError(b.t, err)
	return png
}

// requests are the addresses that the page has asked for, itself among them.
func (b *browser) requests() (all []string) {
	for _, e := range b.events {
		if e.Method == "Network.requestWillBeSent" {
			var sent struct{ Request struct{ URL string } }
			require.NoError(b.t, json.Unmarshal(e.Params, &sent))
			all = append(all, sent.Request.URL)
		}
	}
	return all
}

// complaints are what the browser, or the page, has written to the console.
func (b *browser) complaints() (all []string) {
	for _, e := range b.events {
		switch e.Method {
		case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
			all = append(all, string(e.Params))
		}
	}
	return all
}
