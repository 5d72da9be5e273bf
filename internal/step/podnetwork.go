package step

var podNetwork = traits{group: foundation, uncertified: true}
