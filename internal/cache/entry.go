// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// This file holds the entries: their names, and how they are encrypted. An entry is useless without the secrets from which
// its key is derived.

const (
	// entryMagic is the start of every entry, and names the format. An entry of another format is a miss.
	entryMagic = "ixtoken\x02"
	saltSize   = 16
	headerSize = len(entryMagic) + 8 + saltSize // magic, time at which the entry becomes useless, salt
	nonceSize  = 12                             // of AES-GCM
)

// Name names the files of an entry, or of a mark.
type Name string

// EntryName returns the name of the entries with this digest.
func EntryName(digest [sha256.Size]byte) Name {
	return Name(entryPrefix + hex.EncodeToString(digest[:16]))
}

// MarkName returns the name of the mark with this digest.
func MarkName(digest [sha256.Size]byte) Name {
	return Name(markPrefix + hex.EncodeToString(digest[:16]))
}

// file returns the name of the file of an entry.
func (n Name) file(part Part) string { return string(n) + string(part) }

// Part tells the entries of a Name apart.
type Part string

// The parts. A rejection does not replace a token: the token may belong to other credentials.
const (
	Token     Part = ".token"
	Rejection Part = ".rejected"
)

// Key finds, opens and seals the entries of a Name.
type Key struct {
	Name Name
	// Bound is a digest that the entries are bound to besides their secrets: of another one, they cannot be opened.
	Bound [sha256.Size]byte
	// Secret is a digest of the secrets. The encryption key is derived from it.
	Secret [sha256.Size]byte
	// Memory is what the derivation of the encryption key needs, in KiB. It makes each guess expensive. Zero: nobody can
	// guess the secrets, so a fast derivation is enough.
	Memory uint32
	// Marked says that a mark lets only one process find out what the entries shall hold. A store in which a claim costs
	// requests then makes none, and stores only what is not stored yet.
	Marked bool
}

// Format writes the name for every verb. With the digest of a secret, the secret could be guessed.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(k.Name)) }

// Look reads the files of the entries of a key.
func (d *Directory) Look(_ context.Context, key Key) (found Found) {
	found.Token, found.Miss, found.Damaged = d.look(key, Token)
	found.Rejection, _, _ = d.look(key, Rejection)
	return found
}

// look returns what is stored in one file. If it is nil, why gives the reason.
func (d *Directory) look(key Key, part Part) (content []byte, why string, damaged bool) {
	data, err := d.read(key.Name.file(part), maxEntrySize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, noEntry, false
	case errors.Is(err, errUnfit):
		return nil, "the entry is " + err.Error(), true
	case err != nil:
		return nil, "the entry cannot be read (" + printable.WithoutPath(err).Error() + ")", false
	}
	return key.unseal(data, part)
}

// noEntry is why there is no token where nothing is stored.
const noEntry = "there is no entry"

// unseal decrypts an entry. If content is nil, why gives the reason.
func (k Key) unseal(data []byte, part Part) (content []byte, why string, damaged bool) {
	switch {
	case otherVersion(data):
		return nil, "the entry is of another version", false
	case len(data) < headerSize || string(data[:len(entryMagic)]) != entryMagic:
		return nil, "the entry is damaged or foreign", true
	}
	content, err := k.open(data, part)
	if err != nil {
		return nil, "the entry is damaged, or of another secret", true
	}
	return content, "", false
}

// otherVersion reports whether data begins like an entry of this program, but in another format.
func otherVersion(data []byte) bool {
	const program = len(entryMagic) - 1
	return len(data) >= len(entryMagic) && string(data[:program]) == entryMagic[:program] && data[program] != entryMagic[program]
}

// store replaces what is stored under the key, and keeps it until useful; zero: its end is not known. The caller holds the
// lock.
func (d *Directory) store(key Key, part Part, content []byte, useful time.Time) error {
	data, err := key.seal(entryMagic, part, content, useful)
	if err != nil {
		return err
	}
	return d.replace(key.Name, part, data)
}

// Update replaces the stored token if it can take the lock at once.
func (d *Directory) Update(ctx context.Context, key Key, change func(found Found) (changed []byte, useful time.Time, ok bool)) {
	release, err := d.tryLock(key.Name)
	if release == nil || err != nil {
		return
	}
	defer release()
	found := d.Look(ctx, key)
	if found.Miss != "" {
		return
	}
	if changed, useful, ok := change(found); ok {
		_ = d.store(key, Token, changed, useful) // on an error the old entry stays
	}
}

// open decrypts an entry.
func (k Key) open(entry []byte, part Part) ([]byte, error) {
	if len(entry) < headerSize+nonceSize {
		return nil, io.ErrUnexpectedEOF
	}
	header, nonce, sealed := entry[:headerSize], entry[headerSize:headerSize+nonceSize], entry[headerSize+nonceSize:]
	aead, err := k.aead(header[headerSize-saltSize:])
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nonce, sealed, k.binding(header, part))
}

// seal returns the encoded entry: header, nonce, and the encrypted content.
func (k Key) seal(magic string, part Part, content []byte, useful time.Time) ([]byte, error) {
	if useful.IsZero() {
		useful = time.Now().Add(unknownLife)
	}
	header := binary.BigEndian.AppendUint64([]byte(magic), uint64(useful.Unix())) //nolint:gosec // entryUsefulUntil reads it as it is written
	header = append(header, random(saltSize)...)
	aead, err := k.aead(header[headerSize-saltSize:])
	if err != nil {
		return nil, err
	}
	nonce := random(nonceSize)
	return aead.Seal(slices.Concat(header, nonce), nonce, content, k.binding(header, part)), nil
}

// entryUsefulUntil returns when an entry with this header becomes useless.
func entryUsefulUntil(header []byte) (time.Time, bool) {
	if len(header) < headerSize || string(header[:len(entryMagic)]) != entryMagic {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(header[len(entryMagic):])), 0), true //nolint:gosec // as it was written
}

func random(size int) []byte {
	bytes := make([]byte, size)
	_, _ = rand.Read(bytes) // never fails
	return bytes
}

// binding returns the data that an entry is bound to besides its secrets.
func (k Key) binding(header []byte, part Part) []byte {
	return slices.Concat(header, k.Bound[:], []byte(part))
}

// aead returns the cipher for an entry with this salt.
func (k Key) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.Secret[:], salt, "ixtoken entry", 32)
	if err != nil {
		return nil, err
	}
	if k.Memory > 0 {
		key = slowKey(key, salt, k.Memory)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// deriving is held while slowKey runs. Each run needs much memory, and a process may have many keys.
var deriving sync.Mutex

// slowKey derives a key with the memory-hard function Argon2id. It waits for other derivations, and no context ends the wait:
// what was found out must be stored even if nobody waits for it any more.
func slowKey(key, salt []byte, memory uint32) []byte {
	deriving.Lock()
	defer deriving.Unlock()
	return argon2.IDKey(key, salt, 3, memory, 4, 32)
}
