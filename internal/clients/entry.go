// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
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
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// This file holds the entries of the cache: their names, what is in them, and how they are encrypted. The key of an entry
// is derived from the secrets in the request. The file without the secrets is useless.

const (
	// entryMagic is the start of every entry, and names the format. An entry of another format is a miss.
	entryMagic = "ixtoken\x02"
	saltSize   = 16
	headerSize = len(entryMagic) + 8 + saltSize // magic, time at which the entry becomes useless, salt

	aeadOverhead = 12 + 16 // nonce and tag of AES-GCM
)

// record is what the entries of a request hold.
type record struct {
	Token    Token
	Rejected *Error    // nil: the platform has not rejected the credentials
	Until    time.Time // when Rejected ends
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

// name returns the name of the request's files. It contains what is no secret, and eight bits of the secrets: a name helps
// no guess, and another secret has, but for one in 256, other files. What nobody can guess is in the name as a whole: a
// refresh token, and in a token exchange the identity token, or GitHub's bearer token. There only this job can read the
// entry, so jobs of one identity do not wait for each other.
func (r *request) name() string {
	parts := append(r.target(), r.public(), r.credential[0].Reveal(), r.refreshToken.Reveal())
	for _, h := range r.headers {
		parts = append(parts, h.name)
		if h.name != "Authorization" && !slices.Contains(r.secrets, h.value) {
			parts = append(parts, h.value.Reveal())
		}
	}
	all := r.secretsDigest()
	digest := sum(append(parts, string(all[:1]))...)
	return entryPrefix + hex.EncodeToString(digest[:16])
}

// secretsDigest returns the digest of all secrets in the request.
func (r *request) secretsDigest() digest {
	secrets := make([]string, len(r.secrets))
	for i, secret := range r.secrets {
		secrets[i] = secret.Reveal()
	}
	return sum(secrets...)
}

// markName returns the name of the mark on what the request may send only once.
func (r *request) markName() string {
	mark := r.mark()
	return markPrefix + hex.EncodeToString(mark[:16])
}

// load returns what is stored about the request. Everything except a complete entry of this request is a miss, and why
// gives the reason. damaged reports that this program cannot have written what is there, or has written it for another
// secret.
func (k *Cache) load(r *request) (found record, why string, damaged bool) {
	var token storedToken
	why, damaged = k.loadPart(r, entrySuffix, &token)
	if why == "" {
		found.Token = token.token()
	}
	var rejection storedRejection
	if missed, _ := k.loadPart(r, rejectionSuffix, &rejection); missed == "" {
		found.Rejected, found.Until = rejection.Rejected, rejection.Until
	}
	return found, why, damaged
}

// loadPart reads the token or the rejection of a request into content.
func (k *Cache) loadPart(r *request, suffix string, content any) (why string, damaged bool) {
	data, err := k.read(r.name()+suffix, maxEntrySize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no entry", false
	case errors.Is(err, errUnfit):
		return "the entry is " + err.Error(), true
	case err != nil:
		return "the entry cannot be read (" + reason(err).Error() + ")", false
	case otherVersion(data):
		return "the entry is of another version", false
	case len(data) < headerSize || string(data[:len(entryMagic)]) != entryMagic:
		return "the entry is damaged or foreign", true
	}
	text, err := r.open(data, suffix)
	if err != nil || json.Unmarshal(text, content) != nil {
		return "the entry is damaged, or of another secret", true
	}
	return "", false
}

// otherVersion reports whether data begins like an entry of this program, but in another format.
func otherVersion(data []byte) bool {
	const program = len(entryMagic) - 1
	return len(data) >= len(entryMagic) && string(data[:program]) == entryMagic[:program] && data[program] != entryMagic[program]
}

// saveToken stores a token. A directory that another user could replace gets no refresh token.
func (k *Cache) saveToken(r *request, token Token) error {
	if k.uncertain != nil {
		token.RefreshToken, token.RefreshTokenExpiry = Secret{}, time.Time{}
	}
	useful := token.Expiry
	switch end := token.RefreshTokenExpiry; {
	case token.RefreshToken.IsZero():
	case end.IsZero():
		useful = time.Now().Add(unknownLife)
	case end.After(useful):
		useful = end
	}
	return k.savePart(r, entrySuffix, token.stored(), useful)
}

// saveRejection stores that the platform has rejected the credentials. It does not replace an entry: the entry's token
// may belong to other credentials.
func (k *Cache) saveRejection(r *request, rejected *Error, until time.Time) error {
	return k.savePart(r, rejectionSuffix, storedRejection{rejected, until}, until)
}

func (k *Cache) savePart(r *request, suffix string, content any, useful time.Time) error {
	data, err := r.seal(content, suffix, useful)
	if err != nil {
		return err
	}
	return k.write(r.name(), suffix, data)
}

// updateToken replaces the stored token by the result of change. It does nothing if change returns false, or if another
// process holds the lock. It does not wait for the lock.
func (k *Cache) updateToken(r *request, change func(Token) (Token, bool)) {
	release, err := k.tryLock(r.name())
	if release == nil || err != nil {
		return
	}
	defer release()
	known, miss, _ := k.load(r)
	if changed, ok := change(known.Token); ok && miss == "" {
		_ = k.saveToken(r, changed) // on an error the old entry stays; its token is refused and discarded again
	}
}

// open decrypts an entry that has at least a header.
func (r *request) open(entry []byte, suffix string) ([]byte, error) {
	header, sealed := entry[:headerSize], entry[headerSize:]
	aead, err := r.aead(header[headerSize-saltSize:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, io.ErrUnexpectedEOF
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], r.binding(header, suffix))
}

// seal returns the encoded entry: header, nonce, and the encrypted content.
func (r *request) seal(content any, suffix string, useful time.Time) ([]byte, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	header := entryHeader(entryMagic, useful)
	aead, err := r.aead(header[headerSize-saltSize:])
	if err != nil {
		return nil, err
	}
	nonce := random(aead.NonceSize())
	return aead.Seal(slices.Concat(header, nonce), nonce, text, r.binding(header, suffix)), nil
}

// entryHeader returns the header of an entry, with a new salt.
func entryHeader(magic string, useful time.Time) []byte {
	header := binary.BigEndian.AppendUint64([]byte(magic), uint64(useful.Unix())) //nolint:gosec // entryUsefulUntil reads it as it is written
	return append(header, random(saltSize)...)
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

// binding returns the data that an entry is bound to besides its key: the header, the request, and which entry of the
// request it is.
func (r *request) binding(header []byte, suffix string) []byte {
	digest := r.key()
	return slices.Concat(header, digest[:], []byte(suffix))
}

// aead returns the cipher for an entry with this salt. Secrets that a platform has generated are too long to be
// guessed, so a fast derivation of the key is enough. A user's password gets the memory-hard derivation that RFC 9106,
// section 4, recommends as second choice.
func (r *request) aead(salt []byte) (cipher.AEAD, error) {
	material := r.secretsDigest()
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

// storedToken is a token in clear text. seal encrypts it.
type storedToken struct {
	AccessToken        string    `json:"access_token,omitempty"`
	TokenType          string    `json:"token_type,omitempty"`
	Obtained           time.Time `json:"obtained,omitzero"`
	Expiry             time.Time `json:"expiry,omitzero"`
	Refused            bool      `json:"refused,omitempty"`
	Scope              string    `json:"scope,omitempty"`
	UserName           string    `json:"user_name,omitempty"`
	RefreshToken       string    `json:"refresh_token,omitempty"`
	RefreshTokenExpiry time.Time `json:"refresh_token_expiry,omitzero"`
}

// storedRejection is a rejection, and when it ends.
type storedRejection struct {
	Rejected *Error    `json:"rejected"`
	Until    time.Time `json:"until"`
}

// Format writes [redacted] for every verb.
func (storedToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (t Token) stored() storedToken {
	return storedToken{
		AccessToken: t.AccessToken.Reveal(), TokenType: t.TokenType, Obtained: t.obtained, Expiry: t.Expiry, Refused: t.refused,
		Scope: t.Scope, UserName: t.UserName,
		RefreshToken: t.RefreshToken.Reveal(), RefreshTokenExpiry: t.RefreshTokenExpiry,
	}
}

func (s storedToken) token() Token {
	return Token{
		AccessToken: NewSecret(s.AccessToken), TokenType: s.TokenType, obtained: s.Obtained, Expiry: s.Expiry, refused: s.Refused,
		Scope: s.Scope, UserName: s.UserName,
		RefreshToken: NewSecret(s.RefreshToken), RefreshTokenExpiry: s.RefreshTokenExpiry,
	}
}
