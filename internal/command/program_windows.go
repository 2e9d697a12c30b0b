// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// lookPath finds the program that the user means. It refuses a file that Windows cannot run, and an argument that would not
// arrive as it is.
func lookPath(args []string) (string, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return "", err
	}
	if isBatch(path) {
		return path, checkBatchArguments(args)
	}
	if advice := howToRun(args[0], path); advice != "" {
		return "", unsuitable(advice)
	}
	return path, nil
}

// interpreters has what to type before a script, by the end of its name.
var interpreters = map[string]string{
	".ps1": "powershell -File", ".sh": "sh", ".bash": "bash", ".py": "python", ".rb": "ruby", ".pl": "perl",
	".js": "node", ".vbs": "cscript //nologo", ".wsf": "cscript //nologo",
}

// howToRun returns what to type for a file that Windows cannot run by itself; "": it can. Windows runs files that end in .exe
// or .com, and files with the content of a program. PATHEXT may name more, which only a shell runs.
func howToRun(name, path string) string {
	ending := strings.ToLower(filepath.Ext(path))
	if ending == ".exe" || ending == ".com" || isProgram(path) {
		return ""
	}
	if interpreter := interpreters[ending]; interpreter != "" {
		return "Windows does not run the file by itself. Write: -- " + interpreter + " " + name
	}
	return "Windows does not run the file by itself. After \"--\", write the program that runs it, and then the file"
}

// isProgram reports whether a file begins as each program of Windows does.
func isProgram(path string) bool {
	file, err := os.Open(path) //nolint:gosec // the user's own program
	if err != nil {
		return true // Windows shall say why it does not run
	}
	defer func() { _ = file.Close() }() // only reads
	var start [2]byte
	_, err = io.ReadFull(file, start[:])
	return err == nil && string(start[:]) == "MZ"
}

// isBatch reports whether a file is a batch file, which cmd.exe runs.
func isBatch(path string) bool {
	ending := strings.ToLower(filepath.Ext(path))
	return ending == ".bat" || ending == ".cmd"
}

// checkBatchArguments refuses what cmd.exe replaces or ends also within quotation marks.
func checkBatchArguments(args []string) error {
	for _, arg := range args {
		if strings.ContainsAny(arg, "\"%\r\n") {
			return unsuitable("An argument of a batch file has a quotation mark, a percent sign or a line break, which cmd.exe would change. " +
				"Pass the value in a variable, or name the program that the batch file starts")
		}
	}
	return nil
}

// runBatch makes a command run a batch file. Each argument is in quotation marks, so that cmd.exe runs nothing behind an &.
func runBatch(program *exec.Cmd, path string, args []string) {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return // Windows finds cmd.exe by itself
	}
	program.Path = filepath.Join(dir, "cmd.exe")
	program.SysProcAttr = &syscall.SysProcAttr{CmdLine: batchLine(path, args)}
}

// batchLine returns the command line of cmd.exe for a batch file: no AutoRun (/d), %NAME% but not !NAME! (/v:off), and the
// whole line in further quotation marks, which /s removes.
func batchLine(path string, args []string) string {
	line := `cmd.exe /d /e:on /v:off /s /c ""` + path + `"`
	for _, arg := range args {
		line += ` "` + arg + `"`
	}
	return line + `"`
}

// endTogether makes a process and those that it starts end when this process is killed. After release, they may go on. If
// Windows refuses, nothing changes.
func endTogether(pid int) (release func()) {
	none := func() {}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid)) //nolint:gosec // an id of Windows
	if err != nil {
		return none
	}
	defer func() { _ = windows.CloseHandle(process) }() // it is only a handle
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return none
	}
	release = func() {
		_ = limit(job, 0) // if that fails, processes that the program has left behind end
		_ = windows.CloseHandle(job)
	}
	// Windows closes the handle of the job when this process ends, in whatever way. A program may take its own children out.
	if limit(job, windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE|windows.JOB_OBJECT_LIMIT_BREAKAWAY_OK) != nil ||
		windows.AssignProcessToJobObject(job, process) != nil {
		release()
		return none
	}
	return release
}

// limit sets the limits of a job.
func limit(job windows.Handle, flags uint32) error {
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = flags
	_, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))) //nolint:gosec // what the function takes
	return err
}
