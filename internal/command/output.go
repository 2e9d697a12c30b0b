// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// outputModes are the modes that a file with a token may have. Nobody but its owner may write to it, because others would
// choose the token.
var outputModes = []string{"0600", "0640", "0644"}

// outputFile is a file that holds a result. It is replaced as a whole: a reader finds the old result or the new one.
type outputFile struct {
	flag string // the flag that names it, for messages
	path string
	mode fs.FileMode // only for a file that others have to read; on Windows it has no meaning
}

func addOutput(set *pflag.FlagSet, path, mode *string) {
	set.StringVar(path, "output", "", "Write the result to `FILE`, whole or not at all, instead of standard output.")
	set.StringVar(mode, "output-mode", outputModes[0], "The `MODE` of the file: 0600, 0640 for its group, 0644 for everybody. Default: 0600. Windows has no such modes.")
	set.Lookup("output-mode").DefValue = "" // the text names it
}

// modeNamed returns one of outputModes as a number.
func modeNamed(name string) fs.FileMode {
	mode, _ := strconv.ParseUint(name, 8, 32) // it was checked
	return fs.FileMode(mode)
}

// newOutputFile checks that the file can be written, so that a mistake is found before anything is sent.
func newOutputFile(cmd *cobra.Command, flag, path, mode string) (*outputFile, error) {
	if !slices.Contains(outputModes, mode) {
		return nil, usageError(cmd, "Unknown --"+flag+"-mode. Choose one of: "+strings.Join(outputModes, ", "))
	}
	file := &outputFile{flag, path, modeNamed(mode)}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, newFailure(statusUsage, sectionResult, "--"+flag+" does not name a file", "A directory, a pipe or a device cannot be replaced. Nothing was sent.")
	}
	probe, err := file.temporary()
	if err != nil {
		return nil, newFailure(statusUsage, sectionResult, "--"+flag+": the file cannot be written", "Its directory: "+cause(err)+". Nothing was sent.")
	}
	return file, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// target returns the path of the file itself if the path is a link, so that the link stays.
func (o *outputFile) target() string {
	if path, err := filepath.EvalSymlinks(o.path); err == nil {
		return path
	}
	return o.path
}

// temporary creates an empty file beside the file, which only its owner can read.
func (o *outputFile) temporary() (*os.File, error) {
	path := o.target()
	return os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
}

// write replaces the content. After an error, the file is as it was.
func (o *outputFile) write(content string) error {
	file, err := o.temporary()
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	err = errors.Join(err, file.Chmod(o.mode), file.Sync(), file.Close())
	if err == nil {
		err = replaceFile(file.Name(), o.target())
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// remove removes the file. It is no error if there is none.
func (o *outputFile) remove() error {
	if err := os.Remove(o.target()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// notWritten is the error of a result that is not in the file.
func (o *outputFile) notWritten(err error) error {
	return newFailure(statusFailed, sectionResult, "The result could not be written", "--"+o.flag+": "+cause(err)+". The file is as it was.")
}
