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
	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// This file holds the messages. A message says what did not happen at which platform, then what was found, then what to
// set. It ends in a link to its section in the guide. A message belongs to an input only if Terraform may print the line
// that sets the input. It never belongs to a secret, or to a URL that was not accepted.

// Message is an error or a warning for users.
type Message struct {
	Warning bool // false: an error
	Summary string
	Detail  string
	Input   string // the input that the message belongs to, or "" if there is none
}

// Terms are the names and sentences that differ between front ends.
type Terms struct {
	Input   func(Input) string            // names an input: client_id (VARIABLE), --client-id (VARIABLE)
	Setting func(Input) string            // names a general setting, with its place
	Places  func(Platform, Places) string // says where inputs can be set
	Notes   func(Input) []string          // says where else this input can be set, and where not
	Once    bool                          // reports whether the process ends with the message, so that only another run can send again
	Words
}

// Places are the places, beside the block or the command line, in which all of some inputs can be set.
type Places struct{ ProviderBlock, Environment bool }

// placesOf returns where all of the inputs can be set.
func placesOf(inputs []Input) Places {
	found := Places{true, true}
	for _, in := range inputs {
		found.ProviderBlock = found.ProviderBlock && !in.OneToken
		found.Environment = found.Environment && in.Environment != ""
	}
	return found
}

// notAgain says what a repetition would do with what was rejected.
func (t Terms) notAgain(what string) string {
	newRun := "Each new run sends " + what + " again: change something first."
	if t.Once {
		return newRun
	}
	return "This process does not send " + what + " again. " + newRun
}

// BucketURL is the section of the guide about a URL of a bucket that is not accepted.
const BucketURL = "The URL of a bucket"

// None returns the summary of an error: there is no token, or no API proxy, and why.
func (p Platform) None(why string) string {
	return "No " + p.Title + " " + cmp.Or(p.result, "access token") + ": " + why
}

// Issues is the URL for reports of faults in this program.
const Issues = "https://github.com/ixtoken/terraform-provider-ixtoken/issues"

// guide is the URL of the page with a section for each message.
const guide = "https://github.com/ixtoken/terraform-provider-ixtoken/blob/main/docs/guides/troubleshooting.md"

// moreMark separates a detail from the link to its section.
const moreMark = "\n\nMore: "

// More returns the link to the section of the guide with the heading.
func More(heading string) string {
	return moreMark + guide + "#" + strings.ReplaceAll(strings.ToLower(heading), " ", "-")
}

// Split returns the detail without the link, and the URL of the link.
func (m Message) Split() (detail, section string) {
	detail, section, _ = strings.Cut(m.Detail, moreMark)
	return detail, section
}

// warn returns a warning. Its summary ends in the heading of its section.
func warn(about, heading, detail string) Message {
	return Message{Warning: true, Summary: strings.TrimSpace(about + " " + heading), Detail: detail + More(heading)}
}

// credentials returns the inputs that a platform may reject in a request with these settings.
func (p Platform) credentials(found Settings) []Input {
	var needed []Input
	for _, in := range p.Inputs {
		if !in.OneToken && in.Default == "" && in.Name != p.URL && in.usedBy(found.use()) && in.required(found) { // inputs that replace the URL are optional
			needed = append(needed, p.inUse(in, found))
		}
	}
	return needed
}

// named lists the names of inputs.
func (t Terms) named(inputs []Input) string {
	var names []string
	for _, in := range inputs {
		names = append(names, t.Input(in))
	}
	return Enumerate(names)
}

// noted returns the name of an input, with its notes.
func (t Terms) noted(in Input) string {
	if notes := t.Notes(in); len(notes) > 0 {
		return in.Name + " (" + strings.Join(notes, "; ") + ")"
	}
	return in.Name
}

// origins says where the values of the inputs come from. Each has several sources, and the first one hides the others.
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

// Enumerate returns the names as in a sentence: a, b and c.
func Enumerate(names []string) string {
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}

// Sentence returns text with one full stop at its end, which may be inside a quotation.
func Sentence(text string) string {
	if strings.HasSuffix(text, `."`) {
		return text
	}
	return strings.TrimSuffix(text, ".") + "."
}

// noCache returns the warning about a directory that cannot be used.
func noCache(dir string, err error) Message {
	return notShared(fmt.Sprintf("The directory %s is not used: %v", printable.Path(dir), err))
}

// notShared returns the warning about a cache that is not used.
func notShared(why string) Message {
	return warn("", "Tokens are not shared with other processes",
		Sentence(why)+" Set "+TokenCacheDir.Name+" ("+TokenCacheDir.Environment+") to a directory in which only you can write.")
}

// RemarkOnSharing returns the warning about a bucket that could not be used.
func RemarkOnSharing(problem error) Message {
	return warn("", "Tokens are not shared with other machines", Sentence("The token was obtained without the bucket: "+problem.Error())+" Until the bucket works, each machine logs in by itself, and no refresh token is used.")
}

// ExplainMissing returns the error about required inputs that are not set.
func (p Platform) ExplainMissing(missing []Input, terms Terms) Message {
	const why = "settings are missing"
	detail := "Nothing was sent. Set " + terms.Places(p, placesOf(missing)) + ":"
	for _, in := range missing {
		detail += "\n  - " + terms.noted(in)
		for _, other := range p.alternatives(in) {
			if in.implied() == other.implied() {
				detail += ", or " + terms.noted(other)
			}
		}
	}
	return Message{Summary: p.None(why), Detail: detail + More(why)}
}

// ExplainInvalid returns the errors about values that are not accepted.
func (p Platform) ExplainInvalid(faults []Invalid, terms Terms) []Message {
	var messages []Message
	for _, fault := range faults {
		section := "invalid attribute"
		if fault.Input.is(TokenCacheURL) {
			section = BucketURL
		}
		message := Message{
			Summary: p.None("invalid " + fault.Input.Name),
			Detail:  Sentence(terms.Input(fault.Input)+" "+terms.Fill(fault.Text)) + " It comes from " + string(fault.From) + ". Nothing was sent." + More(section),
		}
		// In the place of the name of a secret, a user may have written the secret.
		if !fault.Input.Secret && fault.Input.Replaces == "" && !fault.Input.URL && fault.Input.Name != p.URL {
			message.Input = fault.Input.Name
		}
		messages = append(messages, message)
	}
	return messages
}

// remedy is the message for one kind of failure: why there is no token, and what to do. In what, {url}, {credentials} and
// {identity} stand for the platform's inputs, {platform} for its name, and {rejected} and {scope} for its own sentences. The
// names of Words stand for these.
type remedy struct {
	why, what string
	input     string // the input that the message belongs to, if the platform has it, or "" for the block
}

var remedies = map[clients.Kind]remedy{
	clients.InvalidInput:           {"invalid settings", "", ""},
	clients.CredentialsRejected:    {"credentials rejected", "Check {credentials}, and that they belong to this {url}. {not them again} {rejected}", "client_id"},
	clients.RejectionNotUnderstood: {"answer not understood", "{platform} answers a rejected login with status 500, so the login is not repeated. If {credentials} were accepted before, it may be an outage: try again later. {rejected}", "client_id"},
	clients.GrantRejected:          {"grant type not allowed", "Ask {platform} to allow this client the grant type, or choose another grant type.", "client_id"},
	clients.ScopeRejected:          {"scope not allowed", "Ask {platform} which scopes this client may have. {scope}", "scopes"},
	clients.RefreshTokenRejected:   {"refresh token rejected", "Leave out previous_refresh_token to use the client credentials.", ""},
	clients.RequestRejected:        {"request rejected", "Check {url}, and {credentials}.", "client_id"},
	clients.Forbidden:              {"access forbidden", "Something in front of the platform refuses the request. Check from which addresses you may reach it, and {url}.", "{url}"},
	clients.NotFound:               {"no token endpoint at this URL", "Check {url}: it may belong to another platform, or need another path or port.", "{url}"},
	clients.NotAcceptable:          {"media type or version not accepted", "Check {url}, and the API version if you have set one.", "{url}"},
	clients.Redirected:             {"redirected", "{Program} sends secrets to the configured URL only. Set {url} to the platform's own.", "{url}"},
	clients.BadAnswer:              {"the answer is no token", "Check {url}: a portal, a login page or a network proxy may answer instead of the platform.", "{url}"},
	clients.Throttled:              {"too many requests", "Wait before the next run. {platform} limits how often you may ask for tokens.", ""},
	clients.Unavailable:            {"platform unavailable", "The fault is at {platform}. Try again when its status page reports no outage.", ""},
	clients.Unreachable:            {"platform unreachable", "Check {url} and its port, the network, and whether a network proxy is needed (HTTPS_PROXY, NO_PROXY).", "{url}"},
	clients.Untrusted:              {"connection not trusted", "Check {url}, the certificate of its server, and this machine's clock. If you have your own authority, set {ca}.", "{url}"},
	clients.ProxyFailed:            {"network proxy failed", "Check HTTPS_PROXY and NO_PROXY, and the user name and the password in HTTPS_PROXY. If you have your own authority, set {ca}.", ""},
	clients.TimedOut:               {"no answer in time", "Check {url} and the network. A slow platform may need a longer {timeout}.", "{url}"},
	clients.Cancelled:              {"cancelled", "{Program} sends nothing more.", ""},
	clients.NoIdentityToken:        {"no identity token", "Check {identity}. {Program} reads the identity token anew for each exchange.", ""},
	clients.NoAssertion:            {"no client assertion", "Check {assertion}. {Program} reads the assertion anew for each request.", ""},
	clients.NoClientKey:            {"client key or certificate not usable", "Correct what the message names. {Program} reads files anew for each request.", ""},
	clients.AssertionUsed:          {"client assertion used already", "This process has sent the same assertion before, and servers accept an assertion (its jti) only once. Use a source that issues a new one for each request, such as client_assertion_github_audience. Or share the token with other runs by {cache}.", ""},
	clients.Internal:               {"internal fault", "This is a fault of {program}. Please report it at " + Issues + ".", ""},
}

// exchangeRemedies are the remedies of a token exchange that differ from the others.
var exchangeRemedies = map[clients.Kind]remedy{
	clients.CredentialsRejected: {"identity token rejected", "Check {identity} and {url}, and which issuers, audiences and subjects {platform} trusts there. {not it again}", ""},
	clients.RequestRejected:     {"identity token rejected", "Check {url}, the scope, and which issuers, audiences and subjects {platform} trusts there.", ""},
	clients.GrantRejected:       {"grant type not allowed", "Check {url}, and ask {platform} to allow the token exchange.", "grant_type"},
	clients.ScopeRejected:       {"scope not allowed", "Ask {platform} which scopes this identity may have. {scope}", exchangeScope},
}

// hintRemedies are the remedies for what the code or the description says beyond the kind.
var hintRemedies = map[clients.Hint]remedy{
	clients.AccountLocked:  {"account locked", "{platform} says that the account is locked or disabled. Stop all runs that use {credentials}, and ask {platform} to unlock it. Until then, {platform} rejects the right secret too, so do not replace it.", "client_id"},
	clients.SecretOrGrant:  {"credentials rejected", "The code has two causes: a wrong secret, or a client that may not use this grant type. Check {credentials}, and that they belong to this {url}. If they are right, ask {platform} to allow this client the grant type. This process does not send them again with this grant type. {rejected}", "client_id"},
	clients.ClientWanted:   {"the server asks for a client", "{platform} wants a client beside the identity token, and {program} sends none in {this} token exchange. {client} Check {url}, and ask {platform} to accept the identity token alone.", "{url}"},
	clients.NotTLS:         {"connection not trusted", "Nothing speaks TLS at this port. Check the port in {url}, which may be one for http, and HTTPS_PROXY. If the server is on this machine and speaks http, {url} may begin with http://.", "{url}"},
	clients.PerhapsTLS:     {"request rejected", "Check {url}, and {credentials}. The port may be one for https: then {url} has to begin with https://.", "client_id"},
	clients.PlainPassword:  {"invalid settings", "{encode}", ""},
	clients.DeniedByServer: {"access forbidden", "The code is one of OAuth 2.0, so the answer comes from {platform} and not from a firewall. Ask {platform} which right is missing.", ""},
}

// remedyFor returns the remedy for a failure of a request with the grant type. A hint counts more than the kind.
func remedyFor(failure *clients.Error, grantType string) remedy {
	if how, ok := hintRemedies[failure.Hint]; ok {
		return how
	}
	if how, ok := exchangeRemedies[failure.Kind]; ok && grantType == clients.TokenExchange && failure.Client == "" {
		return how
	}
	return remedies[failure.Kind]
}

// thisExchange fills in the remedy of a token exchange whose server asks for a client.
func (p Platform) thisExchange() (this, place string) {
	if !p.Input("client_id").Client {
		return "a", ""
	}
	return "this", "Set client_id, and what the client authenticates with, in the place where the inputs of the token exchange are set: a client from another place takes no part."
}

// Explain returns the error about a failure of the client. found are the settings of the request.
func (p Platform) Explain(err error, found Settings, terms Terms) Message {
	failure := &clients.Error{Kind: clients.Internal}
	errors.As(err, &failure)
	how := remedyFor(failure, found.GrantType())
	url, credentials := p.urlInput(found), p.credentials(found)
	if failure.Client != "" { // it is the client that was rejected
		credentials = slices.DeleteFunc(credentials, func(in Input) bool { return in.Grant != "" })
	}
	this, clientPlace := p.thisExchange()
	identity := p.inUse(p.Input(subjectToken), found)
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
		"{assertion}", terms.Input(p.inUse(p.Input(clientAssertion), found)),
		"{this}", this,
		"{client} ", strings.TrimLeft(clientPlace+" ", " "),
		"{cache}", terms.Setting(TokenCacheDir),
		"{url}", terms.Input(url),
		"{credentials}", terms.named(credentials),
		"{platform}", cmp.Or(p.Server, p.Title),
		"{not them again}", terms.notAgain("them"),
		"{not it again}", terms.notAgain("the same identity token"),
		"{rejected}", terms.Fill(p.Rejected),
		"{scope}", p.Scope,
		"{ca}", terms.Setting(CACertPEM),
		"{timeout}", terms.Setting(RequestTimeout),
	).Replace(strings.ReplaceAll(terms.Fill(how.what), "`", ""))
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
	about := p.Input(strings.ReplaceAll(how.input, "{url}", url.Name))
	if how.input == "client_id" && len(credentials) > 0 {
		about = credentials[0] // the platform's own name for client_id
	}
	if !about.Secret && (how.input != "client_id" || found.GrantType() != clients.Password) { // it may be the user's
		message.Input = about.Name
	}
	return message
}

// RemarksOnSettings returns the warnings about settings that are sent, but may be wrong.
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

// RemarksOnToken returns the warnings about a token.
func (p Platform) RemarksOnToken(found Settings, token clients.Token, words Words) []Message {
	var said []Message
	if token.Fallback != nil {
		said = append(said, warn("The "+p.Title+" access token", "did not come from the refresh token", Sentence(token.Fallback.Error())+words.Fill(" {Program} used the client credentials instead. {reused}")))
	}
	switch left := time.Until(token.Expiry); {
	case token.Expiry.IsZero():
		said = append(said, warn(p.Title, "names no lifetime for the token", "The token may expire at any time, so later uses do not share it."))
	case left < found.MinValidity():
		said = append(said, warn("The "+p.Title+" access token is", "valid for less than min_validity", fmt.Sprintf("It is valid for another %s, but min_validity is %s: %s grants no more. Set a smaller min_validity. Until then, a token is shared only for the first tenth of its lifetime.", Brief(max(0, left).Truncate(time.Second)), Brief(found.MinValidity()), p.Title)))
	}
	if lacking := missingScopes(found.Text("scopes"), token.Scope); len(lacking) > 0 {
		said = append(said, warn(p.Title, "granted fewer scopes than were asked for", "Not granted: "+strings.Join(lacking, ", ")+"."))
	}
	return said
}

// Brief returns a duration as users write it: 5m, not 5m0s.
func Brief(duration time.Duration) string {
	text := duration.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len(zero)+1]
		}
	}
	return text
}

// missingScopes returns the scopes that were asked for but not granted. A platform that names no scopes has granted all
// (RFC 6749, section 5.1). Some servers put commas between scopes, or write them in other letters. A scope that ends in
// .default stands for scopes with other names, which Entra ID grants in its place.
func missingScopes(asked, granted string) []string {
	if granted == "" {
		return nil
	}
	names := append(strings.Fields(granted), strings.Fields(strings.ReplaceAll(granted, ",", " "))...)
	return slices.DeleteFunc(strings.Fields(asked), func(scope string) bool {
		last := scope[strings.LastIndex(scope, "/")+1:]
		return strings.EqualFold(last, ".default") || slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, scope) })
	})
}
