// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/crypto/argon2"
)

const (
	// entryMagic is the start of every entry, and names the format. An entry of another format is a miss. The file
	// names contain the version too, so that two versions of this program never touch each other's entries.
	entryMagic   = "ixtoken\x01"
	entryPrefix  = "v1-"
	entrySuffix  = ".token"
	lockSuffix   = ".lock"
	writeSuffix  = ".new"
	saltSize     = 16
	headerSize   = len(entryMagic) + 8 + saltSize // magic, time at which the entry becomes useless, salt
	maxEntrySize = 1 << 20                        // bytes; two tokens of the greatest size fit, each byte escaped in JSON

	// lockWait bounds the wait for the lock of another process. It is longer than any process holds the lock.
	lockWait = budget + 10*time.Second

	// lockPoll and lockPollMax are the first and the longest pause between two attempts to take a lock that another
	// process holds. The pauses double, so that hundreds of waiting processes leave the processor to the one that
	// works. A random part, up to half of each pause, is left out. Otherwise all processes would try at the same
	// moments, and only one of them would get the lock.
	lockPoll    = 10 * time.Millisecond
	lockPollMax = 160 * time.Millisecond

	// unknownLife is how long an entry is kept if the lifetime of its refresh token is unknown. It is the lifetime of
	// Equinix's refresh tokens.
	unknownLife = 60 * 24 * time.Hour
)

// own matches the names of the cache's own files.
var own = lazily(`^` + entryPrefix + `[0-9a-f]{32}\.(token|lock|new)$`)

// Cache is a directory in which the processes of one user share tokens. Each request has one encrypted entry and one
// lock. A process holds the lock while it reads the entry, sends the request and stores the result.
//
// The key of an entry is derived from the secrets in the request. The file without the secret is useless. A request
// with another client secret has another entry.
type Cache struct {
	dir string
}

// record is what an entry holds.
type record struct {
	Token    Token
	Rejected *Error    // nil: the platform has not rejected the request
	Until    time.Time // when Rejected ends
	Spent    bool      // the platform may have seen the refresh token in the request
}

// rejectionShared is how long other processes use a rejection from the cache. Fifty parallel jobs with an outdated
// secret then cause one failed login. A user needs longer than that to get the secret accepted.
const rejectionShared = 60 * time.Second

// rejects reports whether the rejection still counts. A rejection with more time left than rejectionShared does not
// count: it is from the future, which means that the clock was set back.
func (r record) rejects(now time.Time) bool {
	left := r.Until.Sub(now)
	return r.Rejected != nil && left > 0 && left <= rejectionShared
}

// OpenCache returns the cache in dir, and creates dir if it is missing. It refuses a directory in which other users
// could put files. The entries are encrypted, but a lock that other users can take protects nothing. Its errors do not
// contain dir.
func OpenCache(dir string) (*Cache, error) {
	dir = filepath.Clean(dir) // a slash at the end would make Lstat follow a link
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("it cannot be made (%w)", reason(err))
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be read (%w)", reason(err))
	case !info.IsDir():
		return nil, errors.New("it is a link or a file, not a directory")
	}
	if err := ownAlone(info); err != nil {
		return nil, err
	}
	k := &Cache{dir}
	k.sweep(time.Now())
	return k, nil
}

// reason returns an error of the file system without the path. The caller names the path.
func reason(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	return err
}

func (k *Cache) path(r *request, suffix string) string {
	return filepath.Join(k.dir, entryPrefix+r.name()+suffix)
}

// lock waits for the request's lock until ctx ends. release gives the lock back.
func (k *Cache) lock(ctx context.Context, r *request) (release func(), err error) {
	path := k.path(r, lockSuffix)
	for pause := lockPoll; ; pause = min(2*pause, lockPollMax) {
		release, err := tryLock(path)
		if release != nil || err != nil {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause - mathrand.N(pause/2)): //nolint:gosec // a wait is no secret
		}
	}
}

// tryLock takes a lock without waiting. release gives the lock back; nil: another process has the lock.
func tryLock(path string) (release func(), err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow|noWait), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, reason(err)
	case !held:
		return nil, nil
	case !inPlace(lock, path): // a sweep removed the file between open and lock, so other processes do not see this lock
		_ = lock.Unlock()
		return nil, nil
	}
	return func() { _ = lock.Unlock() }, nil
}

func inPlace(lock *flock.Flock, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(held, there)
}

// load returns what is stored about the request. Everything except a complete entry of this request is a miss, and why
// gives the reason. damaged reports that this program cannot have written what is there.
func (k *Cache) load(r *request) (found record, why string, damaged bool) {
	data, err := readEntry(k.path(r, entrySuffix), maxEntrySize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return record{}, "there is no entry", false
	case errors.Is(err, errUnfit):
		return record{}, "the entry is " + err.Error(), true
	case err != nil:
		return record{}, "the entry cannot be read (" + reason(err).Error() + ")", false
	case otherVersion(data):
		return record{}, "the entry is of another version", false
	case len(data) < headerSize || string(data[:len(entryMagic)]) != entryMagic:
		return record{}, "the entry is damaged or foreign", true
	}
	text, err := r.open(data)
	var stored storedRecord
	switch {
	case err != nil && r.personal(): // the file name does not depend on the password
		return record{}, "the entry is damaged or of another password", false
	case err != nil && r.exchange != nil: // nor on the identity token
		return record{}, "the entry is damaged or of another identity token", false
	case err != nil || json.Unmarshal(text, &stored) != nil:
		return record{}, "the entry is damaged", true
	}
	return stored.record(), "", false
}

// otherVersion reports whether data begins like an entry of this program, but in another format.
func otherVersion(data []byte) bool {
	const program = len(entryMagic) - 1
	return len(data) >= len(entryMagic) && string(data[:program]) == entryMagic[:program] && data[program] != entryMagic[program]
}

// open decrypts an entry that has at least a header.
func (r *request) open(entry []byte) ([]byte, error) {
	header, sealed := entry[:headerSize], entry[headerSize:]
	aead, err := r.aead(header[headerSize-saltSize:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, io.ErrUnexpectedEOF
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], r.binding(header))
}

// save replaces what is stored about the request. The caller holds the lock, so no other process uses the temporary
// file.
func (k *Cache) save(r *request, known record) error {
	data, err := r.seal(known)
	if err != nil {
		return err
	}
	path := k.path(r, writeSuffix)
	err = writeEntry(path, data)
	if err == nil {
		err = replace(path, k.path(r, entrySuffix))
	}
	if err != nil {
		_ = os.Remove(path)
		return reason(err)
	}
	return nil
}

// update replaces what is stored about the request by the result of change. It does nothing if change returns false, or
// if another process holds the lock. It does not wait for the lock.
func (k *Cache) update(r *request, change func(record) (record, bool)) {
	release, err := tryLock(k.path(r, lockSuffix))
	if release == nil || err != nil {
		return
	}
	defer release()
	known, miss, _ := k.load(r)
	if changed, ok := change(known); ok && miss == "" {
		_ = k.save(r, changed) // on an error the old entry stays; its token is refused and discarded again
	}
}

// seal returns the encoded entry: header, nonce, and the encrypted record.
func (r *request) seal(known record) ([]byte, error) {
	text, err := json.Marshal(known.stored()) //nolint:gosec // encrypted below
	if err != nil {
		return nil, err
	}
	salt := random(saltSize)
	header := binary.BigEndian.AppendUint64([]byte(entryMagic), uint64(known.usefulUntil().Unix())) //nolint:gosec // expired reads it as it is written
	header = append(header, salt...)
	aead, err := r.aead(salt)
	if err != nil {
		return nil, err
	}
	nonce := random(aead.NonceSize())
	return aead.Seal(slices.Concat(header, nonce), nonce, text, r.binding(header)), nil
}

func random(size int) []byte {
	bytes := make([]byte, size)
	_, _ = rand.Read(bytes) // never fails
	return bytes
}

// usefulUntil returns the time at which the whole record becomes useless.
func (r record) usefulUntil() time.Time {
	last := r.Until
	for _, end := range []time.Time{r.Token.Expiry, r.Token.RefreshTokenExpiry} {
		if end.After(last) {
			last = end
		}
	}
	if r.Spent || !r.Token.RefreshToken.IsZero() && r.Token.RefreshTokenExpiry.IsZero() {
		last = time.Now().Add(unknownLife)
	}
	return last
}

// name returns the request's name in the file system. It reveals nothing without the secrets. A user's password is not
// part of it, because guessing a password is faster from a name than from the key that slowKey derives.
func (r *request) name() string {
	digest := r.digestWith(cmp.Or(r.impersonal, r.lasting, r.body))
	return hex.EncodeToString(digest[:16])
}

// personal reports whether a user's password is among the secrets.
func (r *request) personal() bool { return !r.impersonal.IsZero() }

// binding returns the data that an entry is bound to besides its key: the header, and the digest of the request.
func (r *request) binding(header []byte) []byte {
	digest := r.key()
	return slices.Concat(header, digest[:])
}

// aead returns the cipher for an entry with this salt. Secrets that a platform has generated are too long to be
// guessed, so a fast derivation of the key is enough. A user's password gets the memory-hard derivation that RFC 9106,
// section 4, recommends as second choice.
func (r *request) aead(salt []byte) (cipher.AEAD, error) {
	secrets := make([]string, len(r.secrets))
	for i, secret := range r.secrets {
		secrets[i] = secret.Reveal()
	}
	material := sum(secrets...)
	key, err := hkdf.Key(sha256.New, material[:], salt, "ixtoken entry", 32)
	if err != nil {
		return nil, err
	}
	if r.personal() {
		key = slowKey(key, salt)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// derivationMemory is the memory that slowKey uses, in KiB. Only tests change it.
var derivationMemory uint32 = 64 << 10

// deriving is held while slowKey runs. Each run needs 64 MiB, and a plan may have many users.
var deriving sync.Mutex

// slowKey derives a key with the memory-hard function Argon2id. It waits for other derivations without a context. The
// callers that asked for the token wait in flights.share, and can leave there. The platform's answer must be stored
// even if they leave.
func slowKey(key, salt []byte) []byte {
	deriving.Lock()
	defer deriving.Unlock()
	return argon2.IDKey(key, salt, 3, derivationMemory, 4, 32)
}

// errUnfit means that the file in the place of an entry cannot be an entry.
var errUnfit = errors.New("not a regular file of a fitting size")

// readEntry returns at most the given number of bytes from the start of an entry. It does not follow links, and does
// not wait for pipes.
func readEntry(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow|noWait, 0) //nolint:gosec // a name made of a digest
	if err != nil {
		if info, problem := os.Lstat(path); problem == nil && !info.Mode().IsRegular() { // a link, a socket
			err = errUnfit
		}
		return nil, err
	}
	defer func() { _ = file.Close() }() // only reads
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxEntrySize:
		return nil, errUnfit
	}
	return io.ReadAll(io.LimitReader(file, most))
}

// writeEntry writes a new file. The data is on the disk when it returns.
func writeEntry(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, 0o600) //nolint:gosec // as above
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// sweep removes what is no longer useful: expired entries, and temporary files of processes that were killed. It needs
// no key. It does not wait for locks, so it skips entries in use.
func (k *Cache) sweep(now time.Time) {
	names, err := k.names()
	if err != nil {
		return
	}
	for _, name := range names {
		path := filepath.Join(k.dir, name)
		release, err := tryLock(path + lockSuffix)
		if release == nil || err != nil {
			continue
		}
		_ = os.Remove(path + writeSuffix)
		if expired(path+entrySuffix, now) {
			_ = os.Remove(path + entrySuffix)
			removeLock(path+lockSuffix, release)
		} else {
			release()
		}
	}
}

// names returns the names of the cache's own files, without what follows the dot.
func (k *Cache) names() ([]string, error) {
	files, err := os.ReadDir(k.dir)
	var names []string
	for _, file := range files {
		if own().MatchString(file.Name()) { // the directory may also hold other files
			names = append(names, strings.TrimSuffix(file.Name(), filepath.Ext(file.Name())))
		}
	}
	return slices.Compact(names), err // they are sorted
}

// expired reports whether an entry is missing or no longer useful. An unreadable entry is kept, because it may say that
// a refresh token is spent. Any other file in its place is kept for unknownLife: load reports it, and save replaces it.
func expired(path string, now time.Time) bool {
	header, err := readEntry(path, int64(headerSize))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case errors.Is(err, errUnfit) || err == nil && (len(header) < headerSize || string(header[:len(entryMagic)]) != entryMagic):
		info, err := os.Lstat(path)
		return err == nil && now.After(info.ModTime().Add(unknownLife))
	case err != nil:
		return false
	}
	usefulUntil := int64(binary.BigEndian.Uint64(header[len(entryMagic):])) //nolint:gosec // as it was written
	return now.After(time.Unix(usefulUntil, 0))
}

// storedRecord is a record in clear text. seal encrypts it.
type storedRecord struct {
	AccessToken        string    `json:"access_token,omitempty"`
	TokenType          string    `json:"token_type,omitempty"`
	Obtained           time.Time `json:"obtained,omitzero"`
	Expiry             time.Time `json:"expiry,omitzero"`
	Scope              string    `json:"scope,omitempty"`
	UserName           string    `json:"user_name,omitempty"`
	RefreshToken       string    `json:"refresh_token,omitempty"`
	RefreshTokenExpiry time.Time `json:"refresh_token_expiry,omitzero"`
	Rejected           *Error    `json:"rejected,omitempty"`
	Until              time.Time `json:"until,omitzero"`
	Spent              bool      `json:"spent,omitempty"`
}

// Format writes [redacted] for every verb.
func (storedRecord) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (r record) stored() storedRecord {
	return storedRecord{
		AccessToken: r.Token.AccessToken.Reveal(), TokenType: r.Token.TokenType, Obtained: r.Token.obtained, Expiry: r.Token.Expiry,
		Scope: r.Token.Scope, UserName: r.Token.UserName,
		RefreshToken: r.Token.RefreshToken.Reveal(), RefreshTokenExpiry: r.Token.RefreshTokenExpiry,
		Rejected: r.Rejected, Until: r.Until, Spent: r.Spent,
	}
}

func (s storedRecord) record() record {
	return record{
		Token: Token{
			AccessToken: NewSecret(s.AccessToken), TokenType: s.TokenType, obtained: s.Obtained, Expiry: s.Expiry,
			Scope: s.Scope, UserName: s.UserName,
			RefreshToken: NewSecret(s.RefreshToken), RefreshTokenExpiry: s.RefreshTokenExpiry,
		},
		Rejected: s.Rejected, Until: s.Until, Spent: s.Spent,
	}
}
