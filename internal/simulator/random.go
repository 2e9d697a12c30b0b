// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
)

const (
	alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	// awkward has characters that need an escape somewhere: in forms, JSON, HTML, shells or URLs.
	awkward = `+/%&="\<~ '$#`
)

func randomString(length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = alphanumerics[randomIndex(len(alphanumerics))]
	}
	return string(text)
}

// randomSecret returns a secret that contains every awkward character, but not at its ends.
func randomSecret(length int) string {
	secret := []byte(randomString(length - len(awkward)))
	for _, c := range []byte(awkward) {
		secret = slices.Insert(secret, 1+randomIndex(len(secret)-1), c)
	}
	return string(secret)
}

// randomIndex returns a number from 0 to n-1.
func randomIndex(n int) int {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return int(binary.BigEndian.Uint32(b[:]) % uint32(n))
}
