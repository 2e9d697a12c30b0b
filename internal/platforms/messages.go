// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file words what users are told. A message names what did not happen and the platform, then what was found, then
// what to set, and links to its section in the guide. It is about an input only where the line in which that is set may be
// shown: never about a secret, and never about a URL that was not accepted.

// Message is what users are told.
type Message struct {
	Warning bool // nothing is stopped by it
	Summary string
	Detail  string
	Input   string // that it is about; "": none
}

// Terms are how a front end calls things.
type Terms struct {
	Input   func(Input) string    // as users know it: client_id (VARIABLE), --client-id (VARIABLE)
	Setting func(Input) string    // a general one, and its place
	Places  func(Platform) string // where inputs may be set
	Notes   func(Input) []string  // what else to know about that, for one input
	Trim    string                // how to drop blanks and line breaks from what comes from a file
}

// None is the summary of every message that says why there is no token, or no API proxy.
func (p Platform) None(why string) string {
	return "No " + p.Title + " " + cmp.Or(p.thing, "access token") + ": " + why
}

// Issues is where faults of this program are reported.
const Issues = "https://github.com/ixtoken/terraform-provider-ixtoken/issues"

// guide is the page that has a section for each message.
const guide = "https://github.com/ixtoken/terraform-provider-ixtoken/blob/main/docs/guides/troubleshooting.md"

// moreMark stands between a detail and the link to its section.
const moreMark = "\n\nMore: "

// More points to a section of the guide by its heading.
func More(heading string) string {
	return moreMark + guide + "#" + strings.ReplaceAll(strings.ToLower(heading), " ", "-")
}

// Split returns the detail without its last line, and the URL of the guide's section that this line links to.
func (m Message) Split() (detail, section string) {
	detail, section, _ = strings.Cut(m.Detail, moreMark)
	return detail, section
}

// warn is a message that stops nothing. Its summary ends in the heading of its section.
func warn(about, heading, detail string) Message {
	return Message{Warning: true, Summary: strings.TrimSpace(about + " " + heading), Detail: detail + More(heading)}
}

// credentials are what a platform may reject where the grant type is used.
func (p Platform) credentials(grantType string) []Input {
	var found []Input
	for _, in := range p.Inputs {
		needed := !in.Optional && !in.OneToken && in.Default == "" && in.Name != p.URL // what replaces the URL is optional
		if needed && in.usedBy(grantType) {
			found = append(found, in)
		}
	}
	return found
}

// named lists inputs as users know them.
func (t Terms) named(inputs []Input) string {
	var names []string
	for _, in := range inputs {
		names = append(names, t.Input(in))
	}
	return Enumerate(names)
}

// noted is an input, with what else to know about it.
func (t Terms) noted(in Input) string {
	if notes := t.Notes(in); len(notes) > 0 {
		return in.Name + " (" + strings.Join(notes, "; ") + ")"
	}
	return in.Name
}

// origins says where the inputs' values come from, of which each has three places that hide one another.
func (s Settings) origins(inputs []Input) string {
	var places []string
	for _, in := range inputs {
		if from := s[in.Name].From; from != "" {
			places = append(places, in.Name+" from "+string(from))
		}
	}
	if places == nil {
		return ""
	}
	return "In use: " + Enumerate(places) + "."
}

// Enumerate writes names as a sentence does: a, b and c.
func Enumerate(names []string) string {
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}

// Sentence ends in one full stop, which may be that of a quotation.
func Sentence(text string) string {
	if strings.HasSuffix(text, `."`) {
		return text
	}
	return strings.TrimSuffix(text, ".") + "."
}

// noCache is about a directory that cannot be used.
func noCache(dir string, err error) Message {
	return notShared(fmt.Sprintf("The directory %q is not used: %v", dir, err))
}

// notShared is about a cache that is not used.
func notShared(why string) Message {
	return warn("", "Tokens are not shared with other processes",
		Sentence(why)+" Set "+TokenCacheDir.Name+" ("+TokenCacheDir.Environment+") to a directory in which only you can write.")
}

// ExplainMissing is about required inputs that are set nowhere.
func (p Platform) ExplainMissing(missing []Input, terms Terms) Message {
	const why = "settings are missing"
	detail := "Nothing was sent. Set " + terms.Places(p) + ":"
	for _, in := range missing {
		detail += "\n  - " + terms.noted(in)
		for _, other := range p.rivals(in) {
			detail += ", or " + terms.noted(other)
		}
	}
	return Message{Summary: p.None(why), Detail: detail + More(why)}
}

// ExplainInvalid is about values that are not accepted.
func (p Platform) ExplainInvalid(faults []Invalid, terms Terms) []Message {
	var messages []Message
	for _, fault := range faults {
		message := Message{
			Summary: p.None("invalid " + fault.Input.Name),
			Detail:  Sentence(terms.Input(fault.Input)+" "+fault.Text) + " It comes from " + string(fault.From) + ". Nothing was sent." + More("invalid attribute"),
		}
		if !fault.Input.Secret && !fault.Input.URL && fault.Input.Name != p.URL {
			message.Input = fault.Input.Name
		}
		messages = append(messages, message)
	}
	return messages
}

// remedy words one kind of failure. In what to do, {url} and {credentials} stand for the platform's inputs of that kind,
// {platform} for its name, {rejected} and {scope} for what to know about it when it has rejected credentials or a scope.
type remedy struct {
	why, what string
	input     string // to which the diagnostic belongs, if the platform has it; "": to the block
}

var remedies = map[clients.Kind]remedy{
	clients.InvalidInput:           {"invalid settings", "", ""},
	clients.CredentialsRejected:    {"credentials rejected", "Check {credentials}, and that they belong to this {url}. This process does not send them again. {rejected}", "client_id"},
	clients.RejectionNotUnderstood: {"answer not understood", "{platform} answers a rejected login with status 500, so the login is not repeated. If {credentials} were accepted before, it may be an outage: try again later. {rejected}", "client_id"},
	clients.GrantRejected:          {"grant type not allowed", "Ask {platform} to allow the grant type to this client, or choose another one.", "client_id"},
	clients.ScopeRejected:          {"scope not allowed", "Ask {platform} which scopes this client may have. {scope}", "scopes"},
	clients.RefreshTokenRejected:   {"refresh token rejected", "Leave out previous_refresh_token to use the client credentials.", ""},
	clients.RequestRejected:        {"request rejected", "Check {url}, {credentials}.", "client_id"},
	clients.Forbidden:              {"access forbidden", "Something in front of the platform does not let the request through: check from where it may be reached, and {url}.", "{url}"},
	clients.NotFound:               {"no token endpoint at this URL", "Check {url}: it may be another platform's, or another path.", "{url}"},
	clients.NotAcceptable:          {"media type or version not accepted", "Check {url}, and the API version if you have set one.", "{url}"},
	clients.Redirected:             {"redirected", "Secrets are sent to the configured URL alone. Set {url} to the platform's own.", "{url}"},
	clients.BadAnswer:              {"the answer is no token", "Check {url}: a portal, a login page or a proxy may be answering in the platform's place.", "{url}"},
	clients.Throttled:              {"too many requests", "Wait before the next run; {platform} limits how often tokens are asked for.", ""},
	clients.Unavailable:            {"platform unavailable", "The fault is {platform}'s; try again when its status page says that it is over.", ""},
	clients.Unreachable:            {"platform unreachable", "Check {url}, the network, and whether a proxy is needed (HTTPS_PROXY, NO_PROXY).", "{url}"},
	clients.Untrusted:              {"connection not trusted", "Check {url}, the certificate of its server, and this machine's clock; for an authority of your own, set {ca}.", "{url}"},
	clients.ProxyFailed:            {"proxy failed", "Check HTTPS_PROXY and NO_PROXY, and the proxy's user name and password in the former; for an authority of your own, set {ca}.", ""},
	clients.TimedOut:               {"no answer in time", "Check {url} and the network; a slow platform may need a longer {timeout}.", "{url}"},
	clients.Cancelled:              {"cancelled", "Nothing more is sent.", ""},
	clients.NoIdentityToken:        {"no identity token", "Check {identity}. An identity token is read anew for each exchange, so a later run may have another one.", ""},
	clients.Internal:               {"internal fault", "This is a fault of the provider: please report it at " + Issues + ".", ""},
}

// exchangeRemedies are those of a token exchange, where they differ.
var exchangeRemedies = map[clients.Kind]remedy{
	clients.CredentialsRejected: {"identity token rejected", "Check {identity} and {url}, and which issuers, audiences and subjects {platform} trusts there. This process does not send the same identity token again.", ""},
	clients.RequestRejected:     {"identity token rejected", "Check {url}, the scope, and which issuers, audiences and subjects {platform} trusts there.", ""},
	clients.GrantRejected:       {"grant type not allowed", "Check {url}, and ask {platform} to allow the token exchange.", "grant_type"},
	clients.ScopeRejected:       {"scope not allowed", "Ask {platform} which scopes this identity may have. {scope}", exchangeScope},
}

// Explain words a failure of the client, which was asked with the settings.
func (p Platform) Explain(err error, found Settings, terms Terms) Message {
	failure := &clients.Error{Kind: clients.Internal}
	errors.As(err, &failure)
	how := remedies[failure.Kind]
	if other, ok := exchangeRemedies[failure.Kind]; ok && found.GrantType() == clients.TokenExchange {
		how = other
	}
	url, credentials := p.place(found), p.credentials(found.GrantType())
	identity := p.used(p.Input(subjectToken), found)
	var concerned []Input
	if strings.Contains(how.what, "{url}") {
		concerned = append(concerned, url)
	}
	if strings.Contains(how.what, "{credentials}") {
		concerned = append(concerned, credentials...)
	}
	if strings.Contains(how.what, "{identity}") {
		concerned = append(concerned, identity)
	}
	what := strings.NewReplacer(
		"{identity}", terms.Input(identity),
		"{url}", terms.Input(url),
		"{credentials}", terms.named(credentials),
		"{platform}", cmp.Or(p.Party, p.Title),
		"{rejected}", p.Rejected,
		"{scope}", p.Scope,
		"{ca}", terms.Setting(CACertPEM),
		"{timeout}", terms.Setting(RequestTimeout),
	).Replace(how.what)
	if len(concerned) > 0 {
		what = strings.TrimSpace(strings.TrimSpace(what) + " " + found.origins(concerned))
	}
	if strings.Contains(how.what, "{credentials}") || failure.Kind == clients.RefreshTokenRejected {
		for _, odd := range p.oddCredentials(found) {
			what = odd.sentence(terms) + " " + what
		}
	}
	message := Message{
		Summary: p.None(how.why),
		Detail:  strings.TrimSpace(Sentence(failure.Error())+"\n\n"+what) + More(how.why),
	}
	place := p.Input(strings.ReplaceAll(how.input, "{url}", url.Name))
	if how.input == "client_id" && len(credentials) > 0 {
		place = credentials[0] // whatever the platform calls it
	}
	if !place.Secret && (how.input != "client_id" || found.GrantType() != clients.Password) { // it may be the user's
		message.Input = place.Name
	}
	return message
}

// RemarksOnSettings are what users should know about what they send, whatever the platform says to it.
func (p Platform) RemarksOnSettings(found Settings, terms Terms) []Message {
	var said []Message
	for _, odd := range p.oddCredentials(found) {
		detail := odd.sentence(terms) + " It comes from " + string(found[odd.Name].From) + ". It is sent unchanged, because it may be right."
		if text := found.Text(odd.Name); text != strings.TrimSpace(text) {
			detail += " " + terms.Trim
		}
		said = append(said, warn(p.Title+": "+odd.Name+" "+strings.Join(odd.texts, ", ")+" and", "may not be the value that you meant", detail))
	}
	if found.GrantType() == clients.Password {
		said = append(said, warn(p.Title, "retired the password grant", "It is deprecated since 2024-01-08, and its end of life was on 2025-01-07. Use the client credentials: leave out grant_type, user_name and user_password."))
	}
	return said
}

// RemarksOnToken are what users should know about the token that they got.
func (p Platform) RemarksOnToken(found Settings, token clients.Token) []Message {
	var said []Message
	if token.Fallback != nil {
		said = append(said, warn("The "+p.Title+" access token", "did not come from the refresh token", Sentence(token.Fallback.Error())+" It was obtained with the client credentials instead. A refresh token can be used once. Terraform's plan and its apply are two uses."))
	}
	switch left := time.Until(token.Expiry); {
	case token.Expiry.IsZero():
		said = append(said, warn(p.Title, "names no lifetime for the token", "It may end at any time. It is not shared with later uses."))
	case left < found.MinValidity():
		said = append(said, warn("The "+p.Title+" access token is", "valid for less than min_validity", fmt.Sprintf("It is valid for another %s, and min_validity asks for %s: %s grants no more. Set a smaller min_validity. Until then, blocks share a token only for the first tenth of its lifetime.", Brief(max(0, left).Truncate(time.Second)), Brief(found.MinValidity()), p.Title)))
	}
	if lacking := missingScopes(found.Text("scopes"), token.Scope); len(lacking) > 0 {
		said = append(said, warn(p.Title, "granted fewer scopes than were asked for", "Not granted: "+strings.Join(lacking, ", ")+"."))
	}
	return said
}

// Brief writes a duration as users do: 5m, not 5m0s.
func Brief(duration time.Duration) string {
	text := duration.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len(zero)+1]
		}
	}
	return text
}

// missingScopes are those that were asked for and not granted. A platform that names none has granted all (RFC 6749,
// section 5.1).
func missingScopes(asked, granted string) []string {
	if granted == "" {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(asked), func(scope string) bool {
		return slices.Contains(strings.Fields(granted), scope)
	})
}
