// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build linux

package acceptance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// endTimeout is the time limit for the provider to end after the CLI has ended, or after a signal.
const endTimeout = 5 * time.Second

// processFixture is a leakFixture in which a script starts the providers. The script records their process ids and their
// standard error.
type processFixture struct {
	*leakFixture
	notes string // the script's directory for its records, in root
}

func newProcessFixture(t *testing.T, options simulator.Options, exports ...string) *processFixture {
	t.Helper()
	s := newLeakFixture(t, options)
	w := &processFixture{s, filepath.Join(s.root(), "notes")}
	starters := filepath.Join(s.root(), "starters")
	for _, dir := range []string{w.notes, starters} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf("#!/bin/sh\n%s\necho $$ >>'%s/pids'\nexec '%s' \"$@\" 2>>'%s/stderr'\n",
		strings.Join(exports, "\n"), w.notes, provider(), w.notes)
	if err := os.WriteFile(filepath.Join(starters, filepath.Base(provider())), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	workspace, err := terraform.Open(s.root(), cliPath, starters)
	if err != nil {
		t.Fatal(err)
	}
	workspace.Env = s.Env
	s.Workspace = workspace
	return w
}

// stderrOfProviders returns the standard error of all providers.
func (w *processFixture) stderrOfProviders() string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.notes, "stderr"))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// process is a running process. Its handle stays valid even if another process gets the same id.
type process struct {
	*os.File
	pid int
}

// providers returns the providers that are running.
func (w *processFixture) providers() []process {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.notes, "pids"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	var running []process
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			continue // the script is writing it
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // has ended
		}
		p := process{os.NewFile(uintptr(fd), "process "+line), pid}
		if p.ended(0) {
			p.Close()
			continue
		}
		w.t.Cleanup(func() { p.Close() })
		running = append(running, p)
	}
	return running
}

// signal sends a signal. If the process has ended, it does nothing.
func (p process) signal(sig syscall.Signal) error {
	err := unix.PidfdSendSignal(int(p.Fd()), sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// ended reports whether the process ends within limit.
func (p process) ended(limit time.Duration) bool {
	for deadline := time.Now().Add(limit); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.Fd()), Events: unix.POLLIN}}, int(max(0, time.Until(deadline))/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// pendingRun is a run whose token request waits for an answer.
type pendingRun struct {
	*processFixture
	cli            *os.Process
	provider       process
	stdout, stderr bytes.Buffer  // read them only after the run has ended
	ended          chan struct{} // closed when the run has ended
}

// startPending starts a plan, and returns when its token request has arrived at CloudLX, which does not answer. under is a
// program with its arguments that starts the CLI; empty: the CLI is started directly.
func (w *processFixture) startPending(under ...string) *pendingRun {
	w.t.Helper()
	arrived := make(chan struct{}, 1)
	w.CloudLX.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	w.configure(`ephemeral "cloudlx_access_token" "t" { provider = ixtoken }`)
	h := &pendingRun{processFixture: w, ended: make(chan struct{})}
	command := w.Command(w.t.Context(), "plan", "-no-color")
	if len(under) > 0 {
		command.Path, command.Args = under[0], slices.Concat(under, []string{cliPath}, command.Args[1:])
	}
	command.Stdout, command.Stderr = &h.stdout, &h.stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a process group, as a shell makes for a job
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	h.cli = command.Process
	go func() {
		defer close(h.ended)
		_ = command.Wait()
	}()
	w.t.Cleanup(func() {
		_ = h.cli.Kill()
		<-h.ended
	})
	select {
	case <-arrived:
	case <-h.ended:
		w.t.Fatalf("the run has ended early:\n%s%s", h.stdout.String(), h.stderr.String())
	}
	running := w.providers()
	if len(running) != 1 {
		w.t.Fatalf("%d providers run", len(running))
	}
	h.provider = running[0]
	return h
}

// wantEnd waits for the end of the provider and of the CLI, and keeps the CLI's output.
func (h *pendingRun) wantEnd() {
	h.t.Helper()
	if !h.provider.ended(endTimeout) {
		h.t.Errorf("the provider has not ended within %s", endTimeout)
		signalled(h.t, h.provider.signal(syscall.SIGKILL))
	}
	<-h.ended
	h.keep("the held plan", h.stdout.String(), h.stderr.String())
}

func signalled(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

// X04
func TestTheProviderEndsOnSignals(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(*pendingRun) error{
		"terminated": func(h *pendingRun) error { return h.provider.signal(syscall.SIGTERM) },
		"interrupted twice": func(h *pendingRun) error {
			return errors.Join(h.provider.signal(syscall.SIGINT), h.provider.signal(syscall.SIGINT))
		},
		"everything interrupted twice": func(h *pendingRun) error {
			return errors.Join(syscall.Kill(-h.cli.Pid, syscall.SIGINT), syscall.Kill(-h.cli.Pid, syscall.SIGINT))
		},
		"everything terminated": func(h *pendingRun) error { return syscall.Kill(-h.cli.Pid, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newProcessFixture(t, simulator.Options{}).startPending()
			signalled(t, send(h))
			h.wantEnd()
			h.wantRequests(0, 0, 1)
			h.wantNoLeak()
		})
	}
}

// X05
func TestTheProviderEndsWithTheCLI(t *testing.T) {
	t.Parallel()
	h := newProcessFixture(t, simulator.Options{}).startPending()
	signalled(t, h.cli.Kill())
	h.wantEnd()
	h.wantNoLeak()
}

// X06
func TestAKilledProviderFailsOneRun(t *testing.T) {
	t.Parallel()
	h := newProcessFixture(t, simulator.Options{}).startPending()
	signalled(t, h.provider.signal(syscall.SIGKILL))
	h.wantEnd()
	if !strings.Contains(h.stderr.String(), "Error: ") {
		t.Errorf("the CLI does not report the failure:\n%s", h.stderr.String())
	}
	h.CloudLX.Intercept(nil)
	h.must("plan")
	h.wantNoLeak()
}

// H08: on these signals, Go prints all stacks, and the system would write a core dump.
func TestACrashLeavesNoCoreDumpAndNoSecret(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			w := newProcessFixture(t, simulator.Options{})
			w.setenv("GOTRACEBACK", "crash")
			h := w.startPending("/bin/sh", "-c", `ulimit -c "$(ulimit -H -c)" && exec "$@"`, "sh")
			limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", h.provider.pid))
			if err != nil || !noCore.Match(limits) {
				t.Errorf("core dumps are not forbidden: error %v\n%s", err, limits)
			}
			signalled(t, h.provider.signal(sig))
			h.wantEnd()
			if trace := w.stderrOfProviders(); !strings.Contains(trace, "goroutine 1 ") {
				t.Errorf("no stacks were printed:\n%s", trace)
			}
			for _, dir := range []string{h.root(), h.temporary} {
				wantNoFile(t, dir, "core")
			}
			h.wantNoLeak()
		})
	}
}

var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +`)

// wantNoFile fails the test if dir has a file whose name starts with prefix.
func wantNoFile(t *testing.T, dir, prefix string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
			t.Errorf("there is %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// H09
func TestNoProcessShowsASecretOrHasMoreThanItWasGiven(t *testing.T) {
	t.Parallel()
	h := newProcessFixture(t, simulator.Options{}).startPending()
	scanner := leak.New(h.knownSecrets())
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d processes, error %v", len(all), err)
	}
	for _, path := range all {
		arguments, err := os.ReadFile(path)
		if err != nil {
			continue // has ended
		}
		for _, hit := range scanner.Text(path, arguments) {
			t.Error(hit)
		}
	}
	t.Logf("%d processes", len(all))

	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", h.provider.pid))
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("the environment of a process that is not dumpable cannot be read here")
	}
	given := map[string]bool{"PWD": true, "OLDPWD": true, "SHLVL": true, "_": true} // set by the shell that runs the script
	for _, variable := range h.Command(t.Context()).Env {
		name, _, _ := strings.Cut(variable, "=")
		given[name] = true
	}
	for variable := range strings.SplitSeq(strings.Trim(string(environment), "\x00"), "\x00") {
		name, _, _ := strings.Cut(variable, "=")
		if !given[name] && !strings.HasPrefix(name, "PLUGIN_") && name != "TF_PLUGIN_MAGIC_COOKIE" { // these are set by the CLI
			t.Errorf("the provider has the variable %s, which nobody has set", name)
		}
	}
	if len(environment) == 0 || err != nil {
		t.Errorf("environment of %d bytes, error %v", len(environment), err)
	}
}

// H05: with this variable, the HTTP/2 transport logs the whole plugin protocol. The provider's side must not. The CLI's side
// does, but not to the log of TF_LOG_PROVIDER.
func TestHTTP2DebuggingShowsNoSecret(t *testing.T) {
	t.Parallel()
	w := newProcessFixture(t, simulator.Options{TLS: true})
	w.setenv("TF_VAR_ca_cert_pem", w.CAPEM)
	w.setenv("GODEBUG", "http2debug=2")
	w.setenv("TF_LOG_PROVIDER", "TRACE")
	w.configure(everyGrant)
	w.must("apply -auto-approve")
	wrote := w.stderrOfProviders()
	if len(wrote) == 0 || strings.Contains(wrote, "http2") {
		t.Errorf("the providers have written %d bytes, or what they carried", len(wrote))
	}
	w.wantNoLeak()
}

// H22: variables that ask for TLS keys or traces have no effect: none are written or sent.
func TestOtherDebuggingHasNoEffect(t *testing.T) {
	t.Parallel()
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{})
	go func() {
		if connection, err := collector.Accept(); err == nil {
			connection.Close()
			close(called)
		}
	}()
	keys := filepath.Join(t.TempDir(), "keys")
	w := newProcessFixture(t, simulator.Options{TLS: true}, // set only for the provider, because the CLI itself sends traces
		"export SSLKEYLOGFILE='"+keys+"'",
		"export OTEL_TRACES_EXPORTER=otlp OTEL_METRICS_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp OTEL_EXPORTER_OTLP_INSECURE=true",
		"export OTEL_EXPORTER_OTLP_ENDPOINT='http://"+collector.Addr().String()+"'",
		"export GRPC_GO_LOG_SEVERITY_LEVEL=info GRPC_GO_LOG_VERBOSITY_LEVEL=99 GRPC_TRACE=all")
	w.setenv("TF_VAR_ca_cert_pem", w.CAPEM)
	w.trace("TF_LOG")
	w.configure(everyGrant)
	w.must("apply -auto-approve")
	if _, err := os.Lstat(keys); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there are TLS keys: %v", err)
	}
	collector.Close()
	select {
	case <-called:
		t.Error("the provider has called the collector of traces")
	default:
	}
	w.wantNoLeak()
}

// H17
func TestAProviderKilledAtAnyMomentLeavesNoSecret(t *testing.T) {
	t.Parallel()
	kills := 10
	if os.Getenv("IXTOKEN_SOAK") != "" {
		kills = 300
	}
	w := newProcessFixture(t, simulator.Options{})
	w.setenv("IXTOKEN_CACHE_DIR", filepath.Join(w.root(), "cache"))
	w.CloudLX.SetLifetime(10*time.Second, time.Hour) // less than min_validity, and shared for a second: every run asks and stores again
	w.configure(`ephemeral "interxion_access_token" "t" { provider = ixtoken }
ephemeral "equinix_access_token" "t" { provider = ixtoken }
ephemeral "cloudlx_access_token" "t" { provider = ixtoken }
ephemeral "cloudlx_access_token" "refreshed" {
  provider               = ixtoken
  previous_refresh_token = ephemeral.cloudlx_access_token.t.refresh_token
}
`)
	began := time.Now()
	w.must("plan")
	usual := time.Since(began)
	struck := 0
	for i := range kills {
		temporary := filepath.Join(w.temporary, strconv.Itoa(i)) // one per run, so that no later run removes its files
		if err := os.Mkdir(temporary, 0o700); err != nil {
			t.Fatal(err)
		}
		w.setenv("TMPDIR", temporary)
		command := w.Command(t.Context(), "plan", "-no-color")
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(rand.N(usual))
		for _, p := range w.providers() {
			signalled(t, p.signal(syscall.SIGKILL))
			struck++
		}
		if err := command.Wait(); command.ProcessState.ExitCode() > 1 {
			t.Errorf("the CLI ended with %v", err)
		}
		w.keep("the plan whose provider was killed", stdout.String(), stderr.String())
	}
	t.Logf("%d providers killed in %d runs", struck, kills)
	if struck == 0 {
		t.Error("no provider was killed")
	}
	w.must("plan")
	w.wantNoLeak()
}

// started starts the provider as a CLI does, and returns when it serves. If possible, the provider runs as an unprivileged
// user.
func started(t *testing.T) (*exec.Cmd, *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "p") //nolint:usetesting // other users cannot read the directory of a test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, filepath.Base(provider()))
	if err := errors.Join(os.Chmod(dir, 0o777), copyFile(path, provider())); err != nil {
		t.Fatal(err)
	}
	user := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		user.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	command := exec.CommandContext(t.Context(), path)
	command.Dir, command.SysProcAttr = dir, user
	command.Env = []string{"TMPDIR=" + dir, "TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2", "PLUGIN_PROTOCOL_VERSIONS=6"}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Skip("a process of another user cannot be started here: ", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || !strings.HasPrefix(line, "1|6|unix|") {
		t.Fatalf("the provider says %q, error %v", line, err)
	}
	return command, user
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}

// H18: another process of the same user cannot read the provider's memory.
func TestTheMemoryCannotBeReadByTheSameUser(t *testing.T) {
	t.Parallel()
	provider, user := started(t)
	read := func(pid int) error { // reads the environment: the same permission applies as for the memory
		command := exec.CommandContext(t.Context(), "cat", fmt.Sprintf("/proc/%d/environ", pid))
		command.SysProcAttr = user
		return command.Run()
	}
	other := exec.CommandContext(t.Context(), "cat")
	other.SysProcAttr = user
	input, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		input.Close()
		_ = other.Wait()
	}()
	if err := read(other.Process.Pid); err != nil {
		t.Skip("no process can be read by another one here: ", err)
	}
	if read(provider.Process.Pid) == nil {
		t.Error("the memory can be read")
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", provider.Process.Pid))
	if err != nil || !noCore.Match(limits) {
		t.Errorf("core dumps are not forbidden: error %v\n%s", err, limits)
	}
}

// Without a CLI, the binary prints help, a version or an error, and ends.
func TestStartedByHandTheProviderSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"", 0, "Terraform and OpenTofu start the same program as the provider", ""},
		{"-version", 0, "terraform-provider-ixtoken ", ""},
		{"-help", 0, "Commands:\n  token", ""},
		{"-h", 0, "Commands:\n  token", ""},
		{"-nonsense", 2, "", "Unknown flag"},
	} {
		command := exec.CommandContext(t.Context(), provider(), strings.Fields(test.args)...)
		command.Env = []string{"TF_LOG_SDK_PROTO_DATA_DIR=" + t.TempDir()}
		var stdout, stderr strings.Builder
		command.Stdout, command.Stderr = &stdout, &stderr
		err := command.Run()
		if command.ProcessState.ExitCode() != test.status {
			t.Errorf("%q: %v", test.args, err)
		}
		for _, said := range []struct{ got, want string }{{stdout.String(), test.stdout}, {stderr.String(), test.stderr}} {
			if !strings.Contains(said.got, said.want) || said.want == "" && said.got != "" {
				t.Errorf("%q says %q, want %q", test.args, said.got, said.want)
			}
		}
	}
}

var reattach = regexp.MustCompile(`TF_REATTACH_PROVIDERS='([^']+)'`)

// A provider that runs under a debugger (-debug) serves a CLI with TF_REATTACH_PROVIDERS, and ends on Ctrl-C. It writes no
// messages to disk either (H04).
func TestADebuggedProviderServesTheCLI(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(interxionBlock)
	debugged := exec.CommandContext(t.Context(), provider(), "-debug")
	dumps := t.TempDir()
	debugged.Env = append(append(os.Environ(), s.Env...), "TF_LOG_SDK_PROTO_DATA_DIR="+dumps)
	output, err := debugged.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := debugged.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if found := reattach.FindStringSubmatch(lines.Text()); found != nil {
			s.setenv("TF_REATTACH_PROVIDERS", found[1])
			break
		}
	}
	s.setenv("TF_CLI_CONFIG_FILE", filepath.Join(t.TempDir(), "none.tfrc")) // so that the CLI finds the provider only there
	if plan := s.must("plan"); !strings.Contains(plan.Stdout, "TF_LOG_SDK_PROTO_DATA_DIR was ignored") {
		t.Errorf("no warning: %s", plan.Stdout)
	}
	if files, err := os.ReadDir(dumps); err != nil || len(files) > 0 {
		t.Errorf("%d files with messages, error %v", len(files), err)
	}
	s.wantRequests(1, 0, 0)
	if err := debugged.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := debugged.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// X06: the proxies of a provider that is killed end with it, and the run ends.
func TestAKilledProviderTakesItsProxiesWithIt(t *testing.T) {
	t.Parallel()
	w := newProcessFixture(t, simulator.Options{})
	file := filepath.Join(t.TempDir(), "url")
	arrived := make(chan struct{}, 1)
	w.Equinix.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/fabric/") {
			return false
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	w.configure(everyProxy(w.fixture) + consumer(w.Equinix, "one", `echo "$PROXY" >'`+file+`'; exec curl -s "$PROXY$API"`))
	run := w.Command(t.Context(), "apply", "-auto-approve", "-no-color")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	killed := time.Now()
	for _, p := range w.providers() {
		signalled(t, p.signal(syscall.SIGKILL))
	}
	if err := run.Wait(); err == nil {
		t.Error("the run succeeded")
	}
	if took := time.Since(killed); took > endTimeout {
		t.Errorf("the run ended %s later", took)
	}
	wantGone(t, address(t, file))
}
