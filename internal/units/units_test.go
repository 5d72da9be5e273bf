package units

import (
	"encoding/json"
	"testing"
	"time"
)

func TestSeconds(t *testing.T) {
	in := struct{ TookSeconds Seconds }{Seconds(1500*time.Millisecond + 300*time.Microsecond)}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `{"TookSeconds":1.5}` {
		t.Fatalf("%s %v", text, err)
	}
	out := in
	if err := json.Unmarshal(text, &out); err != nil || out.TookSeconds.Duration() != 1500*time.Millisecond {
		t.Errorf("%v %v", out, err)
	}
	if json.Unmarshal([]byte(`{"TookSeconds":"1s"}`), &out) == nil {
		t.Error("a string is taken")
	}
}
