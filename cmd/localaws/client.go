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

// ask a control endpoint of the server. The answer's body is the caller's to
// close; one that is an error is given as such.
func (p *place) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.dialed()+"/_localaws/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("--listen %q: %w", p.listen, err)
	}
	if err := p.addSecret(request); err != nil {
		return nil, err
	}
	// Not through a proxy, which the environment may well name: this very one.
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no localaws answers on %s (localaws serve starts one; --listen names another address): %w", p.listen, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	var refusal struct{ Message string }
	if err := json.NewDecoder(answer.Body).Decode(&refusal); err != nil || refusal.Message == "" {
		return nil, fmt.Errorf("what answers on %s is no localaws, or another version: %s", p.listen, answer.Status)
	}
	return nil, errors.New(refusal.Message)
}

// addSecret of the server's run, which is in the state directory. Without one the
// server says what it needs.
func (p *place) addSecret(request *http.Request) error {
	files, err := p.files()
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(files.ControlSecret())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the server's secret: %w", err)
	}
	request.Header.Set(localaws.SecretHeader, strings.TrimSpace(string(secret)))
	return nil
}

// askJSON asks with a value, unless that is nil, and decodes the answer.
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
		return fmt.Errorf("what answers on %s is no localaws, or another version: %w", answer.Request.URL.Host, err)
	}
	return nil
}
