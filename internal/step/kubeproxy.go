package step

var kubeProxy = traits{group: nodeAgents, ready: Run.nodeReady}
