package spec

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

//go:embed types.go
var typesSource string // its comments are the schema's descriptions

// Schema is the JSON Schema of the cluster file, for editors. It is generated
// from the Go types, their tags and their comments.
func Schema() ([]byte, error) {
	docs, err := comments(typesSource)
	if err != nil {
		return nil, fmt.Errorf("read comments of types: %w", err)
	}
	top := schemaOf(reflect.TypeFor[Cluster](), docs)
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "quorate cluster file"
	out, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("marshal schema: %w", err)
	}
	return append(out, '\n'), nil
}

type object = map[string]any

// schemaOf describes one type; docs is comments by "Type" and "Type.Field".
func schemaOf(t reflect.Type, docs map[string]string) object {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), docs)
	case reflect.Struct:
		properties, required := object{}, []string{}
		for _, f := range fieldsOf(t) {
			properties[f.key] = schemaOfField(t, f, docs)
			if !f.optional {
				required = append(required, f.key)
			}
		}
		o := object{"type": "object", "properties": properties, "additionalProperties": false}
		if len(required) > 0 {
			o["required"] = required
		}
		return o
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return object{"type": "object"}
		}
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), docs)}
	case reflect.Slice:
		if t == reflect.TypeFor[Values]() {
			return object{"oneOf": []object{{"type": "string"}, {"type": "array", "items": object{"type": "string"}}}}
		}
		return object{"type": "array", "items": schemaOf(t.Elem(), docs)}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	}
	return object{"type": "string"}
}

// schemaOfField is a field's type with what its tags and comment add.
func schemaOfField(owner reflect.Type, f field, docs map[string]string) object {
	o := schemaOf(f.Type, docs)
	if text := docs[owner.Name()+"."+f.Name]; text != "" {
		o["description"] = text
	} else if text := docs[f.Type.Name()]; text != "" {
		o["description"] = text
	}
	if set := f.set("enum"); set != nil {
		if items, ok := o["items"].(object); ok {
			items["enum"] = set
		} else {
			o["enum"] = set
		}
	}
	if set := f.set("keys"); set != nil {
		o["propertyNames"] = object{"enum": set}
	}
	if def := f.Tag.Get("default"); def != "" {
		o["default"] = def
		if n, err := strconv.Atoi(def); err == nil && f.Type.Kind() == reflect.Int {
			o["default"] = n
		}
	}
	return o
}

// comments are the doc and line comments of the struct types in Go source.
func comments(source string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	docs := map[string]string{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		name := gen.Specs[0].(*ast.TypeSpec).Name.Name
		docs[name] = oneLine(gen.Doc.Text())
		st, ok := gen.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range st.Fields.List {
			text := f.Doc.Text()
			if text == "" {
				text = f.Comment.Text()
			}
			for _, n := range f.Names {
				docs[name+"."+n.Name] = oneLine(text)
			}
		}
	}
	return docs, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
