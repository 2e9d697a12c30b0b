// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Grant is one way to obtain a token from one platform: a plain comparable struct of settings, such as Interxion.
type Grant interface {
	// call returns the request that the settings stand for, or an *Error of InvalidInput.
	call() (call, error)
}

// The grant types of RFC 6749 that the platforms know.
const (
	ClientCredentials = "client_credentials" // section 4.4
	Password          = "password"           // section 4.3
	RefreshToken      = "refresh_token"      // section 6
)

// call is one token request as it goes over the wire, and what the engine has to know about it.
type call struct {
	platform    string
	endpoint    *url.URL
	accept      string
	contentType string
	body        Secret

	// credential is what the platform counts failed attempts against.
	credential []Secret
	// secrets are the settings that must not come back in an error.
	secrets []Secret
	// once forbids to send the request again when nobody knows whether the platform has seen it.
	once bool
	// refreshLifetime is that of a refresh token whose answer names none; zero: none is assumed.
	refreshLifetime time.Duration
	// fallback is the grant to use where the platform no longer takes the refresh token; nil: this is no refresh.
	fallback Grant
}

// address is the host and path that are asked.
func (c call) address() string { return c.endpoint.Host + c.endpoint.Path }

// digest identifies a request or a credential without telling it.
type digest [sha256.Size]byte

// key is the digest of what would be sent: a setting that changes the request cannot be forgotten in it.
func (c call) key() digest {
	return sum(c.endpoint.String(), c.accept, c.contentType, c.body.Reveal())
}

// account is the digest of what the platform counts failed attempts against.
func (c call) account() digest {
	parts := []string{c.endpoint.Host}
	for _, part := range c.credential {
		parts = append(parts, part.Reveal())
	}
	return sum(parts...)
}

// sum hashes parts with their lengths, so that no two lists of parts run together.
func sum(parts ...string) digest {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return digest(hash.Sum(nil))
}

// input is a setting under the name that the platform's API gives it.
type input struct {
	name  string
	value string
	// free is set for secrets: they are sent exactly as they were given.
	free bool
}

func plain(name, value string) input { return input{name: name, value: value} }
func secret(name string, value Secret) input {
	return input{name: name, value: value.Reveal(), free: true}
}

// required returns an error that names every input that is missing or cannot be meant; nil if all are well.
func required(platform string, inputs ...input) error {
	var faults []string
	for _, in := range inputs {
		if in.value == "" {
			faults = append(faults, in.name+" is not set")
		} else if fault := checkInput(in); fault != "" {
			faults = append(faults, in.name+" "+fault)
		}
	}
	return invalidInput(platform, faults...)
}

func checkInput(in input) string {
	switch {
	case len(in.value) > maxInput:
		return fmt.Sprintf("is longer than %d bytes", maxInput)
	case !utf8.ValidString(in.value):
		return "is not valid UTF-8"
	case !in.free && strings.ContainsFunc(in.value, unicode.IsControl):
		return "has a line break or another control character"
	}
	return ""
}

func invalidInput(platform string, faults ...string) error {
	if len(faults) == 0 {
		return nil
	}
	return &Error{Platform: platform, Fault: InvalidInput, Description: strings.Join(faults, "; ")}
}
