package component

import (
	"fmt"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// containerdConfig is version 3 of containerd's configuration (containerd
// docs/cri/config.md, 2.x). What is not said stays as containerd has it.
// Disabled are snapshotters that a build of ours lacks and tracing, which would
// only log their absence.
const containerdConfig = `# Written by quorate; changes are overwritten.
version = 3
root = '%[6]s'
state = '%[7]s'
disabled_plugins = [
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.erofs',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.internal.v1.tracing',
]

[grpc]
  address = '%[1]s'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '%[2]s'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE a negative score cannot be set, and no pod starts.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['%[3]s']
    conf_dir = '%[4]s'
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = '%[5]s/runc'
        SystemdCgroup = true
`

// Containerd is the container runtime of every node. Containers outlive a
// restart of it (KillMode=process; its shims are children of no one).
func Containerd(ctx Context) (workload.Service, error) {
	if ctx.ImagePause == "" {
		return workload.Service{}, fmt.Errorf("containerd of %s: no pause image is known; this is a defect of quorate", ctx.Self.Name)
	}
	at, l := ctx.Layout.Containerd, ctx.Layout
	config := fmt.Sprintf(containerdConfig, at.Socket, ctx.ImagePause, l.CNI.Bin, l.CNI.Conf, l.Bin, at.Root, at.State)
	s := workload.UnitService(l.Unit(model.Containerd), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "containerd container runtime",
		Docs:        "https://containerd.io",
		Exec:        l.Program("containerd") + " --config=" + at.Config,
		Service: []string{
			"Type=notify",
			// The shim and runc are found by the path.
			"Environment=PATH=" + l.Bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"ExecStartPre=-/sbin/modprobe overlay",
			"Delegate=yes",
			"KillMode=process",
			"LimitNOFILE=1048576",
			"LimitNPROC=infinity",
			"LimitCORE=infinity",
			"TasksMax=infinity",
		},
	}, nil, workload.File{File: host.File{Path: at.Config, Content: []byte(config)}})
	s.Verify = append(s.Verify, []string{l.Program("containerd"), "--config", "{}" + at.Config, "config", "dump"})
	return s, nil
}
