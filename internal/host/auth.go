package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"quorate.dev/quorate/internal/localfile"
)

// maxKeyFile is the size of the largest private key that is read, in bytes.
const maxKeyFile = 256 << 10

// maxKeys is how many keys are offered: sshd hangs up after six tries.
const maxKeys = 5

// credentials are the ways to log in, in the order sshd shall be offered them.
// The closer ends the talk with the agent, after the login.
func credentials(c Config) ([]ssh.AuthMethod, io.Closer, error) {
	agentKeys, closer := askAgent()
	signers, err := keys(c, agentKeys)
	if err != nil {
		closer.Close()
		return nil, nil, Errorf(c.Name, "%w", err)
	}
	var methods []ssh.AuthMethod
	if len(signers) > 0 {
		methods = append(methods, ssh.PublicKeys(signers[:min(len(signers), maxKeys)]...))
	}
	if c.PasswordFile != "" {
		pw, err := readSecret(c.PasswordFile)
		if err != nil {
			closer.Close()
			return nil, nil, Errorf(c.Name, "read %s: %w", c.passwordKey(), err)
		}
		methods = append(methods, ssh.Password(pw), ssh.KeyboardInteractive(answerAll(pw)))
	}
	if len(methods) == 0 {
		closer.Close()
		return nil, nil, Errorf(c.Name, "no key to log in with: set ssh.keyFile, or start an agent and run ssh-add; or set %s", c.passwordKey())
	}
	return methods, closer, nil
}

// keys puts the key that was named first, so that a full agent does not use up
// the tries before it.
func keys(c Config, fromAgent []ssh.Signer) ([]ssh.Signer, error) {
	var signers []ssh.Signer
	if c.KeyFile != "" {
		s, err := keyFile(c.KeyFile, fromAgent)
		if err != nil && c.PasswordFile == "" {
			return nil, err
		}
		if err == nil {
			signers = append(signers, s)
		}
	}
	for _, s := range fromAgent {
		if len(signers) == 0 || !sameKey(s, signers[0]) {
			signers = append(signers, s)
		}
	}
	if c.KeyFile == "" {
		for _, name := range []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"} {
			if s, err := keyFile(name, nil); err == nil {
				signers = append(signers, s)
			}
		}
	}
	return signers, nil
}

// keyFile reads a private key; an encrypted one is taken from the agent.
func keyFile(name string, fromAgent []ssh.Signer) (ssh.Signer, error) {
	p, err := expand(name)
	if err != nil {
		return nil, err
	}
	b, err := localfile.Read(p, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ssh.keyFile: %w: name another, or make one with ssh-keygen", err)
	}
	if err != nil {
		return nil, fmt.Errorf("ssh.keyFile: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(b)
	if err == nil {
		return signer, nil
	}
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return nil, fmt.Errorf("ssh.keyFile %s: %w", p, err)
	}
	for _, s := range fromAgent {
		if locked.PublicKey != nil && string(s.PublicKey().Marshal()) == string(locked.PublicKey.Marshal()) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("ssh.keyFile %s is encrypted and your agent does not hold it: run ssh-add %s", p, quote(p))
}

func sameKey(a, b ssh.Signer) bool {
	return string(a.PublicKey().Marshal()) == string(b.PublicKey().Marshal())
}

// askAgent returns the agent's keys; without an agent there are none.
func askAgent() ([]ssh.Signer, io.Closer) {
	sock := os.Getenv("SSH_AUTH_SOCK")
	if sock == "" {
		return nil, io.NopCloser(nil)
	}
	c, err := net.Dial("unix", sock)
	if err != nil {
		return nil, io.NopCloser(nil)
	}
	signers, err := agent.NewClient(c).Signers()
	if err != nil {
		return nil, c
	}
	return signers, c
}

// answerAll answers each hidden question of keyboard-interactive with the
// password.
func answerAll(pw string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range questions {
			if !echos[i] {
				answers[i] = pw
			}
		}
		return answers, nil
	}
}
