package httpclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// readAnswer reads the final answer up to its body, and skips those that precede it.
func readAnswer(in *bufio.Reader, r *http.Request) (*http.Response, error) {
	for {
		if answer := readPlain(in); answer != nil {
			return answer, nil
		}
		answer, err := http.ReadResponse(in, r)
		if err != nil || answer.StatusCode >= http.StatusOK {
			return answer, err
		}
	}
}

// readPlain reads the final answer up to its body if it has the form of those of STS: it is
// received, its lines have no control characters, and the length of its body is known.
// Otherwise it reads nothing, and returns nil. With [http.ReadResponse], a new token takes
// 1.5 % longer.
func readPlain(in *bufio.Reader) *http.Response {
	received, _ := in.Peek(in.Buffered())
	end := bytes.Index(received, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	status, lines, _ := strings.Cut(string(received[:end]), "\r\n")
	code, ok := plainStatus(status)
	if !ok {
		return nil
	}
	header, length, ok := plainHeader(lines)
	if !ok {
		return nil
	}
	_, _ = in.Discard(end + len("\r\n\r\n")) // it is buffered
	return &http.Response{
		Status: status[len(version):], StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: length, Body: plainBody{in},
	}
}

// A plainBody is the body of an answer, and all that follows it.
type plainBody struct{ *bufio.Reader }

// Close implements [io.Closer].
func (plainBody) Close() error { return nil }

// version begins the status line of an answer.
const version = "HTTP/1.1 "

// plainStatus returns the code of a status line. The answer is final, and may have a body.
func plainStatus(line string) (code int, ok bool) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(line, version), " ")
	code, err := strconv.Atoi(digits)
	ok = err == nil && code >= http.StatusOK && code <= 999 && code != http.StatusNoContent && code != http.StatusNotModified
	return code, ok && strings.HasPrefix(line, version) && isClean(line, ' ')
}

// plainHeader returns the headers in some lines, and the length of the body. No header may
// say more about the body or the connection.
func plainHeader(lines string) (header http.Header, length int64, ok bool) {
	header, length = http.Header{}, -1
	values := make([]string, 0, 8) // of headers that have one
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, found := strings.Cut(line, ":")
		if !found || !isPlainName(name) || !isClean(line, ' ') {
			return nil, 0, false
		}
		name, value = http.CanonicalHeaderKey(name), strings.Trim(value, " ")
		switch name {
		case "Connection", "Pragma", "Trailer", "Transfer-Encoding":
			return nil, 0, false
		case "Content-Length":
			parsed, err := strconv.ParseUint(value, 10, 31)
			if err != nil || length >= 0 {
				return nil, 0, false
			}
			length = int64(parsed)
		}
		if header[name] != nil {
			header[name] = append(header[name], value)
			continue
		}
		values = append(values, value)
		header[name] = slices.Clip(values[len(values)-1:])
	}
	return header, length, length >= 0
}

// isPlainName reports whether a header's name consists of letters, digits and dashes.
func isPlainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != ""
}

// readBody reads the body of an answer, up to a number of bytes and one more.
func readBody(answer *http.Response, most int64) ([]byte, error) {
	if answer.ContentLength < 0 {
		return io.ReadAll(io.LimitReader(answer.Body, most+1))
	}
	body := make([]byte, min(answer.ContentLength, most+1))
	n, err := io.ReadFull(answer.Body, body)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return body[:n], err
}
