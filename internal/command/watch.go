// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
)

const (
	// pauseAfterFailure is the pause after a failure that may pass, or after which nothing was sent.
	pauseAfterFailure = time.Minute
	// pauseAfterRejection is the pause after a rejection. Platforms lock accounts after a few failed logins; one in an
	// hour is what a person would do.
	pauseAfterRejection = time.Hour
	// sourceInterval is how often the files with the secrets are read after a rejection.
	sourceInterval = 10 * time.Second
	// clockInterval is the longest sleep. The monotonic clock may stand still while a machine sleeps, so the wall clock is
	// read again after it.
	clockInterval = 30 * time.Second
	// leastInterval is the least time between two requests, however short the tokens are.
	leastInterval = time.Second
	// unknownLifetime is when a token whose lifetime is not known is replaced, and when a file is removed that an earlier
	// process has left.
	unknownLifetime = time.Hour
)

// watch keeps a file with a token fresh. It does not end on an error: a supervisor would start it again, and that would be
// the next failed login.
type watch struct {
	minValidity time.Duration
	// obtain returns a token that is valid for at least the given time, if the platform grants that.
	obtain func(ctx context.Context, least time.Duration) (obtained, error)
	// askAgain reads the settings anew, and allows that a rejected request is sent once more.
	askAgain func(context.Context)
	// sources returns a digest of the files that hold the secrets.
	sources func() [sha256.Size]byte
	// write replaces the file, and remove removes it.
	write  func(clients.Token) error
	remove func() error
	// failed and warn print what a person has to know. reached says that there is a token again.
	failed  func(error)
	warn    func(summary, detail string)
	reached func()

	written  bool              // the file is there
	ends     time.Time         // when its token ends
	least    time.Duration     // the least that the next token must still be valid
	due      time.Time         // when the client is asked next
	rejected bool              // only a change of sources, or an hour, leads to the next request
	seen     [sha256.Size]byte // what sources returned before the rejected request
	said     string            // the failure that was printed last; empty: there was none since the last token
}

// obtained is a token, and when it was asked for.
type obtained struct {
	clients.Token
	at time.Time
}

// run keeps the file fresh until ctx ends. left is when an earlier process has written the file; zero: there is none.
func (w *watch) run(ctx context.Context, left time.Time) {
	w.least = w.minValidity
	if w.written = !left.IsZero(); w.written {
		w.ends = left.Add(unknownLifetime)
	}
	for ctx.Err() == nil {
		w.step(ctx)
		timer := time.NewTimer(w.pause(now()))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// now returns the time by the wall clock.
func now() time.Time { return time.Now().Round(0) }

// step does what is due now.
func (w *watch) step(ctx context.Context) {
	changed := w.rejected && w.sources() != w.seen
	if changed || !now().Before(w.due) {
		if w.rejected {
			w.askAgain(ctx)
		}
		w.ask(ctx)
	}
	if w.written && !w.ends.IsZero() && !now().Before(w.ends) {
		w.removeEnded()
	}
}

// ask asks the client for a token, and decides when it is asked next.
func (w *watch) ask(ctx context.Context) {
	w.seen, w.rejected = w.sources(), false
	token, err := w.obtain(ctx, w.least)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		status := statusOf(err)
		w.rejected = status == statusRejected || status == statusFailed // a fault of this program may hide a rejection
		w.note(err)
		w.due = now().Add(pauseAfterFailure)
		if w.rejected {
			w.due = now().Add(pauseAfterRejection)
		}
		return
	}
	if err := w.write(token.Token); err != nil {
		w.note(err)
		w.due = now().Add(pauseAfterFailure) // the client remembers the token
		return
	}
	if w.said != "" {
		w.said = ""
		w.reached()
	}
	var at time.Time
	w.written, w.ends = true, token.Expiry
	if w.least, at = proxy.Renewal(token.at, token.Expiry, w.minValidity); at.IsZero() {
		at = now().Add(unknownLifetime)
	}
	w.due = at.Add(time.Millisecond) // at this moment, the client returns the same token once more
	if soonest := now().Add(leastInterval); w.due.Before(soonest) {
		w.due = soonest
	}
}

// note prints a failure, unless it is the one that was printed last.
func (w *watch) note(err error) {
	if text := err.Error(); text != w.said {
		w.said = text
		w.failed(err)
	}
}

// removeEnded removes the file, whose token has ended.
func (w *watch) removeEnded() {
	if err := w.remove(); err != nil {
		w.ends = now().Add(pauseAfterFailure)
		w.warn("The file with the token that has ended could not be removed", cause(err)+". It is tried again each minute.")
		return
	}
	w.written = false
	w.warn("The file was removed", "Its token has ended, and there is no new one yet.")
}

// pause returns how long nothing is due.
func (w *watch) pause(now time.Time) time.Duration {
	pause := min(clockInterval, w.due.Sub(now))
	if w.rejected {
		pause = min(pause, sourceInterval)
	}
	if w.written && !w.ends.IsZero() {
		pause = min(pause, w.ends.Sub(now))
	}
	return max(0, pause)
}

// watchFile keeps the file fresh with the tokens of a platform. It returns nil when ctx ends.
func (c *invocation) watchFile(ctx context.Context, f *flags, t target, file *outputFile, content func(clients.Token) string) error {
	t.terms.Once = false // the process stays
	client := c.newClient(ctx, t)
	if _, err := client.Endpoint(t.grant); err != nil {
		return &failure{statusOf(err), []platforms.Message{t.Explain(err, t.found, t.terms)}}
	}
	c.printMessages(t.RemarksOnSettings(t.found, t.terms)...)
	remarks := map[string]bool{}
	w := &watch{
		minValidity: t.found.MinValidity(),
		obtain: func(ctx context.Context, least time.Duration) (obtained, error) {
			token, err := client.Token(ctx, t.grant, least)
			c.settled.Store(true) // from now on, nobody waits in front of the screen
			return obtained{token, token.Obtained()}, err
		},
		askAgain: func(ctx context.Context) {
			if found, ok := c.reload(ctx, f, t.Platform); ok {
				t.found, t.grant = found, t.Grant(found)
			}
			client.AskAgain(t.grant)
		},
		sources: func() [sha256.Size]byte { return secretSources(f, t.found) },
		write: func(token clients.Token) error {
			if err := file.write(content(token)); err != nil {
				return file.notWritten(err)
			}
			for _, m := range t.RemarksOnToken(t.found, token, words) {
				if !remarks[m.Summary] {
					remarks[m.Summary] = true
					c.printMessages(m)
				}
			}
			return nil
		},
		remove: file.remove,
		failed: func(err error) {
			if known := (*failure)(nil); errors.As(err, &known) {
				c.printMessages(known.messages...)
				return
			}
			c.printMessages(t.Explain(err, t.found, t.terms), watching(err))
		},
		warn: func(summary, detail string) {
			c.printMessages(platforms.Message{Warning: true, Summary: summary, Detail: detail + platforms.More(sectionWatch)})
		},
		reached: func() { c.note("There is a token of " + t.Title + " again.") },
	}
	var left time.Time
	if info, err := os.Stat(file.path); err == nil {
		left = info.ModTime()
	}
	w.run(ctx, left)
	return nil
}

// watching says when a request that has failed is sent again.
func watching(err error) platforms.Message {
	detail := "The next attempt is in a minute at the earliest."
	if status := statusOf(err); status == statusRejected || status == statusFailed {
		detail = "The request is sent again in an hour, or as soon as a file with the secret changes. To use another secret from the environment, start the command again."
	}
	return platforms.Message{Warning: true, Summary: "The file has no new token yet", Detail: detail + platforms.More(sectionWatch)}
}

// secretSources returns a digest of the files that hold the platform's secrets, whether the command reads them or the client
// does. A file that cannot be read counts as empty.
func secretSources(f *flags, found platforms.Settings) (sum [sha256.Size]byte) {
	digest := sha256.New()
	add := func(path string) {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return // a pipe would give its content away
		}
		if file, err := os.Open(path); err == nil { //nolint:gosec // the user's own choice
			_, _ = io.Copy(digest, io.LimitReader(file, maxFile))
			_ = file.Close() // only reads
		}
		_, _ = digest.Write([]byte{0})
	}
	for _, g := range f.groups {
		for _, in := range g.inputs {
			switch texts := g.given[in.Name]; {
			case in.Secret && len(texts) > 0 && texts[0] != stdin:
				add(texts[0])
			case !in.Secret && strings.HasSuffix(in.Name, "_file") && found.Text(in.Name) != "":
				add(found.Text(in.Name))
			}
		}
	}
	return [sha256.Size]byte(digest.Sum(nil))
}
