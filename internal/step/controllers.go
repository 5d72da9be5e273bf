package step

import (
	"errors"

	"quorate.dev/quorate/internal/model"
)

var (
	controllerManager = traits{group: controllers, ready: Run.besideAPI}
	scheduler         = traits{group: controllers, ready: Run.besideAPI}
)

// besideAPI: both ask the API server of their own host, and no other.
func (s Run) besideAPI(_ model.Cluster, h model.Host) error {
	if !h.Ready.Is(true) || !h.Runs(model.APIServer) {
		return errors.New("its API server is not ready yet")
	}
	return nil
}
