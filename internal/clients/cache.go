// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
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
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/crypto/argon2"
)

const (
	// entryMagic opens every entry, and names the format: another one is a miss. The names of the files have the
	// version too, so that two versions of this program never touch each other's entries.
	entryMagic   = "ixtoken\x01"
	entryPrefix  = "v1-"
	entrySuffix  = ".token"
	lockSuffix   = ".lock"
	writeSuffix  = ".new"
	saltSize     = 16
	headerSize   = len(entryMagic) + 8 + saltSize // magic, when the entry is of no more use, salt
	maxEntrySize = 512 << 10                      // bytes; two tokens of the greatest size, in base64, fit

	// lockWait bounds the wait for another process. It is longer than what a process does under the lock.
	lockWait = budget + 10*time.Second

	// lockPoll and lockPollMax are the pauses between two looks at a lock that another process holds: the first, and the
	// longest. They double, so that hundreds of processes that wait leave the machine to the one that works. Up to half of
	// each is left out at random, or all would look at the same moments, in which one of them gets the lock.
	lockPoll    = 10 * time.Millisecond
	lockPollMax = 160 * time.Millisecond

	// unknownLife is how long an entry is kept whose refresh token has no known end: that of Equinix's.
	unknownLife = 60 * 24 * time.Hour
)

// own matches the names of the cache's own files.
var own = regexp.MustCompile(`^` + entryPrefix + `[0-9a-f]{32}\.(token|lock|new)$`)

// Cache is a directory in which the processes of one user share tokens: one encrypted entry a request, and beside it a
// lock that is held over look, fetch and store.
//
// The key of an entry comes from the secrets in the request itself. Whoever has the file and not the secret has nothing;
// whoever has another secret has another entry.
type Cache struct {
	dir string
}

// record is what an entry holds.
type record struct {
	Token    Token
	Rejected *Error    // nil: the platform has not rejected the request
	Until    time.Time // how long Rejected holds
	Spent    bool      // the platform may have seen the refresh token in the request
}

// rejectionShared is how long other processes answer rejected credentials from the cache. Fifty parallel jobs with a stale
// secret are then one failed login. The time is over before anybody has had the secret accepted.
const rejectionShared = 60 * time.Second

// rejects reports whether the rejection still counts. A rejection that would count for longer than rejectionShared is from
// the future, which means that the clock was set back.
func (r record) rejects(now time.Time) bool {
	left := r.Until.Sub(now)
	return r.Rejected != nil && left > 0 && left <= rejectionShared
}

// OpenCache returns the cache in dir, which is made if it is missing. A directory in which others could put files is
// refused: the entries are encrypted, but a lock that others can take is none. Its errors do not name dir.
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

// reason is what an error of the file system says without the path, which the caller names.
func reason(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	return err
}

func (k *Cache) path(r request, suffix string) string {
	return filepath.Join(k.dir, entryPrefix+r.name()+suffix)
}

// lock waits for the request's lock until ctx ends, and returns what gives it back.
func (k *Cache) lock(ctx context.Context, r request) (release func(), err error) {
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

// tryLock takes a lock and returns what gives it back; nil: another process has it.
func tryLock(path string) (release func(), err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow|noWait), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, reason(err)
	case !held:
		return nil, nil
	case !inPlace(lock, path): // a sweep removed the file between open and lock: nobody else will find this one
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

// load returns what is stored about the request. Anything but a whole entry of this request is a miss; why says which.
// damaged reports that no process of this program can have left what is there.
func (k *Cache) load(r request) (found record, why string, damaged bool) {
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
	case err != nil && r.personal(): // the password is not in the name
		return record{}, "the entry is damaged or of another password", false
	case err != nil || json.Unmarshal(text, &stored) != nil:
		return record{}, "the entry is damaged", true
	}
	return stored.record(), "", false
}

// otherVersion reports whether an entry begins as one of this program, but not of this format.
func otherVersion(data []byte) bool {
	const program = len(entryMagic) - 1
	return len(data) >= len(entryMagic) && string(data[:program]) == entryMagic[:program] && data[program] != entryMagic[program]
}

// open decrypts an entry that has at least a header.
func (r request) open(entry []byte) ([]byte, error) {
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

// save replaces what is stored about the request. The caller holds the lock, so the temporary file is its own.
func (k *Cache) save(r request, known record) error {
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

// update replaces what is stored about the request by what change makes of it, unless change says no, or another process
// holds the lock. It waits for nobody.
func (k *Cache) update(r request, change func(record) (record, bool)) {
	release, err := tryLock(k.path(r, lockSuffix))
	if release == nil || err != nil {
		return
	}
	defer release()
	known, miss, _ := k.load(r)
	if changed, ok := change(known); ok && miss == "" {
		_ = k.save(r, changed) // the old entry stays: its token is refused once more, and discarded again
	}
}

// seal returns the entry: header, nonce, and the encrypted record.
func (r request) seal(known record) ([]byte, error) {
	text, err := json.Marshal(known.stored()) //nolint:gosec // what is encrypted below
	if err != nil {
		return nil, err
	}
	salt := random(saltSize)
	header := binary.BigEndian.AppendUint64([]byte(entryMagic), uint64(known.usefulUntil().Unix())) //nolint:gosec // over reads it as it is written
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

// usefulUntil is when nothing in the record is of use any more.
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

// name is the request's name in the file system. It tells nothing to those who do not know the secrets. The password of
// a human is not in it: names can be tried out faster than the key that is made of it.
func (r request) name() string {
	body := r.body
	if r.personal() {
		body = r.impersonal
	}
	digest := r.digestWith(body)
	return hex.EncodeToString(digest[:16])
}

// personal reports whether a human's password is among the secrets.
func (r request) personal() bool { return !r.impersonal.IsZero() }

// binding is the data that an entry is bound to besides its key: all that would be sent, and the header.
func (r request) binding(header []byte) []byte {
	digest := r.key()
	return slices.Concat(header, digest[:])
}

// aead returns the cipher for an entry with this salt. What a platform made up is too long to be guessed, and a fast
// derivation will do; a human's password gets the memory-hard one that RFC 9106, section 4, recommends as second choice.
func (r request) aead(salt []byte) (cipher.AEAD, error) {
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

// deriving is held by the one that derives a slow key: each needs 64 MiB, and a plan may have many users.
var deriving sync.Mutex

// slowKey is the memory-hard derivation. It waits for others' without a context: whoever asked for the token waits in
// flights.share, and may leave; and what a platform has answered must be stored even then.
func slowKey(key, salt []byte) []byte {
	deriving.Lock()
	defer deriving.Unlock()
	return argon2.IDKey(key, salt, 3, 64<<10, 4, 32)
}

// errUnfit is what stands in the place of an entry and can be none.
var errUnfit = errors.New("not a regular file of a fitting size")

// readEntry reads the first bytes of an entry, so many at most. It follows no link and waits for no pipe.
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

// writeEntry writes a new file that is on the disk when it returns.
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

// sweep removes what is of no more use: what a process that was killed was writing, and entries whose time is over. It
// needs no key, and waits for no lock: what is in use is left alone.
func (k *Cache) sweep(now time.Time) {
	files, err := os.ReadDir(k.dir)
	if err != nil {
		return
	}
	names := map[string]bool{}
	for _, file := range files {
		if own.MatchString(file.Name()) { // there may be others, if the directory is not for the cache alone
			names[strings.TrimSuffix(file.Name(), filepath.Ext(file.Name()))] = true
		}
	}
	for name := range names {
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

// expired reports whether an entry is missing or of no more use. One that cannot be read just now is kept: it may say that a
// refresh token is spent. What is no entry is kept too, for as long as an entry may be: load tells of it, and save replaces it.
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

// storedRecord is a record in clear, for the encryption alone.
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

// Format writes [redacted], whatever the verb.
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
