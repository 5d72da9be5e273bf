package observe

import (
	"slices"
	"strings"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// enteredSANs says whether kubeadm's configuration has the names of the file. One
// that a certificate has already, and that configuration not, is as it was found.
func (o *Observation) enteredSANs(g *goal.Goal) model.Known[model.Installed] {
	cc, err := kubeadm.Read(o.API.kubeadm)
	if err != nil {
		return model.Unknown[model.Installed](err.Error())
	}
	var lacks []string
	for _, san := range g.File.Spec.CertSANs {
		if !slices.Contains(cc.APIServer.CertSANs, san) && !o.certified(g, san) {
			lacks = append(lacks, san)
		}
	}
	if len(lacks) > 0 {
		return model.Is(model.Installed{Digest: "lacks " + strings.Join(lacks, ", "), Valid: true})
	}
	return model.Valid(workload.AsFound)
}

// certified says that the certificates of all API servers that were found have a name.
func (o *Observation) certified(g *goal.Goal, san string) bool {
	for id, h := range g.Hosts {
		if !h.Found || !h.Node.ControlPlane || o.Facts[id].Err != nil {
			continue
		}
		c, err := pki.AsFound(pki.Cert{}, o.Facts[id].Files[g.Layout.PKI.Leaf(pki.APIServer).Cert])
		if err != nil || !slices.Contains(c.DNS, strings.ToLower(san)) && !slices.Contains(c.IPs, san) {
			return false
		}
	}
	return true
}
