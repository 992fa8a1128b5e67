package auditcmd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/show"
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	homepage    = "https://github.com/m2msafe/m2msafe"
	rulesPage   = homepage + "/blob/main/docs/audit.md"
)

// What SARIF 2.1.0 has for what an audit knows.
type (
	sarifLog struct {
		Version string     `json:"version"`
		Schema  string     `json:"$schema"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		AutomationDetails struct {
			ID string `json:"id"`
		} `json:"automationDetails"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties,omitempty"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string         `json:"id"`
		Name                 string         `json:"name"`
		ShortDescription     sarifText      `json:"shortDescription"`
		FullDescription      sarifText      `json:"fullDescription"`
		Help                 sarifText      `json:"help"`
		HelpURI              string         `json:"helpUri"`
		DefaultConfiguration sarifLevel     `json:"defaultConfiguration"`
		Properties           map[string]any `json:"properties"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          map[string]any    `json:"properties"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical  `json:"physicalLocation"`
		LogicalLocations []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		ArtifactLocation struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine int `json:"startLine"`
		} `json:"region"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// writeSARIF writes the report for code hosts and editors, and what has failed. Without a
// report, which is nil where the database could not be looked at, that is all.
func writeSARIF(w io.Writer, r *report, failures []string) error {
	run := sarifRun{Results: []sarifResult{}}
	if r == nil {
		r = &report{Report: &audit.Report{}}
	} else {
		run.Properties = map[string]any{"database": r.Database, "joinTables": len(r.Tables), "ignored": len(r.ignored)}
	}
	run.Tool.Driver = sarifDriver{Name: "m2msafe", Version: buildVersion(), InformationURI: homepage, Rules: sarifRules(r)}
	run.AutomationDetails.ID = "m2msafe/audit/"
	invocation := sarifInvocation{ExecutionSuccessful: len(failures)+len(r.Unseen) == 0}
	for _, text := range failures {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{Level: "error", Message: sarifText{Text: literal(text)}})
	}
	for _, u := range r.Unseen {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{
			Level: "error", Message: sarifText{Text: literal("Not looked at: " + u.Table + " (" + u.Reason + ").")},
			Locations: []sarifLocation{locationOf(u.Table)},
		})
	}
	run.Invocations = []sarifInvocation{invocation}
	for i := range r.Findings {
		run.Results = append(run.Results, sarifResultOf(&r.Findings[i], run.Tool.Driver.Rules))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{Version: "2.1.0", Schema: sarifSchema, Runs: []sarifRun{run}})
}

// sarifRules are all rules, those that a newer audit may have among them.
func sarifRules(r *report) []sarifRule {
	texts := slices.Clone(ruleTexts)
	for _, f := range r.Findings {
		if !slices.ContainsFunc(texts, func(t ruleText) bool { return t.rule == f.Rule }) {
			texts = append(texts, textOf(f.Rule))
		}
	}
	var rules []sarifRule
	for _, t := range texts {
		var name strings.Builder
		for word := range strings.SplitSeq(string(t.rule), "-") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		rules = append(rules, sarifRule{
			ID: string(t.rule), Name: name.String(),
			ShortDescription: sarifText{Text: t.short}, FullDescription: sarifText{Text: t.full},
			Help: sarifText{
				Text:     t.full + " The fix: " + t.mend,
				Markdown: t.full + "\n\n**The fix:** " + t.mend,
			},
			HelpURI:              rulesPage + "#" + string(t.rule),
			DefaultConfiguration: sarifLevel{Level: t.level.String()},
			Properties:           map[string]any{"tags": []string{"database", "concurrency"}},
		})
	}
	return rules
}

func sarifResultOf(f *audit.Finding, rules []sarifRule) sarifResult {
	properties := map[string]any{"table": f.Table, "columns": f.Columns, "rows": f.Rows, "estimated": f.Estimated}
	for name, statements := range map[string][]audit.Statement{"fix": f.Fix, "undo": f.Undo} {
		if len(statements) > 0 {
			properties[name] = statements
		}
	}
	message := sarifText{Text: literal(f.Table + ": " + f.Title + ". " + f.Story)}
	message.Markdown = "**" + markdown(f.Table) + "**: " + markdown(f.Title) + ". " + markdown(f.Story)
	if len(f.Fix) > 0 {
		message.Markdown += "\n\n" + fence(statements(f.Fix))
	}
	message.Markdown = literal(message.Markdown)
	print := fingerprint(f)
	return sarifResult{
		RuleID: string(f.Rule), RuleIndex: slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == string(f.Rule) }),
		Level: f.Severity.String(), Message: message, Locations: []sarifLocation{locationOf(f.Table)},
		// GitHub goes by the first of these, others by any.
		PartialFingerprints: map[string]string{"primaryLocationLineHash": print, "m2msafe/v1": print},
		Properties:          properties,
	}
}

// literal is a message in which SARIF sees no placeholders.
func literal(text string) string { return strings.NewReplacer("{", "{{", "}", "}}").Replace(text) }

// markdownSigns are what has a meaning in Markdown, or in the HTML that it may hold.
var markdownSigns = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "&", `\&`, "#", `\#`, "|", `\|`, "!", `\!`)

func markdown(text string) string { return markdownSigns.Replace(show.Visible(text, false)) }

// fence is a block of SQL, in more backticks than the SQL has in a row.
func fence(sql string) string {
	ticks := "```"
	for strings.Contains(sql, ticks) {
		ticks += "`"
	}
	return ticks + "sql\n" + sql + ticks
}

// locationOf is where a table is. Code hosts want a file for each result; there is none,
// so it is a path by the table's name.
func locationOf(table string) (l sarifLocation) {
	l.PhysicalLocation.ArtifactLocation.URI = "tables/" + url.PathEscape(table)
	l.PhysicalLocation.Region.StartLine = 1
	l.LogicalLocations = []sarifLogical{{Name: table[strings.LastIndexByte(table, '.')+1:], FullyQualifiedName: table, Kind: "table"}}
	return l
}

// fingerprint is the same for the same finding of two runs, whatever the rows have
// become, and whatever its title counts.
func fingerprint(f *audit.Finding) string {
	sum := sha256.New()
	for _, part := range append([]string{string(f.Rule), f.Table, f.Relation}, f.Columns...) {
		_, _ = sum.Write([]byte(part + "\x00"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
