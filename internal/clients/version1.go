// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// This file lets processes of the first version use the same directory. That version keeps the mark on a refresh token in
// the encrypted entry of its request, under a name of its own. The file can go when nobody runs that version any more.

const (
	prefix1 = "v1-"
	magic1  = "ixtoken\x01" // as long as entryMagic
)

// digest1 is the digest of the request in the first version.
func (r *request) digest1() digest {
	parts := []string{r.endpoint.String(), r.body.Reveal()}
	for _, h := range r.headers {
		parts = append(parts, h.name, h.value.Reveal())
	}
	return sum(parts...)
}

// mark1 sets or removes the mark of the first version, if processes of that version use the directory. It returns false
// if one of them has set the mark before.
func (k *Cache) mark1(ctx context.Context, r *request, spent bool) (first bool, err error) {
	if used, err := fs.Glob(k.root.FS(), prefix1+"*"+lockSuffix); err != nil || used == nil {
		return true, err
	}
	digest := r.digest1()
	name := prefix1 + hex.EncodeToString(digest[:16])
	release, err := k.lock(ctx, name) // a process of the first version holds it while it sends the request
	if err != nil {
		return false, err
	}
	defer release()
	content := map[string]any{}
	if data, err := k.read(name+entrySuffix, maxEntrySize); err == nil {
		content = r.open1(data)
	}
	if content["spent"] == true && spent {
		return false, nil
	}
	content["spent"] = spent
	data, err := r.seal1(content)
	if err == nil {
		err = k.write(name, entrySuffix, data)
	}
	return err == nil, err
}

// open1 decrypts an entry of the first version; empty: it is none.
func (r *request) open1(entry []byte) map[string]any {
	content := map[string]any{}
	if len(entry) < headerSize+aeadOverhead {
		return content
	}
	header, sealed := entry[:headerSize], entry[headerSize:]
	if aead, err := r.aead(header[headerSize-saltSize:]); err == nil {
		digest := r.digest1()
		if text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], slices.Concat(header, digest[:])); err == nil {
			_ = json.Unmarshal(text, &content) // what is no JSON holds no mark
		}
	}
	return content
}

// seal1 encrypts an entry of the first version.
func (r *request) seal1(content map[string]any) ([]byte, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("the mark for another version: %w", err)
	}
	header := entryHeader(magic1, time.Now().Add(unknownLife))
	aead, err := r.aead(header[headerSize-saltSize:])
	if err != nil {
		return nil, err
	}
	digest, nonce := r.digest1(), random(aead.NonceSize())
	return aead.Seal(slices.Concat(header, nonce), nonce, text, slices.Concat(header, digest[:])), nil
}
