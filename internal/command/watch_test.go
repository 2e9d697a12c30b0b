// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// watched is a file that is kept fresh in virtual time, and a platform that answers as script says.
type watched struct {
	watch
	t      *testing.T
	script func(at time.Duration) (lasts time.Duration, err error) // at: since the start
	began  time.Time
	last   obtained      // what the client remembers
	token  clients.Token // in the file; zero: there is no file
	source byte          // what the file with the secret holds
	full   bool          // the disk is full

	asked, written []time.Duration // when
	said           []string
	removed        int
}

func newWatched(t *testing.T, minValidity time.Duration, script func(time.Duration) (time.Duration, error)) *watched {
	w := &watched{t: t, script: script, began: time.Now()}
	say := func(text string) { w.said = append(w.said, text) }
	w.watch = watch{
		minValidity: minValidity,
		obtain:      w.obtain,
		askAgain:    func(context.Context) { say("askAgain") },
		sources:     func() [sha256.Size]byte { return [sha256.Size]byte{w.source} },
		write:       w.replace,
		remove:      func() error { w.removed++; w.token = clients.Token{}; return nil },
		failed:      func(err error) { say(err.Error()) },
		warn:        func(summary, _ string) { say(summary) },
		reached:     func() { say("reached") },
	}
	return w
}

func (w *watched) since() time.Duration { return time.Since(w.began) }

// obtain answers as a client does: with the last token while it lasts long enough, and otherwise after a request that takes
// two seconds.
func (w *watched) obtain(ctx context.Context, least time.Duration) (obtained, error) {
	if !w.last.Expiry.IsZero() && time.Until(w.last.Expiry) >= least {
		return w.last, nil
	}
	w.asked = append(w.asked, w.since())
	lasts, err := w.script(w.since())
	sent := time.Now().Round(0)
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return obtained{}, ctx.Err()
	}
	if err != nil {
		return obtained{}, err
	}
	w.last = obtained{clients.Token{AccessToken: clients.NewSecret(sent.String())}, sent}
	if lasts > 0 {
		w.last.Expiry = sent.Add(lasts)
	}
	return w.last, nil
}

func (w *watched) replace(token clients.Token) error {
	if w.full {
		return &failure{status: statusFailed}
	}
	w.token = token
	w.written = append(w.written, w.since())
	return nil
}

// run runs the watch for a time, and calls each at every second in which there is nothing else to do.
func (w *watched) run(lasts time.Duration, left time.Time, each func(at time.Duration)) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.watch.run(ctx, left) }()
	for w.since() < lasts {
		synctest.Wait()
		each(w.since())
		<-time.After(time.Second)
	}
	cancel()
	<-done
}

func (w *watched) valid() bool {
	return !w.token.AccessToken.IsZero() && time.Now().Before(w.token.Expiry)
}

var (
	errRejected = &clients.Error{Kind: clients.CredentialsRejected, Endpoint: "x"}
	errOutage   = &clients.Error{Kind: clients.NoIdentityToken, Identity: "x"}
)

// A day on tokens of one minute: there is no moment without a valid token, and no more requests than the rule needs.
func TestWatchForADay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ lasts, minValidity, period time.Duration }{
		"tokens of a minute":                    {time.Minute, 20 * time.Second, 40 * time.Second},
		"tokens that last less than is wanted":  {time.Minute, 5 * time.Minute, 54 * time.Second},
		"tokens of an hour":                     {time.Hour, 5 * time.Minute, 55 * time.Minute},
		"tokens that last hardly longer":        {310 * time.Second, 5 * time.Minute, 279 * time.Second},
		"tokens whose lifetime nobody has said": {0, 5 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const day = 24 * time.Hour
				w := newWatched(t, test.minValidity, func(time.Duration) (time.Duration, error) { return test.lasts, nil })
				w.run(day, time.Time{}, func(at time.Duration) {
					if at > 2*time.Second && test.lasts > 0 && !w.valid() {
						t.Errorf("after %s there is no valid token", at)
					}
				})
				most := int(day/test.period) + 2
				if got := len(w.asked); got > most || got < most*9/10 {
					t.Errorf("%d requests, want hardly %d", got, most)
				}
				if len(w.said) > 0 || w.removed > 0 {
					t.Errorf("it says %q and has removed the file %d times", w.said, w.removed)
				}
			})
		})
	}
}

// A rejection does not end the watch: it says so once, asks once an hour, and the file goes when its token ends. A new secret
// leads to a request at once.
func TestWatchThroughARejection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rejected, replaced = 10 * time.Minute, 5*time.Hour + 30*time.Minute
		w := newWatched(t, 20*time.Second, nil)
		w.script = func(at time.Duration) (time.Duration, error) {
			if at > rejected && w.source == 0 {
				return 0, errRejected
			}
			return time.Minute, nil
		}
		atReplacement := 0
		w.run(6*time.Hour, time.Time{}, func(at time.Duration) {
			switch {
			case at >= replaced && w.source == 0:
				w.source, atReplacement = 1, len(w.asked)
			case at > rejected+2*time.Minute && at < replaced && !w.token.AccessToken.IsZero():
				t.Errorf("after %s there is still a file", at)
			case at > replaced+sourceInterval+5*time.Second && !w.valid():
				t.Errorf("after %s there is no valid token, although the secret is right again", at)
			case at < rejected && at > 2*time.Second && !w.valid():
				t.Errorf("after %s there is no valid token", at)
			}
		})
		var failed []time.Duration
		for _, at := range w.asked[:atReplacement] {
			if at > rejected {
				failed = append(failed, at)
			}
		}
		if len(failed) != 6 {
			t.Errorf("the rejected request was sent after %s, want once an hour", failed)
		}
		said := slices.DeleteFunc(slices.Clone(w.said), func(text string) bool { return text == "askAgain" })
		if want := []string{errRejected.Error(), "The file was removed", "reached"}; !slices.Equal(said, want) {
			t.Errorf("it says %q, want %q", said, want)
		}
	})
}

// The first request may be rejected, too. Then there was no file, or one of an earlier process, which stays for an hour.
func TestWatchThatBeginsWithARejection(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]time.Duration{"no file": 0, "a file of an earlier process": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t, 5*time.Minute, func(time.Duration) (time.Duration, error) { return 0, errRejected })
				written := time.Time{}
				if left > 0 {
					written = time.Now().Add(-left)
				}
				w.run(3*time.Hour+time.Minute, written, func(at time.Duration) {
					if gone := w.removed > 0; gone != (left > 0 && at >= time.Hour-left) {
						t.Errorf("after %s: removed %t", at, gone)
					}
				})
				if len(w.asked) != 4 || w.removed > 1 {
					t.Errorf("requests after %s, removed %d times", w.asked, w.removed)
				}
			})
		})
	}
}

// A failure that may pass keeps the file while its token lasts, and is tried again each minute.
func TestWatchThroughAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const begins, ends = 50 * time.Minute, 90 * time.Minute
		w := newWatched(t, 5*time.Minute, func(at time.Duration) (time.Duration, error) {
			if at > begins && at < ends {
				return 0, errOutage
			}
			return time.Hour, nil
		})
		w.run(2*time.Hour, time.Time{}, func(at time.Duration) {
			if outside := at >= time.Hour && at < ends+time.Minute+3*time.Second; at > 2*time.Second && !outside && !w.valid() {
				t.Errorf("after %s there is no valid token", at)
			}
			if at > time.Hour+time.Second && at < ends && !w.token.AccessToken.IsZero() {
				t.Errorf("after %s there is a file, and its token has ended", at)
			}
		})
		for i := 2; i < len(w.asked); i++ {
			if w.asked[i]-w.asked[i-1] < pauseAfterFailure {
				t.Errorf("requests after %s and %s", w.asked[i-1], w.asked[i])
			}
		}
		if want := []string{errOutage.Error(), "The file was removed", "reached"}; !slices.Equal(w.said, want) {
			t.Errorf("it says %q, want %q", w.said, want)
		}
	})
}

// A file that cannot be written costs no further request, and is written when that is possible again.
func TestWatchWithAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 5*time.Minute, func(time.Duration) (time.Duration, error) { return time.Hour, nil })
		w.full = true
		w.run(12*time.Minute, time.Time{}, func(at time.Duration) { w.full = at < 10*time.Minute })
		if len(w.asked) != 1 || len(w.written) != 1 || !w.valid() {
			t.Errorf("requests after %s, written after %s", w.asked, w.written)
		}
	})
}

// SIGTERM ends the watch at once, also while it waits for an answer.
func TestWatchEndsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 0, func(time.Duration) (time.Duration, error) { return 0, errors.New("never") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.watch.run(ctx, time.Time{})
		if got := w.since(); got != time.Second || len(w.said) > 0 {
			t.Errorf("it ended after %s and says %q", got, w.said)
		}
	})
}

// A rejected login is sent again after each hour, although its secret is the same and this process remembers the rejection. The
// whole command runs in virtual time, and the platform beside it. No connection may stay open, because virtual time does not
// pass while it is read.
func TestARejectedLoginIsSentOnceAnHour(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Equinix.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Connection", "close")
		return false
	})
	s.setenv("EQUINIX_API_CLIENTSECRET", "wrong")
	file := filepath.Join(t.TempDir(), "token")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour+time.Minute)
		defer cancel()
		var said bytes.Buffer
		status := Run(ctx, System{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &said, Environ: s.env, Name: "ixtoken"},
			[]string{"token", "equinix", "--watch", "--output", file})
		if got := strings.Count(said.String(), "No Equinix access token: credentials rejected"); status != statusOK || s.sent() != 4 || got != 1 {
			t.Errorf("status %d, %d requests in three hours, said %d times: %s", status, s.sent(), got, said.String())
		}
	})
}
