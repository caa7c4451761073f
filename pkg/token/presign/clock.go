package presign

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// compareClocks makes the clients of AWS compare the clocks at each answer. The SDK
// corrects its own signatures by the clock of AWS, but that of a token has to be valid
// for a server whose clock is right.
func (c Config) compareClocks(stack *middleware.Stack) error {
	if c.ClockAhead == nil {
		return nil
	}
	compare := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if answer, ok := out.RawResponse.(*smithyhttp.Response); ok {
			if date, invalid := http.ParseTime(answer.Header.Get("Date")); invalid == nil {
				c.ClockAhead(c.Now().Sub(date))
			}
		}
		return out, metadata, err
	}
	if err := stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CompareClocks", compare), middleware.After); err != nil {
		return fmt.Errorf("comparing the clocks: %w", err)
	}
	return nil
}
