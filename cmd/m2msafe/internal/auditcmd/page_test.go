package auditcmd

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// picturesEnv names the folder that TestPicturesForTheDocs leaves its pictures in.
const picturesEnv = "M2MSAFE_AUDIT_PICTURES"

func pageOf(t *testing.T, found *audit.Report, left ...ignored) (address, text string) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, writeHTML(&out, leaveOut(found, left), morning))
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

// torture is a report with every rule on one table, keys of three columns and names that
// are as long as they may be.
func torture() *audit.Report {
	long := func(name string) string { return name + strings.Repeat("_and_so_on", 7)[:63-len(name)] }
	end := func(side string, declared bool) audit.End {
		e := audit.End{Table: "a_schema." + long(side), Declared: declared}
		for _, c := range []string{"region", "tenant", "id"} {
			e.Columns, e.References = append(e.Columns, long(side+"_"+c)), append(e.References, long(c))
		}
		return e
	}
	t := audit.JoinTable{Name: "a_schema." + long("links"), Ends: [2]audit.End{end("owners", true), end("targets", false)}, Convention: "named", Rows: 1 << 50, Estimated: true}
	r := &audit.Report{Database: "PostgreSQL 15.14", Tables: []audit.JoinTable{t}}
	for _, text := range ruleTexts {
		f := audit.Finding{Rule: text.rule, Severity: text.level, Table: t.Name, Title: text.short, Story: text.full, Columns: t.Ends[0].Columns}
		switch f.Rule {
		case audit.LookupNotUnique:
			f.Table = t.Ends[1].Table
		case audit.NoForeignKey, audit.DanglingLinks:
			f.Columns = append(slices.Clone(t.Ends[0].Columns), t.Ends[1].Columns...)
		case audit.KeyTypesDiffer:
			f.Columns = t.Ends[1].Columns[:1]
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func TestPageInABrowser(t *testing.T) {
	b := startBrowser(t)
	for _, c := range []struct {
		name, scheme  string
		width, height int
		report        *audit.Report
		left          []ignored
	}{
		{"light", "light", 1100, 1500, sample(), nil},
		{"dark", "dark", 1100, 1500, sample(), nil},
		{"phone", "light", 390, 1600, sample(), nil},
		{"small-phone", "dark", 320, 700, sample(), nil},
		{"torture", "light", 1100, 2200, torture(), nil},
		{"torture-on-a-phone", "dark", 320, 2200, torture(), nil},
		{"clean", "dark", 1100, 700, &audit.Report{Database: "SQLite 3.50.4", Tables: sample().Tables}, nil},
		{"ignored", "dark", 390, 1600, sample(), []ignored{{audit.DuplicatePairs, ""}, {audit.NoReverseIndex, ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b.of(t)
			address, _ := pageOf(t, c.report, c.left...)
			b.show(address, c.scheme, c.width, c.height)
			var wrong []string
			b.eval(checks, &wrong)
			require.Empty(t, wrong)
			require.Equal(t, []string{address}, b.requests(), "the page loads something")
			require.Empty(t, b.complaints())
		})
	}
	t.Run("copy", func(t *testing.T) {
		b := b.of(t)
		address, _ := pageOf(t, sample())
		b.show(address, "light", 1100, 1500)
		b.call("Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"}}, nil)
		for i, c := range []struct{ broken, want string }{
			{"", statements(sample().Findings[0].Fix)},
			{"navigator.clipboard.writeText = () => Promise.reject();", "-- the key that was missing; writers go on while it is built (outside a transaction)\nCREATE UNIQUE INDEX CONCURRENTLY uq_user_groups ON user_groups (user_id, group_id);"},
		} {
			var label, copied string
			b.eval(c.broken+fmt.Sprintf(`(async () => {
				const button = document.querySelectorAll("details[open] .copy")[%d];
				button.click();
				await new Promise((done) => setTimeout(done, 100));
				return button.textContent;
			})()`, i), &label)
			require.Equal(t, "Copied", label)
			b.eval("navigator.clipboard.readText()", &copied)
			require.Equal(t, strings.TrimSpace(c.want), strings.TrimSpace(copied))
		}
	})
	t.Run("policy", func(t *testing.T) {
		b := b.of(t)
		_, text := pageOf(t, sample())
		file := filepath.Join(t.TempDir(), "audit.html")
		text = strings.Replace(text, "<main>", `<main><script>document.title = "run"</script><img src="http://127.0.0.1:1/x.png" onerror="document.title = 'run'"><style>h1 { color: red }</style>`, 1)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		b.show((&url.URL{Scheme: "file", Path: file}).String(), "light", 1100, 1500)
		var title string
		b.eval("document.title", &title)
		require.Equal(t, "Join tables: 2 errors, 2 warnings, 1 note", title)
		require.Contains(t, strings.Join(b.complaints(), " "), "violates the following Content Security Policy")
		blocked := 0
		for _, e := range b.events {
			if e.Method == "Network.loadingFailed" && strings.Contains(string(e.Params), `"blockedReason":"csp"`) {
				blocked++
			}
		}
		require.Equal(t, 1, blocked, "the picture")
		var color string
		b.eval("getComputedStyle(document.querySelector('h1')).color", &color)
		require.NotEqual(t, "rgb(255, 0, 0)", color)
	})
}

func TestPageWithoutScripts(t *testing.T) {
	_, text := pageOf(t, sample())
	require.Equal(t, strings.Count(text, `<button type="button" class="copy" hidden`), strings.Count(text, "<button"), "a button that does nothing is shown")
	require.Contains(t, text, "CREATE UNIQUE INDEX CONCURRENTLY uq_user_groups ON user_groups (user_id, group_id);")
	require.NotContains(t, text, "ZgotmplZ")
	require.NotContains(t, text, "<script>&quot;")
	require.NotContains(t, text, "\x1b[2J<script>")
	require.Contains(t, text, "shop.order\\x1b[2J&lt;script&gt;")
}

func TestPageOfManyTablesIsBounded(t *testing.T) {
	r := &audit.Report{}
	for i := range 2 * maxDiagrams {
		name := fmt.Sprintf("t%d", i)
		r.Tables = append(r.Tables, audit.JoinTable{Name: name})
		r.Findings = append(r.Findings, audit.Finding{Rule: audit.NoReverseIndex, Severity: audit.Note, Table: name})
	}
	_, text := pageOf(t, r)
	require.Equal(t, 2*maxDiagrams, strings.Count(text, "<svg"), "a wide and a narrow one for each")
	require.Equal(t, 2*maxDiagrams, strings.Count(text, "<article"))
}

func TestPageSaysHowATableIsKnown(t *testing.T) {
	for convention, want := range map[string]string{
		"foreign keys": "known by its foreign keys", "names": "known by its names", "models": "known by the models", "named": "known by --table", "Django": "known by the names of Django",
	} {
		join := audit.JoinTable{Ends: [2]audit.End{{Declared: true}, {Declared: true}}, Convention: convention}
		require.Contains(t, aboutTable(&join), want)
		join.Ends[1].Declared = false
		require.Contains(t, aboutTable(&join), strings.Replace(want, "known by its foreign keys", "known by a foreign key and its names", 1))
	}
}
