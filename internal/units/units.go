// Package units has values whose JSON form is a plain number in the unit that
// the field's name carries. It knows nothing of what they measure.
package units

import (
	"encoding/json"
	"fmt"
	"time"
)

// Seconds is a duration; in JSON a number of seconds, to the millisecond.
type Seconds time.Duration

// Duration is s for arithmetic and for text.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// String is s as a duration prints.
func (s Seconds) String() string { return time.Duration(s).String() }

// MarshalJSON writes a number of seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Round(time.Millisecond).Seconds())
}

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var n float64
	if err := json.Unmarshal(text, &n); err != nil {
		return fmt.Errorf("want a number of seconds: %w", err)
	}
	*s = Seconds(n * float64(time.Second))
	return nil
}
