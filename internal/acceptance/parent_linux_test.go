// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// guardedApply is an apply below "ixtoken proxy equinix --", with a resource that is made and one that waits.
type guardedApply struct {
	*processFixture
	command  *exec.Cmd
	plugin   process
	terminal *os.File // the other side of the apply's terminal; nil: it has none
	said     syncBuffer
	read     chan struct{} // closed when the output has ended
	fifo     string        // a line that is written to it ends the wait
	url      string        // the file with the URL of the proxy
}

// newPTY returns the two sides of a new terminal.
func newPTY(t *testing.T) (outer, inner *os.File) {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals here: ", err)
	}
	t.Cleanup(func() { outer.Close() })
	if err := unix.IoctlSetPointerInt(int(outer.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(outer.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	return outer, inner
}

// startGuarded starts the apply and returns when the second resource waits. under is a program with its arguments that starts
// ixtoken; empty: it is started directly.
func startGuarded(t *testing.T, inTerminal bool, under ...string) *guardedApply {
	t.Helper()
	for _, needed := range []os.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(needed) { // as below nohup; the programs of the tests inherit it
			t.Skip("ignored here: ", needed)
		}
	}
	a := &guardedApply{processFixture: newProcessFixture(t, simulator.Options{}), read: make(chan struct{})}
	a.fifo, a.url = filepath.Join(a.notes, "fifo"), filepath.Join(a.notes, "url")
	started := filepath.Join(a.notes, "started")
	for _, pipe := range []string{a.fifo, started} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.configure(fmt.Sprintf(`ephemeral "cloudlx_access_token" "t" { provider = ixtoken }
resource "terraform_data" "made" {}
resource "terraform_data" "waits" {
  depends_on = [terraform_data.made]
  provisioner "local-exec" {
    command     = "echo $EQUINIX_API_URL >'%s'; echo >'%s'; read line <'%s'"
    environment = { AUTHORIZATION = ephemeral.cloudlx_access_token.t.authorization }
  }
}
`, a.url, started, a.fifo))
	a.command = a.Command(t.Context(), "apply", "-auto-approve", "-no-color")
	a.command.Args = append(append(under, provider(), "proxy", "equinix", "--", cliPath), a.command.Args[1:]...)
	a.command.Path = a.command.Args[0]
	a.launch(inTerminal)
	t.Cleanup(func() {
		_ = a.command.Process.Kill()
		_ = a.command.Wait()
		if pipe, err := os.OpenFile(a.fifo, os.O_RDWR, 0); err == nil { // ends the provisioner of a killed Terraform
			pipe.Close()
		}
	})
	waits, err := os.OpenFile(started, os.O_RDWR, 0) // also for writing, so that it does not block
	if err != nil {
		t.Fatal(err)
	}
	defer waits.Close()
	if err := waits.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := waits.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the apply has not come to its second resource: %v\n%s", err, a.said.String())
	}
	running := a.providers()
	if len(running) != 1 {
		t.Fatalf("%d providers run", len(running))
	}
	a.plugin = running[0]
	return a
}

// launch starts the command in a group of its own, as a shell does, or in a terminal of its own.
func (a *guardedApply) launch(inTerminal bool) {
	a.t.Helper()
	output, input, err := os.Pipe()
	if err != nil {
		a.t.Fatal(err)
	}
	a.command.Stdout, a.command.Stderr = input, input
	a.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if inTerminal {
		a.terminal, a.command.Stdin = newPTY(a.t)
		a.command.Stdout, a.command.Stderr = a.command.Stdin.(*os.File), a.command.Stdin.(*os.File)
		a.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		output.Close()
		output = a.terminal
	}
	if err := a.command.Start(); err != nil {
		a.t.Fatal(err)
	}
	input.Close()
	if inTerminal {
		a.command.Stdin.(*os.File).Close()
	}
	go func() {
		defer close(a.read)
		_, _ = output.WriteTo(&a.said) // a terminal ends with an error
	}()
}

// wantEnd waits for the end of the apply. After it, nothing that it has started is left, and nothing holds its output.
func (a *guardedApply) wantEnd() {
	a.t.Helper()
	_ = a.command.Wait()
	if !a.plugin.ended(endTimeout) {
		a.t.Error("the plugin is left")
	}
	select {
	case <-a.read:
	case <-time.After(2 * endTimeout):
		a.t.Error("something still holds the output")
	}
	if !stopsListening(address(a.t, a.url)) {
		a.t.Error("the proxy still listens")
	}
	for _, sign := range []string{"crashed", "did not respond", "Plugin error", "Two interrupts"} {
		if strings.Contains(a.said.String(), sign) {
			a.t.Errorf("the apply says %q:\n%s", sign, a.said.String())
		}
	}
}

// stopsListening reports whether the server at address has ended within the limit.
func stopsListening(address string) bool {
	for deadline := time.Now().Add(endTimeout); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return true
		}
		connection.Close()
	}
	return false
}

// wantState fails the test unless the state has the resource that was made before.
func (a *guardedApply) wantState() {
	a.t.Helper()
	state, err := os.ReadFile(filepath.Join(a.Dir, "terraform.tfstate"))
	if err != nil || !strings.Contains(string(state), `"made"`) {
		a.t.Errorf("the state was not written: %v\n%s", err, a.said.String())
	}
}

// inBoth runs a test with a terminal and without.
func inBoth(t *testing.T, test func(t *testing.T, inTerminal bool)) {
	t.Helper()
	t.Parallel()
	for name, inTerminal := range map[string]bool{"in a terminal": true, "without a terminal": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, inTerminal)
		})
	}
}

// "docker stop" and the first step of a cancelled job signal one process. Below the proxy that is Terraform, which then has its
// plugins: the signal ends these.
func TestASignalToTheProxysProcessReachesTerraformAlone(t *testing.T) {
	inBoth(t, func(t *testing.T, inTerminal bool) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(sig.String(), func(t *testing.T) {
				t.Parallel()
				a := startGuarded(t, inTerminal)
				signalled(t, a.command.Process.Signal(sig))
				a.wantEnd()
				a.wantState()
				if n := strings.Count(a.said.String(), "Interrupt received"); n != 1 {
					t.Errorf("Terraform has received %d signals:\n%s", n, a.said.String())
				}
			})
		}
	})
}

// Ctrl-C reaches the whole group: Terraform once, and the plugins.
func TestCtrlCReachesTerraformBelowTheProxyOnce(t *testing.T) {
	inBoth(t, func(t *testing.T, inTerminal bool) {
		a := startGuarded(t, inTerminal)
		if inTerminal {
			if _, err := a.terminal.WriteString("\x03"); err != nil {
				t.Fatal(err)
			}
		} else {
			signalled(t, syscall.Kill(-a.command.Process.Pid, syscall.SIGINT))
		}
		a.wantEnd()
		a.wantState()
		if n := strings.Count(a.said.String(), "Interrupt received"); n != 1 {
			t.Errorf("Terraform has received %d signals:\n%s", n, a.said.String())
		}
	})
}

// X05: what is killed or loses its terminal leaves nothing behind.
func TestNothingIsLeftBelowTheProxy(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*guardedApply) error{
		"killed": func(a *guardedApply) error { return a.command.Process.Kill() },
		"the group is killed": func(a *guardedApply) error {
			return syscall.Kill(-a.command.Process.Pid, syscall.SIGKILL)
		},
		"the terminal ends": func(a *guardedApply) error { return a.terminal.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startGuarded(t, strings.Contains(name, "terminal"))
			signalled(t, end(a))
			a.wantEnd()
		})
	}
}

// A signal that is ignored stays ignored, as with nohup.
func TestNohupKeepsTerraformBelowTheProxy(t *testing.T) {
	t.Parallel()
	a := startGuarded(t, true, "/bin/sh", "-c", `trap '' HUP; exec "$@"`, "sh")
	signalled(t, syscall.Kill(-a.command.Process.Pid, syscall.SIGHUP))
	a.release()
	a.wantEnd()
	a.wantState()
	if status := a.command.ProcessState.ExitCode(); status != 0 {
		t.Errorf("status %d:\n%s", status, a.said.String())
	}
}

// release ends the wait of the second resource.
func (a *guardedApply) release() {
	a.t.Helper()
	if err := os.WriteFile(a.fifo, []byte("\n"), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// Ctrl-Z stops the job, and bg and fg continue it, as without the proxy. The shell must see that the job has stopped.
func TestAShellStopsAndContinuesTerraformBelowTheProxy(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	script := `set -m; "$@"; echo STOPPED $?; bg; fg; echo ENDED $?`
	a := startGuarded(t, true, shell, "-c", script, "bash")
	if _, err := a.terminal.WriteString("\x1a"); err != nil {
		t.Fatal(err)
	}
	a.wantSaid("STOPPED 148")
	a.release()
	a.wantSaid("ENDED 0")
	a.wantEnd()
	a.wantState()
}

// wantSaid waits until the output has the text.
func (a *guardedApply) wantSaid(text string) {
	a.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(a.said.String(), text); {
		if time.Now().After(deadline) {
			a.t.Fatalf("the output does not say %q:\n%s", text, a.said.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}
