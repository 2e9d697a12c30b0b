// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file makes every diagnostic. One names what did not happen and the platform, then what was found, then what to
// set, as attribute and as environment variable, and links to its section in the guide. It is attached to an attribute
// only where the attribute's source line, which Terraform prints, cannot hold a secret: never to a secret, and never to a
// URL that was not accepted.

// none is the summary of every diagnostic that leaves a block without its token.
func (p platform) none(why string) string { return "No " + p.title + " access token: " + why }

// guide is the page that has a section for each diagnostic.
const guide = "https://github.com/ixtoken/terraform-provider-ixtoken/blob/main/docs/guides/troubleshooting.md"

// more points to a section of the guide by its heading.
func more(heading string) string {
	return "\n\nMore: " + guide + "#" + strings.ReplaceAll(strings.ToLower(heading), " ", "-")
}

// warning is a diagnostic that stops nothing. Its summary ends in the heading of its section.
func warning(about, heading, detail string) diag.Diagnostic {
	return diag.NewWarningDiagnostic(strings.TrimSpace(about+" "+heading), detail+more(heading))
}

// named is an input as users know it: the attribute and the environment variable.
func (in input) named() string {
	if in.environment == "" {
		return in.name
	}
	return in.name + " (" + in.environment + ")"
}

// input returns the one with that name; its zero value, if the platform has none.
func (p platform) input(name string) input {
	for _, in := range p.inputs {
		if in.name == name {
			return in
		}
	}
	return input{}
}

// credentials are what a platform may reject where the grant type is used.
func (p platform) credentials(grantType string) []input {
	var found []input
	for _, in := range p.inputs {
		needed := !in.optional && !in.blockOnly && in.fallback == "" && in.name != p.url
		if needed && (in.grant == "" || in.grant == grantType) {
			found = append(found, in)
		}
	}
	return found
}

// named lists inputs as users know them.
func named(inputs []input) string {
	var names []string
	for _, in := range inputs {
		names = append(names, in.named())
	}
	return list(names)
}

// origins says where the inputs' values come from, of which each has three places that hide one another.
func (s settings) origins(inputs []input) string {
	var places []string
	for _, in := range inputs {
		if from := s[in.name].from; from != "" {
			places = append(places, in.name+" from "+string(from))
		}
	}
	if places == nil {
		return ""
	}
	return "In use: " + list(places) + "."
}

// list writes names as a sentence does: a, b and c.
func list(names []string) string {
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}

// explainSetting is about a value in the provider block, or in the environment.
func explainSetting(name, text string) diag.Diagnostic {
	const why = "Invalid provider configuration"
	return diag.NewErrorDiagnostic(why+": "+name, sentence(name+" "+text)+" Nothing was sent."+more(why))
}

// explainNoCache is about a cache that is not used. Tokens are obtained all the same.
func explainNoCache(dir string, err error) diag.Diagnostic {
	return warning("", "Tokens are not shared with other processes",
		sentence(fmt.Sprintf("The directory %q is not used: %v", dir, err))+" Set "+tokenCacheDir.named()+" to a directory in which only you can write.")
}

// explainDump is about the variable that makes the plugin library write every message to disk.
func explainDump(variable string) diag.Diagnostic {
	return warning("", variable+" was ignored", "It would write every secret and token to disk, in clear and readable by all. Unset it. For a log, TF_LOG=DEBUG is enough.")
}

// explainPanic is about a fault of the provider, found at the places in origin.
func explainPanic(origin []string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Internal fault of the provider ixtoken", "It could not finish what it was asked for. Please report this at "+issues+
		" with these lines, which hold none of your values:\n  "+strings.Join(origin, "\n  ")+more("internal fault"))
}

// sentence ends in one full stop, which may be that of a quotation.
func sentence(text string) string {
	if strings.HasSuffix(text, `."`) {
		return text
	}
	return strings.TrimSuffix(text, ".") + "."
}

// explainProblems is about a block that cannot be resolved: one diagnostic a cause.
func (a *accessToken) explainProblems(bad problems, provider *configured) diag.Diagnostics {
	var diags diag.Diagnostics
	if provider.refused != nil {
		diags.Append(provider.refused)
	}
	if len(provider.unknown)+len(bad.unknown) > 0 {
		const why = "a setting is not known yet"
		diags.AddError(a.none(why), a.unknownDetail(provider.unknown, bad.unknown)+more(why))
	}
	if len(bad.missing) > 0 {
		const why = "settings are missing"
		diags.AddError(a.none(why), a.missingDetail(bad.missing)+more(why))
	}
	diags.Append(a.explainFaults(bad.invalid)...)
	return diags
}

// unknownDetail is about general settings of the provider block and about own ones of the platform.
func (a *accessToken) unknownDetail(general, own []input) string {
	var early, late []string // to be known in the plan; or else to be written into the block
	for _, in := range general {
		early = append(early, in.name)
	}
	for _, in := range own {
		if in.blockOnly { // it stands beside the platforms' objects
			late = append(late, in.name)
		} else {
			late = append(late, a.name+"."+in.name)
		}
	}
	detail := "Known only after apply, and therefore nothing was sent: what the provider block sets as " + list(slices.Concat(early, late)) + "."
	if len(early) > 0 {
		detail += " Set " + list(early) + " to what is known in the plan."
	}
	switch {
	case len(late) == 0:
	case a.stored && slices.ContainsFunc(own, func(in input) bool { return in.secret }):
		detail += " Set " + list(late) + " to what is known in the plan, or use the ephemeral resource of the same name and write it into its block: Terraform then waits for it."
	default:
		detail += " Write " + list(late) + " into this block itself: Terraform then waits for it."
	}
	return detail
}

func (a *accessToken) missingDetail(missing []input) string {
	detail := "Nothing was sent. Set in this block, in " + a.name + " = { … } of the provider block, or in the environment:"
	for _, in := range missing {
		detail += "\n  - " + in.name
		if notes := a.placeNotes(in); len(notes) > 0 {
			detail += " (" + strings.Join(notes, "; ") + ")"
		}
	}
	return detail
}

// placeNotes names the variable, and the places where an input cannot be set.
func (a *accessToken) placeNotes(in input) []string {
	var notes []string
	if in.environment != "" {
		notes = append(notes, in.environment)
	}
	if in.blockOnly {
		notes = append(notes, "in this block alone")
	}
	if a.stored && in.secret {
		notes = append(notes, "not in a data source")
	}
	return notes
}

// explainFaults is about values that are not accepted.
func (a *accessToken) explainFaults(faults []fault) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, fault := range faults {
		summary, detail := a.none("invalid "+fault.in.name), sentence(fault.in.named()+" "+fault.text)+" It comes from "+string(fault.from)+". Nothing was sent."+more("invalid attribute")
		if fault.in.secret || fault.in.name == a.url {
			diags.AddError(summary, detail)
		} else {
			diags.AddAttributeError(path.Root(fault.in.name), summary, detail)
		}
	}
	return diags
}

// remedy words one kind of failure. In what to do, {url} and {credentials} stand for the platform's inputs of that kind,
// {platform} for its name, {rejected} and {scope} for what to know about it when it has rejected credentials or a scope.
type remedy struct {
	why, what string
	input     string // to which the diagnostic belongs, if the platform has it; "": to the block
}

var remedies = map[clients.Kind]remedy{
	clients.InvalidInput:         {"invalid settings", "", ""},
	clients.CredentialsRejected:  {"credentials rejected", "Check {credentials}, and that they belong to this {url}. This process does not send them again. {rejected}", "client_id"},
	clients.GrantRejected:        {"grant type not allowed", "Ask {platform} to allow the grant type to this client, or choose another one.", "client_id"},
	clients.ScopeRejected:        {"scope not allowed", "Ask {platform} which scopes this client may have. {scope}", "scopes"},
	clients.RefreshTokenRejected: {"refresh token rejected", "Leave out previous_refresh_token to use the client credentials.", ""},
	clients.RequestRejected:      {"request rejected", "Check {url}, {credentials}.", "client_id"},
	clients.Forbidden:            {"access forbidden", "Something in front of the platform does not let the request through: check from where it may be reached, and {url}.", "{url}"},
	clients.NotFound:             {"no token endpoint at this URL", "Check {url}: it may be another platform's, or another path.", "{url}"},
	clients.NotAcceptable:        {"media type or version not accepted", "Check {url}, and the API version if you have set one.", "{url}"},
	clients.Redirected:           {"redirected", "Secrets are sent to the configured URL alone. Set {url} to the platform's own.", "{url}"},
	clients.BadAnswer:            {"the answer is no token", "Check {url}: a portal, a login page or a proxy may be answering in the platform's place.", "{url}"},
	clients.Throttled:            {"too many requests", "Wait before the next run; {platform} limits how often tokens are asked for.", ""},
	clients.Unavailable:          {"platform unavailable", "The fault is {platform}'s; try again when its status page says that it is over.", ""},
	clients.Unreachable:          {"platform unreachable", "Check {url}, the network, and whether a proxy is needed (HTTPS_PROXY, NO_PROXY).", "{url}"},
	clients.Untrusted:            {"connection not trusted", "Check {url} and this machine's clock; for an authority of your own, set ca_cert_pem in the provider block.", "{url}"},
	clients.ProxyFailed:          {"proxy failed", "Check HTTPS_PROXY and NO_PROXY, and the proxy's user name and password in the former.", ""},
	clients.TimedOut:             {"no answer in time", "Check {url} and the network; a slow platform may need a longer request_timeout in the provider block.", "{url}"},
	clients.Cancelled:            {"cancelled", "Nothing more is sent.", ""},
	clients.Internal:             {"internal fault", "This is a fault of the provider: please report it at " + issues + ".", ""},
}

// explain words a failure of the client, which was asked with the settings.
func (a *accessToken) explain(err error, found settings) diag.Diagnostic {
	failure := &clients.Error{Kind: clients.Internal}
	errors.As(err, &failure)
	how := remedies[failure.Kind]
	credentials := a.credentials(found.grantType())
	var concerned []input
	if strings.Contains(how.what, "{url}") {
		concerned = append(concerned, a.input(a.url))
	}
	if strings.Contains(how.what, "{credentials}") {
		concerned = append(concerned, credentials...)
	}
	what := strings.NewReplacer(
		"{url}", a.input(a.url).named(),
		"{credentials}", named(credentials),
		"{platform}", a.title,
		"{rejected}", a.rejected,
		"{scope}", a.scope,
	).Replace(how.what)
	if len(concerned) > 0 {
		what = strings.TrimSpace(strings.TrimSpace(what) + " " + found.origins(concerned))
	}
	summary := a.none(how.why)
	detail := strings.TrimSpace(sentence(failure.Error())+"\n\n"+what) + more(how.why)
	place := strings.ReplaceAll(how.input, "{url}", a.url)
	if a.input(place).name == "" || place == "client_id" && found.grantType() == clients.Password { // it may be the user's
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(path.Root(place), summary, detail)
}

// remarksOnSettings are what users should know about what they send, whatever the platform says to it.
func (a *accessToken) remarksOnSettings(found settings) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, in := range a.inputs {
		if in.secret && strings.HasSuffix(found.text(in.name), "\n") {
			diags.Append(warning(a.title+": "+in.name, "ends in a line break", "It was sent as it is. If the line break comes from file(), use trimspace(file(…))."))
		}
	}
	if found.grantType() == clients.Password {
		diags.Append(warning(a.title, "retired the password grant", "It is deprecated since 2024-01-08, and its end of life was on 2025-01-07. Use the client credentials: leave out grant_type, user_name and user_password."))
	}
	return diags
}

// remarksOnToken are what users should know about the token that they got.
func (a *accessToken) remarksOnToken(found settings, token clients.Token) diag.Diagnostics {
	var diags diag.Diagnostics
	if token.Fallback != nil {
		diags.Append(warning("The "+a.title+" access token", "did not come from the refresh token", sentence(token.Fallback.Error())+" It was obtained with the client credentials instead. A refresh token can be used once, and Terraform opens a block in the plan and again in the apply."))
	}
	switch left := time.Until(token.Expiry); {
	case token.Expiry.IsZero():
		diags.Append(warning(a.title, "names no lifetime for the token", "It may end at any time. It is not shared with blocks that are opened later."))
	case left < found.leastValidity():
		diags.Append(warning("The "+a.title+" access token is", "valid for less than min_validity", fmt.Sprintf("It is valid for another %s, and min_validity asks for %s: %s grants no more. Each block that is opened later and asks for as much causes a request of its own.", brief(max(0, left).Truncate(time.Second)), brief(found.leastValidity()), a.title)))
	}
	if lacking := missingScopes(found.text("scopes"), token.Scope); len(lacking) > 0 {
		diags.Append(warning(a.title, "granted fewer scopes than were asked for", "Not granted: "+strings.Join(lacking, ", ")+"."))
	}
	return diags
}

// brief writes a duration as users do: 5m, not 5m0s.
func brief(duration time.Duration) string {
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

// explainExpired is about a token that ended while it was still in use.
func (a *accessToken) explainExpired(expiry time.Time) diag.Diagnostic {
	return warning("The "+a.title+" access token", "ended while it was in use",
		fmt.Sprintf("It ended at %s, before Terraform closed the block. Any request with it after that was refused. Terraform cannot replace a token while a block is open: ask for a longer min_validity, or open a second block later.", expiry.UTC().Format(time.RFC3339)))
}
