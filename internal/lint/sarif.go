package lint

import (
	"net/url"
	"path/filepath"
	"slices"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// These types are the part of SARIF 2.1.0 that the reports use:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID string `json:"id"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifMessage    `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifMessage struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	PhysicalLocation sarifPhysicalLocation `json:"physicalLocation"`
}

type sarifPhysicalLocation struct {
	ArtifactLocation sarifArtifactLocation `json:"artifactLocation"`
	Region           *sarifRegion          `json:"region,omitempty"`
}

type sarifArtifactLocation struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

// SARIF returns the problems of files as SARIF 2.1.0, for code scanning. Version is the
// version of the program.
func SARIF(files []Checked, version string) ([]byte, error) {
	driver := sarifDriver{Name: "authenticator lint", Version: version, InformationURI: "https://github.com/kube-iam/authenticator", Rules: []sarifRule{}}
	results := []sarifResult{}
	for _, c := range files {
		for _, p := range c.Problems {
			rule := sarifRule{ID: string(p.Code)}
			index := slices.Index(driver.Rules, rule)
			if index < 0 {
				index = len(driver.Rules)
				driver.Rules = append(driver.Rules, rule)
			}
			// The severities have the names of SARIF's levels.
			results = append(results, sarifResult{
				RuleID: rule.ID, RuleIndex: index, Level: string(p.Severity), Message: sarifMessage{sentence(p)}, Locations: []sarifLocation{c.location(p)},
			})
		}
	}
	return marshal(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Tool: sarifTool{driver}, ColumnKind: "unicodeCodePoints", Results: results}},
	})
}

func (c Checked) location(p mapper.Problem) sarifLocation {
	uri := url.URL{Path: filepath.ToSlash(c.Name)}
	location := sarifPhysicalLocation{ArtifactLocation: sarifArtifactLocation{uri.String()}}
	if p.Line > 0 {
		location.Region = &sarifRegion{StartLine: p.Line, StartColumn: p.Column}
	}
	return sarifLocation{location}
}

// sentence returns a problem in one line, without its place.
func sentence(p mapper.Problem) string {
	text := p.Message
	if p.Effect != "" {
		text += "; " + p.Effect
	}
	if p.Fix != "" {
		text += " (" + p.Fix + ")"
	}
	return text
}
