// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// The exit statuses. Pipelines rely on them.
const (
	statusOK          = 0
	statusFailed      = 1 // any other failure
	statusUsage       = 2 // a mistake in the usage or the settings; nothing was sent
	statusRejected    = 3 // a permanent failure, such as rejected credentials; a retry does not help
	statusTemporary   = 4 // a temporary failure; a later retry may help
	statusShortLived  = 5 // with --strict: the token may be valid for less than --min-validity
	statusInterrupted = 130
)

// failure is the error of a command: its exit status, and the messages to print.
type failure struct {
	status   int
	messages []platforms.Message
}

// Error returns the summary of the first message; empty: there is no message to print.
func (f *failure) Error() string {
	if len(f.messages) == 0 {
		return ""
	}
	return f.messages[0].Summary
}

// The headings of the troubleshooting guide's sections on messages that only the command line prints.
const (
	sectionUsage   = "The command is not understood"
	sectionSecrets = "Secrets are not taken from arguments"
	sectionFiles   = "A file cannot be read"
	sectionResult  = "The result could not be written"
	sectionStrict  = "The token was not handed out"
	sectionCache   = "The token cache cannot be used"
	sectionWatch   = "The file has no new token yet"
	sectionPort    = "no port to listen on"
	sectionStart   = "The program could not be started"

	sectionInternal = "Internal fault"
)

// newFailure returns a failure with one message, which links to a section of the guide.
func newFailure(status int, section, summary, detail string) error {
	return &failure{status, []platforms.Message{{Summary: summary, Detail: detail + platforms.More(section)}}}
}

// statusOf returns the exit status for an error of the client.
func statusOf(err error) int {
	found := (*clients.Error)(nil)
	switch {
	case !errors.As(err, &found) || found.Kind == clients.Internal:
		return statusFailed
	case found.Kind == clients.Cancelled:
		return statusInterrupted
	case wrongSettings(found):
		return statusUsage
	case found.Temporary():
		return statusTemporary
	default:
		return statusRejected
	}
}

// wrongSettings reports whether nothing was sent because of the settings. An identity token that has expired is no wrong
// setting if a later one may come from the same source.
func wrongSettings(found *clients.Error) bool {
	expired := found.Identity != "" && found.Temporary()
	return found.Unsent() && !expired
}

// cause returns the text of a file system error without the path.
func cause(err error) string {
	if errors.As(err, new(syscall.Errno)) {
		return printable.WithoutPath(err).Error()
	}
	for _, known := range []error{fs.ErrNotExist, fs.ErrPermission, os.ErrClosed} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the operation failed"
}
