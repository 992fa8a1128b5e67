package auditcmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// picturesEnv names the folder that TestPageInABrowser leaves pictures in.
const picturesEnv = "M2MSAFE_AUDIT_PICTURES"

func pageOf(t *testing.T, r *audit.Report) (address, text string) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, writeHTML(&out, r, morning))
	file := filepath.Join(t.TempDir(), "audit.html")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	return (&url.URL{Scheme: "file", Path: file}).String(), out.String()
}

// checks is what is wrong with a page, as a list of sentences: texts that stand out too
// little from what is behind them (by WCAG's AA), what is wider than the screen, headings
// that leave a level out, links to nowhere, names that are there twice.
const checks = `(() => {
  const found = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = (e) => {
    if (e.closest("svg")) {
      const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
      const box = [...e.closest("svg").querySelectorAll("rect")].filter((q) => { const b = q.getBoundingClientRect(); return b.left <= x && x <= b.right && b.top <= y && y <= b.bottom; }).pop();
      if (box) return rgba(getComputedStyle(box).fill);
    }
    for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; }
    return [255, 255, 255, 1];
  };
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, style")) continue;
    texts++;
    const style = getComputedStyle(e);
    const a = light(rgba(e.closest("svg") ? style.fill : style.color)), b = light(behind(e));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) found.push("contrast " + contrast.toFixed(2) + ": " + e.outerHTML.slice(0, 120));
    if (parseFloat(style.fontSize) < 12) found.push("small: " + e.outerHTML.slice(0, 120));
    const range = document.createRange(); range.selectNodeContents(walk.currentNode);
    const r = range.getBoundingClientRect();
    if (r.width && (r.left < 0 || r.right > innerWidth + 1)) found.push("beyond the screen: " + e.outerHTML.slice(0, 120));
    const svg = e.closest("svg");
    if (svg) {
      const boxes = [...svg.querySelectorAll("rect")].map((q) => q.getBoundingClientRect());
      const inside = boxes.find((q) => r.left >= q.left && r.left < q.right && r.top >= q.top && r.top < q.bottom);
      if (inside && (r.right > inside.right || r.bottom > inside.bottom)) found.push("out of its box: " + walk.currentNode.data);
      if (!inside && boxes.some((q) => r.left < q.right && r.right > q.left && r.top < q.bottom && r.bottom > q.top)) found.push("into a box: " + walk.currentNode.data);
    }
  }
  if (texts < 20) found.push("only " + texts + " texts");
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the screen: " + document.documentElement.scrollWidth);
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    const n = +h.tagName[1];
    if (n > level + 1) found.push("a level is left out at " + h.textContent);
    level = n;
  }
  for (const a of document.querySelectorAll("a[href]")) {
    if (!a.hash || !document.getElementById(a.hash.slice(1))) found.push("link to nowhere: " + a.href);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size < ids.length) found.push("an id is there twice");
  for (const e of document.querySelectorAll("[aria-labelledby]")) {
    if (!document.getElementById(e.getAttribute("aria-labelledby"))) found.push("no label: " + e.tagName);
  }
  return found;
})()`

func TestPageInABrowser(t *testing.T) {
	b := startBrowser(t)
	address, _ := pageOf(t, sample())
	pictures := os.Getenv(picturesEnv)
	for _, c := range []struct {
		name, scheme  string
		width, height int
	}{{"light", "light", 1100, 1500}, {"dark", "dark", 1100, 1500}, {"phone", "light", 390, 1600}, {"phone-dark", "dark", 320, 700}} {
		t.Run(c.name, func(t *testing.T) {
			b.show(address, c.scheme, c.width, c.height)
			if pictures != "" {
				require.NoError(t, os.WriteFile(filepath.Join(pictures, fmt.Sprintf("report-%s.png", c.name)), b.picture(), 0o644))
			}
			var wrong []string
			b.eval(checks, &wrong)
			require.Empty(t, wrong)
			for _, e := range b.events {
				switch e.Method {
				case "Network.requestWillBeSent":
					var sent struct{ Request struct{ URL string } }
					require.NoError(t, json.Unmarshal(e.Params, &sent))
					require.Equal(t, address, sent.Request.URL, "the page loads something")
				case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
					require.Fail(t, "the browser complains", "%s", e.Params)
				}
			}
		})
	}
}
