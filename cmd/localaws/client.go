package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// ask sends a request to a control endpoint of the server. The caller closes the
// body of the response. A status other than 200 is an error.
func (p *place) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+dialed(p.listen)+"/_localaws/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("--listen %q: %w", p.listen, err)
	}
	if method != http.MethodGet || path == "state" { // others answer without
		if err := addSecret(request, files); err != nil {
			return nil, err
		}
	}
	client := &http.Client{
		// The proxy of the environment is bypassed: it may be this very server.
		Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second},
		// localaws redirects nobody, and the secret is for it alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no localaws answers on %s (start one with localaws serve, or set --listen): %w", p.listen, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	var refusal struct{ Message string }
	if err := json.NewDecoder(answer.Body).Decode(&refusal); err != nil || refusal.Message == "" {
		return nil, fmt.Errorf("the server on %s is not localaws, or is another version: %s", p.listen, answer.Status)
	}
	return nil, errors.New(refusal.Message)
}

// addSecret adds the secret of the server's run, which is in the state directory.
// Without one, the server's error says what it requires.
func addSecret(request *http.Request, files localaws.Files) error {
	secret, err := os.ReadFile(files.ControlSecret())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the server's secret: %w", err)
	}
	request.Header.Set(localaws.SecretHeader, strings.TrimSpace(string(secret)))
	return nil
}

// askJSON sends a value, unless it is nil, and decodes the response into another.
func (p *place) askJSON(ctx context.Context, method, path string, value, into any) error {
	var body io.Reader
	if value != nil {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	answer, err := p.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return decode(answer, into)
}

func decode(answer *http.Response, into any) error {
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("the server on %s is not localaws, or is another version: %w", answer.Request.URL.Host, err)
	}
	return nil
}
