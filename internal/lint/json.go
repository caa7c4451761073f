package lint

import (
	"fmt"

	"github.com/kube-iam/authenticator/internal/encode"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

type jsonFile struct {
	File     string        `json:"file"`
	Kind     Kind          `json:"kind"`
	Problems []jsonProblem `json:"problems"`
	Fixed    []jsonFixed   `json:"fixed,omitempty"`
}

type jsonProblem struct {
	Code     mapper.Code     `json:"code"`
	Severity mapper.Severity `json:"severity"`
	Section  string          `json:"section,omitempty"`
	Line     int             `json:"line,omitempty"`
	Column   int             `json:"column,omitempty"`
	Message  string          `json:"message"`
	Effect   string          `json:"effect,omitempty"`
	Fix      string          `json:"fix,omitempty"`
}

type jsonFixed struct {
	jsonProblem
	Gains []string `json:"gains,omitempty"`
}

func toJSON(p mapper.Problem) jsonProblem {
	return jsonProblem{p.Code, p.Severity, p.Section, p.Line, p.Column, p.Message, p.Effect, p.Fix}
}

// JSON returns the problems of files as JSON.
func JSON(files []Checked) ([]byte, error) {
	report := struct {
		Files    []jsonFile `json:"files"`
		Errors   int        `json:"errors"`
		Warnings int        `json:"warnings"`
	}{Files: []jsonFile{}}
	for _, c := range files {
		file := jsonFile{File: c.Name, Kind: c.Kind, Problems: []jsonProblem{}}
		for _, p := range c.Problems {
			file.Problems = append(file.Problems, toJSON(p))
		}
		for _, fixed := range c.Fixed {
			f := jsonFixed{jsonProblem: toJSON(fixed.Problem)}
			for _, change := range fixed.Gains {
				f.Gains = append(f.Gains, change.String())
			}
			file.Fixed = append(file.Fixed, f)
		}
		report.Files = append(report.Files, file)
		report.Errors += mapper.Count(c.Problems, mapper.Error)
		report.Warnings += mapper.Count(c.Problems, mapper.Warning)
	}
	return marshal(report)
}

func marshal(value any) ([]byte, error) {
	text, err := encode.JSON(value)
	if err != nil {
		return nil, fmt.Errorf("encoding the report: %w", err)
	}
	return text, nil
}
