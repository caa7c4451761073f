// Package qrcode draws QR codes. It is the only one of local AWS that depends on a
// library.
package qrcode

import (
	"fmt"

	"rsc.io/qr"
)

// PNG returns the QR code of a text as a PNG.
func PNG(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code: %w", err)
	}
	return code.PNG(), nil
}
