// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// Hint is what the platform's code or description says about the remedy, beyond the kind of the failure.
type Hint int

// The hints.
const (
	NoHint         Hint = iota
	AccountLocked       // the platform says that the account is locked or disabled
	SecretOrGrant       // the platform says the same of a wrong secret and of a client that may not use the grant type
	ClientWanted        // the server of a token exchange asks for a client, and the request has none
	DeniedByServer      // the answer is 403 with a code of OAuth 2.0, so it does not come from a firewall
	NotTLS              // the server did not speak TLS at this port
	PerhapsTLS          // the request went over http, and was answered as servers answer it at a port for https
	PlainPassword       // nothing was sent: the password is not encoded as the settings say
)

// oauthCodes are the codes of OAuth 2.0 that an authorization server may use beside 403, except those in rejections.
var oauthCodes = []string{
	"access_denied",                       // RFC 6749, section 4.1.2.1
	"insufficient_scope", "invalid_token", // RFC 6750, section 3.1
	"invalid_target",                                             // RFC 8707, section 2
	"interaction_required", "login_required", "consent_required", // OpenID Connect Core 1.0, section 3.1.2.6
}

// hint returns the hint in an answer that was judged.
func (r *request) hint(e *Error, said reply) Hint {
	ofClient := e.blames == wholeClient || e.blames == clientInGrant
	switch {
	case r.identity != nil && ofClient && r.authMethod == "":
		return ClientWanted
	case r.identity == nil && e.Kind.mayBeLocked() && (saysLocked(said.code) || saysLocked(said.description)):
		return AccountLocked
	case e.blames == clientInGrant:
		return SecretOrGrant
	case e.Kind == Forbidden && slices.Contains(oauthCodes, strings.ToLower(said.code)):
		return DeniedByServer
	case e.Kind == RequestRejected && e.Status == http.StatusBadRequest && said.code == "" && r.endpoint.Scheme == "http": // Go, nginx, Apache
		return PerhapsTLS
	}
	return NoHint
}

// mayBeLocked reports whether a locked account may be the cause.
func (k Kind) mayBeLocked() bool {
	return k.rejectsCredentials() || k == GrantRejected || k == RefreshTokenRejected || k == RequestRejected || k == Forbidden || k == Throttled
}

// The words of a locked account. lockDoubts are words before it that say that the account is not locked yet, or that this
// is one of several causes.
var (
	lockSubjects = []string{"account", "user", "client", "application"}
	lockFillers  = []string{"is", "was", "are", "has", "have", "been", "temporarily", "permanently", "currently", "now", "already"}
	lockStates   = []string{"locked", "lockout", "disabled", "deactivated", "suspended", "blocked"}
	lockDoubts   = []string{"or", "if", "unless", "until", "before", "avoid", "prevent", "whether", "when"}
	sentences    = strings.NewReplacer(". ", "\n", "; ", "\n", ": ", "\n", "! ", "\n", "? ", "\n")
	lockFailures = []string{"failed", "invalid", "incorrect", "unsuccessful", "wrong", "bad"}
)

// saysLocked reports whether a code or a description says that an account is locked or disabled: account_locked, "The
// account is locked", "disabled user", "too many failed login attempts". It is false for a warning, such as "will be
// locked", and where something else is disabled, such as a grant type.
func saysLocked(text string) bool {
	for sentence := range strings.SplitSeq(sentences.Replace(text), "\n") {
		words := wordsOf(sentence)
		for i, word := range words {
			subject := i - 1
			for subject >= 0 && slices.Contains(lockFillers, words[subject]) {
				subject--
			}
			switch {
			case word == "attempts" && tooMany(words[:i]):
				return true
			case !slices.Contains(lockStates, word):
			case subject >= 0 && slices.Contains(lockSubjects, words[subject]) && undoubted(words[:subject]):
				return true
			case i+1 < len(words) && slices.Contains(lockSubjects, words[i+1]) && undoubted(words[:i]):
				return true
			}
		}
	}
	return false
}

// undoubted reports whether none of the last words before the account leaves a doubt.
func undoubted(before []string) bool {
	return !slices.ContainsFunc(before[max(0, len(before)-3):], func(word string) bool { return slices.Contains(lockDoubts, word) })
}

// tooMany reports whether words end in "too many failed", or in the same with a word or two behind it.
func tooMany(words []string) bool {
	for i := range words {
		if i >= len(words)-5 && i+2 < len(words) && words[i] == "too" && words[i+1] == "many" {
			return slices.ContainsFunc(words[i+2:], func(word string) bool { return slices.Contains(lockFailures, word) })
		}
	}
	return false
}

// wordsOf returns the words of a text or of a code in small letters: AccountLocked and ACCOUNT_LOCKED are two words.
func wordsOf(text string) []string {
	var spaced strings.Builder
	before := ' '
	for _, r := range text {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(r)
		before = r
	}
	return strings.FieldsFunc(strings.ToLower(spaced.String()), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
