// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file checks settings. A check returns what is wrong with a value, as the rest of a sentence that begins with the
// setting's name; "": nothing is wrong. It never repeats the value. Front ends use the same checks before they build a
// grant.

// CheckText checks a setting that has one line.
func CheckText(value Secret) string {
	if strings.ContainsFunc(value.Reveal(), unicode.IsControl) {
		return "has a line break or another control character"
	}
	return CheckSecret(value)
}

// CheckLines checks a setting that may have several values, each on a line of its own.
func CheckLines(value Secret) string {
	return CheckText(NewSecret(strings.Join(strings.FieldsFunc(value.Reveal(), isLineBreak), " ")))
}

// CheckSecret checks a setting with a value to send unchanged.
func CheckSecret(value Secret) string {
	switch text := value.Reveal(); {
	case len(text) > maxInput:
		return fmt.Sprintf("is longer than %d bytes", maxInput)
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	}
	return ""
}

// CheckURL checks a platform's URL.
func CheckURL(value Secret) string {
	if _, err := ParseURL(value.Reveal()); err != nil {
		return "is not accepted: " + err.Error()
	}
	return ""
}

// CheckOneOf returns a check that accepts only the allowed values.
func CheckOneOf(allowed ...string) func(Secret) string {
	return func(value Secret) string {
		if slices.Contains(allowed, value.Reveal()) {
			return ""
		}
		return `must be "` + strings.Join(allowed, `" or "`) + `"`
	}
}

var variableName = lazily(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckVariable checks the name of an environment variable. An identity token is none, because it has dots.
func CheckVariable(name Secret) string {
	if !variableName().MatchString(name.Reveal()) {
		return "is not the name of an environment variable: write the name alone, without $"
	}
	return CheckText(name)
}

// checks collects what is wrong with a grant's settings, so that one error names everything. Settings have the names of
// the front ends' inputs. text, secret and url return the value to send.
type checks struct {
	faults []string
}

// text checks a required setting that has one line.
func (c *checks) text(name, value string) string {
	c.required(name, NewSecret(value), CheckText)
	return value
}

// secret checks a required setting with a value to send unchanged.
func (c *checks) secret(name string, value Secret) string {
	c.required(name, value, CheckSecret)
	return value.Reveal()
}

// url checks and parses a required platform URL; nil: something is wrong with it.
func (c *checks) url(name, value string) *url.URL {
	c.required(name, NewSecret(value), CheckURL)
	u, _ := ParseURL(value) // CheckURL has reported the error
	return u
}

// identity checks the source of the identity token of a token exchange.
func (c *checks) identity(source IdentitySource) {
	c.one("identity token", source.settings("token_exchange_subject_token", "token_exchange_audience"))
}

// assertion checks where the client's assertion comes from: it was made elsewhere, or a key signs it.
func (c *checks) assertion(source IdentitySource, key ClientKey) {
	c.one("client assertion or key", append(source.settings("client_assertion", "client_assertion_github_audience"),
		setting{"client_key_pem", key.PEM, CheckPrivateKey}, setting{"client_key_file", NewSecret(key.File), CheckText}))
	sayings := key.sayings()
	for _, name := range slices.Sorted(maps.Keys(sayings)) {
		if sayings[name] != "" && !source.IsZero() {
			c.fault(name + " is for a key that signs here, and the client assertion was made elsewhere")
		}
	}
	if key.Algorithm != "" {
		c.value("client_signing_alg", NewSecret(key.Algorithm), CheckOneOf(SigningAlgorithms...))
	}
	c.value("client_key_id", NewSecret(key.ID), CheckText)
	c.value("client_signing_audience", NewSecret(key.Audience), CheckText)
	if !key.CertificatePEM.IsZero() {
		c.value("client_key_certificate_pem", key.CertificatePEM, CheckCertificate)
	}
	c.value("client_key_certificate_file", NewSecret(key.CertificateFile), CheckText)
	if !key.CertificatePEM.IsZero() && key.CertificateFile != "" {
		c.fault("more than one certificate of the client key is set")
	}
}

// certificate checks the certificate of the connection, and its key.
func (c *checks) certificate(certificate ClientCertificate) {
	if certificate.IsZero() {
		return
	}
	c.one("client certificate", []setting{{"client_certificate_pem", certificate.PEM, CheckCertificate}, {"client_certificate_file", NewSecret(certificate.File), CheckText}})
	c.one("client certificate key", []setting{{"client_certificate_key_pem", certificate.KeyPEM, CheckPrivateKey}, {"client_certificate_key_file", NewSecret(certificate.KeyFile), CheckText}})
}

// setting is one of several settings of which exactly one must be set.
type setting struct {
	name  string
	value Secret
	check func(Secret) string
}

// settings returns the settings of a source. name is that of the identity token itself.
func (i IdentitySource) settings(name, audience string) []setting {
	return []setting{
		{name, i.Token, CheckIdentityToken},
		{name + "_env_var", NewSecret(i.Variable), CheckVariable},
		{name + "_file", NewSecret(i.File), CheckText},
		{audience, NewSecret(i.Audience), CheckText},
	}
}

// one checks that exactly one of the settings is set, and its value.
func (c *checks) one(what string, settings []setting) {
	set := 0
	for _, one := range settings {
		if !one.value.IsZero() {
			c.value(one.name, one.value, one.check)
			set++
		}
	}
	switch {
	case set == 0:
		c.fault("no " + what + " is set")
	case set > 1:
		c.fault("more than one " + what + " is set")
	}
}

func (c *checks) fault(text string) { c.faults = append(c.faults, text) }

func (c *checks) required(name string, value Secret, check func(Secret) string) {
	if value.IsZero() {
		c.fault(name + " is not set")
		return
	}
	c.value(name, value, check)
}

// value checks a setting with the given check.
func (c *checks) value(name string, value Secret, check func(Secret) string) {
	if fault := check(value); fault != "" {
		c.fault(name + " " + fault)
	}
}

// err returns one error for everything that was found; nil: nothing is wrong.
func (c *checks) err(platform string) error {
	if len(c.faults) == 0 {
		return nil
	}
	return &Error{Platform: platform, Kind: InvalidInput, Description: strings.Join(c.faults, "; ")}
}
