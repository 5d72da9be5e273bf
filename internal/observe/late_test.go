package observe

import (
	"errors"
	"slices"
	"testing"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
)

func TestLate(t *testing.T) {
	urls := []string{"https://192.0.2.1:2379"}
	o := &Observation{
		Facts: map[model.HostID]Facts{"early": {}, "whole": {Data: true}, "learns": {}, "unborn": {}, "dead": {Err: errors.New("no answer")},
			"stranger": {}},
		Etcd: EtcdView{Members: map[model.HostID]etcd.Member{"early": {ClientURLs: urls}, "whole": {ClientURLs: urls},
			"learns": {ClientURLs: urls, Learner: true}, "unborn": {}, "dead": {ClientURLs: urls}, "unseen": {ClientURLs: urls}}},
	}
	if got := o.late(); !slices.Equal(got, []model.HostID{"early"}) {
		t.Errorf("late are %v", got)
	}
}
