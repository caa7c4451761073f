package decisions

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// MaxList is what a client reads of a list at most, in bytes.
	MaxList = 32 << 20
	// MaxLine is the longest line of a watch, in bytes.
	MaxLine = 1 << 20
	// maxEntries bounds the decisions in a list. A short one takes more memory than text.
	// A server keeps about 1,500.
	maxEntries = 4096
)

// ErrTooLarge means that no server answers as much.
var ErrTooLarge = errors.New("the answer is too large: it is not that of a server")

// A List is decisions as JSON. A client reads a bounded number.
type List []Entry

// UnmarshalJSON fits [json.Unmarshaler].
func (l *List) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return fmt.Errorf("expected a list of decisions, not %.20q", text)
	}
	*l = List{}
	for decoder.More() {
		if len(*l) == maxEntries {
			return ErrTooLarge
		}
		var e Entry
		if err := decoder.Decode(&e); err != nil {
			return fmt.Errorf("decision %d: %w", len(*l)+1, err)
		}
		*l = append(*l, e)
	}
	return nil
}

// A Client asks a server for its decisions.
type Client struct {
	// HTTP connects to the server.
	HTTP *http.Client
	// URL is the URL of the server.
	URL string
}

// Find returns the last decisions that match a query, the latest last.
func (c Client) Find(ctx context.Context, q Query) ([]Entry, error) {
	body, err := c.get(ctx, q, false)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var found list
	limited := &io.LimitedReader{R: body, N: MaxList}
	err = json.NewDecoder(limited).Decode(&found)
	if err != nil && limited.N == 0 {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("reading the decisions: %w", err)
	}
	return found.Decisions, nil
}

// Watch calls observe for the last decisions that match a query and for every one to
// come, until observe or the connection fails, or ctx is done. Lost is how many
// decisions were lost before this one, because this client was slow.
func (c Client) Watch(ctx context.Context, q Query, observe func(e Entry, lost int) error) error {
	body, err := c.get(ctx, q, true)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, MaxLine)
	lost := 0
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("reading the decisions: %w", err)
		}
		lost += e.Lost
		if e.Decision == nil {
			continue
		}
		if err := observe(*e.Decision, lost); err != nil {
			return err
		}
		lost = 0
	}
	switch err := lines.Err(); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("reading the decisions: %w", ErrTooLarge)
	case err != nil:
		return fmt.Errorf("reading the decisions: %w", err)
	default:
		return fmt.Errorf("reading the decisions: %w: the server has stopped", io.ErrUnexpectedEOF)
	}
}

func (c Client) get(ctx context.Context, q Query, watch bool) (io.ReadCloser, error) {
	values := q.values()
	if watch {
		values.Set(paramWatch, "true")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/decisions?"+values.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking for the decisions: %w", err)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for the decisions: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxText))
		return nil, fmt.Errorf("asking for the decisions: the server responds %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return response.Body, nil
}
