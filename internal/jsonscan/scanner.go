package jsonscan

import (
	"bytes"
	"encoding/json"
)

// maxDepth is how deep a value may be nested. A TokenReview with all its metadata has
// a depth of 6.
const maxDepth = 32

// A scanner reads JSON from the start of rest. It reads objects, arrays and plain
// ASCII strings itself, and every other value with encoding/json.
type scanner struct {
	rest  []byte
	depth int
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	if len(s.rest) > 0 && s.rest[0] <= ' ' {
		s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
	}
	if len(s.rest) == 0 {
		return 0
	}
	return s.rest[0]
}

func (s *scanner) atEnd() bool {
	s.peek()
	return len(s.rest) == 0
}

// accept reads one byte if it is next.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// list reads elements between two brackets, separated by commas.
func (s *scanner) list(opening, closing byte, element func() error) error {
	if !s.accept(opening) {
		return errSyntax
	}
	if s.depth++; s.depth > maxDepth {
		return errDepth
	}
	defer func() { s.depth-- }()
	if s.accept(closing) {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.accept(closing) {
			return nil
		}
		if !s.accept(',') {
			return errSyntax
		}
	}
}

// object reads an object: its fields, and it skips all others.
func (s *scanner) object(fields []*Field) error {
	return s.list('{', '}', func() error {
		name, err := s.bytes()
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return errSyntax
		}
		for _, f := range fields {
			if f.name == string(name) {
				return f.read(s)
			}
		}
		return s.skip()
	})
}

// bytes reads a string.
func (s *scanner) bytes() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errSyntax
	}
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			content := s.rest[1:i]
			s.rest = s.rest[i+1:]
			return content, nil
		case c == '\\', c < ' ', c > '~':
			return s.escapedBytes()
		}
	}
	return nil, errSyntax
}

// escapedBytes reads a string that is not plain ASCII.
func (s *scanner) escapedBytes() ([]byte, error) {
	for i := 1; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			i++ // what is escaped does not end the string
		case '"':
			var content string
			if json.Unmarshal(s.rest[:i+1], &content) != nil {
				return nil, errSyntax
			}
			s.rest = s.rest[i+1:]
			return []byte(content), nil
		}
	}
	return nil, errSyntax
}

// null reads null if it is next.
func (s *scanner) null() bool {
	s.peek()
	rest, ok := bytes.CutPrefix(s.rest, []byte("null"))
	if ok {
		s.rest = rest
	}
	return ok
}

// skip reads any value.
func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(nil)
	case '[':
		return s.list('[', ']', s.skip)
	case '"':
		_, err := s.bytes()
		return err
	}
	end := bytes.IndexAny(s.rest, ",]} \t\r\n")
	if end < 0 {
		end = len(s.rest)
	}
	if !json.Valid(s.rest[:end]) {
		return errSyntax
	}
	s.rest = s.rest[end:]
	return nil
}
