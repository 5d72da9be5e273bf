package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
)

// sbomFile is the bill of materials, SPDX 2.3 as JSON:
// https://spdx.github.io/spdx-spec/v2.3/
const sbomFile = "quorate.spdx.json"

type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		License       string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID        string         `json:"SPDXID"`
		Name      string         `json:"name"`
		Version   string         `json:"versionInfo"`
		File      string         `json:"packageFileName,omitempty"`
		Purpose   string         `json:"primaryPackagePurpose"`
		Location  string         `json:"downloadLocation"`
		Analyzed  bool           `json:"filesAnalyzed"`
		Concluded string         `json:"licenseConcluded"`
		Declared  string         `json:"licenseDeclared"`
		Copyright string         `json:"copyrightText"`
		Checksums []spdxChecksum `json:"checksums,omitempty"`
		Refs      []spdxRef      `json:"externalRefs,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// notInID are the characters that an SPDX identifier cannot have.
var notInID = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

func spdxID(name string) string { return "SPDXRef-" + notInID.ReplaceAllString(name, "-") }

// sbom writes what is in the programs: one package for each, and one for each
// module that they contain.
func (b *build) sbom() error {
	doc := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "quorate-" + b.version,
		Namespace: "https://quorate.dev/spdx/quorate-" + b.version + "-" + b.commit,
		Creation:  spdxCreation{b.date(), []string{"Tool: quorate-release-" + b.version}},
	}
	pkg := func(name, version, purpose, license, purl string) spdxPackage {
		return spdxPackage{ID: spdxID(name), Name: name, Version: version, Purpose: purpose, Location: "NOASSERTION",
			Concluded: "NOASSERTION", Declared: license, Copyright: "NOASSERTION",
			Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", purl}}}
	}
	relate := func(from, how, to string) {
		doc.Relationships = append(doc.Relationships, spdxRelationship{from, how, to})
	}
	for _, p := range programs {
		sum, err := digest(filepath.Join(b.dist, p.file()))
		if err != nil {
			return err
		}
		is := pkg(p.file(), b.version, "APPLICATION", "Apache-2.0", "pkg:golang/quorate.dev/quorate@"+b.version+"#cmd/"+p.name)
		is.File, is.Checksums = p.file(), []spdxChecksum{{"SHA256", sum}}
		doc.Packages = append(doc.Packages, is)
		relate(doc.ID, "DESCRIBES", is.ID)
	}
	for _, d := range b.modules {
		is := pkg(d.path, d.version, "LIBRARY", d.license, "pkg:golang/"+strings.ToLower(d.path)+"@"+d.version)
		doc.Packages = append(doc.Packages, is)
		for _, user := range d.users {
			relate(spdxID(user), "DEPENDS_ON", is.ID)
		}
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return put(filepath.Join(b.dist, sbomFile), append(text, '\n'))
}
