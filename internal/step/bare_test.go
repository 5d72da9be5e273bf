package step

import (
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
)

// A host that was cleaned is seen to be bare: each fact of it is known. A fact
// that the step's effect leaves unknown would be waited for in vain.
func TestBareIsKnown(t *testing.T) {
	h := model.Host{Reached: model.Is(true), Obstacle: model.Is(""), Packages: model.Is(model.Set[string]{}), Departed: model.Is(true),
		Marked: model.Is(true), EndpointUp: model.Is(false)}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch {
		case strings.HasPrefix(v.Type().Name(), "Known["):
			if !v.MethodByName("Known").Call(nil)[0].Bool() {
				t.Errorf("%s is unknown", path)
			}
		case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[model.Host]().PkgPath():
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(path+"."+v.Type().Field(i).Name, v.Field(i))
				}
			}
		case v.Kind() == reflect.Array:
			for i := range v.Len() {
				walk(path+"["+model.Component(i).String()+"]", v.Index(i))
			}
		}
	}
	walk("Host", reflect.ValueOf(bare(h)))
}
