package cli

import (
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/kubeapi"
)

// JSON documents of commands whose report is not a value of another package.
// docs/json.md describes them all.
type (
	// fileDoc is a file that was written or checked.
	fileDoc struct {
		Path     string   `json:"path"`
		Cluster  string   `json:"cluster"`
		Hosts    int      `json:"hosts"`
		Warnings []string `json:"warnings"`
	}
	kubeconfigDoc struct {
		Path       string `json:"path,omitempty"`
		KeptAt     string `json:"keptAt,omitempty"` // the file that was there before
		Kubeconfig string `json:"kubeconfig,omitempty"`
	}
	tokenDoc struct {
		ID             string    `json:"id"`
		Token          string    `json:"token"`
		Expires        time.Time `json:"expires"`
		Endpoint       string    `json:"endpoint"`
		DiscoveryHash  string    `json:"discoveryHash"`
		Join           string    `json:"joinCommand,omitempty"` // flavour kubeadm
		CertificateKey string    `json:"certificateKey,omitempty"`
		Copy           []copyDoc `json:"copyFirst"`
	}
	// copyDoc is a file that a control plane needs before it joins by hand.
	copyDoc struct {
		Path string `json:"path"`
		From string `json:"from"` // a host that has it
	}
	tokensDoc struct {
		Tokens []kubeapi.Token `json:"tokens"`
	}
	tokenDeletedDoc struct {
		ID string `json:"id"`
	}
	forgottenDoc struct {
		Host    string `json:"host"`
		Address string `json:"address"`
		Remains string `json:"remains"`
	}
	artifactDoc struct {
		Component string `json:"component,omitempty"`
		Version   string `json:"version,omitempty"`
		Arch      string `json:"arch,omitempty"`
		Source    string `json:"source,omitempty"`
		Name      string `json:"name"`
		Path      string `json:"path"`
		Bytes     int64  `json:"sizeBytes"`
		SHA256    string `json:"sha256"`
		Present   bool   `json:"present"`
	}
	artifactsDoc struct {
		Files []artifactDoc `json:"files"`
	}
	bundleDoc struct {
		Path  string `json:"path"`
		Files int    `json:"files"`
	}
	verificationDoc struct {
		Checked int         `json:"checkedFiles"`
		Damaged []damageDoc `json:"damaged"`
	}
	damageDoc struct {
		Path string `json:"path"`
		Why  string `json:"why"`
	}
	labHostDoc struct {
		Lab      string `json:"lab"`
		Host     string `json:"host"`
		Address  string `json:"address"`
		Role     string `json:"role"`
		Running  bool   `json:"running"`
		Cut      bool   `json:"cut"`
		CutPorts []int  `json:"cutPorts"`
	}
	labsDoc struct {
		Hosts  []labHostDoc `json:"hosts"`
		Broken []string     `json:"broken"` // labs that only `lab clean` can deal with
	}
	cleanedDoc struct {
		Removed []string `json:"removed"`
	}
	labDoc struct {
		Name string `json:"name"`
		File string `json:"file"`
	}
)

func artifactOf(f artifact.File) artifactDoc {
	return artifactDoc{Name: f.Name, Path: f.Path, Bytes: f.Size, SHA256: f.SHA256, Present: true}
}

// reportsDone gives --output to a command that prints nothing: its document only
// says that it has ended well.
func reportsDone(cmd *cobra.Command) *cobra.Command {
	f := new(form)
	f.flags(cmd, "")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil || !f.json() {
			return err
		}
		return emit(cmd, "done", struct{}{})
	}
	return cmd
}
