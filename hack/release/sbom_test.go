package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// What the document refers to is in it, under identifiers that SPDX allows.
func TestSBOM(t *testing.T) {
	b := &build{source: source{version: "v1.2.3", commit: "c0ffee", time: time.Unix(1e9, 0).UTC()}, dist: t.TempDir()}
	for _, p := range programs {
		if err := put(filepath.Join(b.dist, p.file()), []byte(p.file())); err != nil {
			t.Fatal(err)
		}
	}
	b.modules = []dependency{{path: "example.com/a_b/v2", version: "v2.0.0", license: "MIT", users: []string{"quorate-linux-amd64"}}}
	if err := b.sbom(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.dist, sbomFile))
	if err != nil {
		t.Fatal(err)
	}
	var doc spdxDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{doc.ID: true}
	for _, p := range doc.Packages {
		if !regexp.MustCompile(`^SPDXRef-[a-zA-Z0-9.-]+$`).MatchString(p.ID) || ids[p.ID] {
			t.Errorf("identifier %q", p.ID)
		}
		ids[p.ID] = true
	}
	for _, r := range doc.Relationships {
		if !ids[r.From] || !ids[r.To] {
			t.Errorf("%v refers to what is not there", r)
		}
	}
	if len(doc.Packages) != len(programs)+1 || len(doc.Relationships) != len(programs)+1 {
		t.Errorf("%d packages, %d relationships", len(doc.Packages), len(doc.Relationships))
	}
}
