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

// This file words everything that users are told. A diagnostic names what did not happen and the platform, then what
// was found, then what to set, as attribute and as environment variable. It is attached to an attribute only where the
// attribute's source line, which Terraform prints, cannot hold a secret: never to a secret, and never to a URL that was
// not accepted.

// none is the summary of every diagnostic that leaves a block without its token.
func (p platform) none(why string) string { return "No " + p.title + " access token: " + why }

// guide is the page that has a section for each reason.
const guide = "https://github.com/ixtoken/terraform-provider-ixtoken/blob/main/docs/guides/troubleshooting.md"

// more points to the section about a reason.
func more(why string) string {
	return "\n\nMore: " + guide + "#" + strings.ReplaceAll(strings.ToLower(why), " ", "-")
}

// named is an input as users know it: the attribute and the environment variable.
func (in input) named() string {
	if in.environment == "" {
		return in.name
	}
	return in.name + " (" + in.environment + ")"
}

// named lists inputs by name, in the order of the platform's table.
func (p platform) named(names ...string) string {
	var all []string
	for _, in := range p.inputs {
		if slices.Contains(names, in.name) {
			all = append(all, in.named())
		}
	}
	return strings.Join(all, " and ")
}

// explainSetting is about a value in the provider block, or in the environment.
func explainSetting(name, text string) diag.Diagnostic {
	const why = "Invalid provider configuration"
	return diag.NewErrorDiagnostic(why+": "+name, sentence(name+" "+text)+" Nothing was sent."+more(why))
}

// explainNoCache is about a cache that is not used. Tokens are obtained all the same.
func explainNoCache(dir string, err error) diag.Diagnostic {
	return diag.NewWarningDiagnostic("Tokens are not shared with other processes",
		sentence("The directory "+dir+" is not used: "+err.Error())+" Set "+tokenCacheDir.named()+" to a directory of your own.")
}

func sentence(text string) string {
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

func (a *accessToken) unknownDetail(general, own []input) string {
	var names []string
	for _, in := range general {
		names = append(names, in.name)
	}
	for _, in := range own {
		if in.blockOnly {
			names = append(names, in.name)
		} else {
			names = append(names, a.name+"."+in.name)
		}
	}
	detail := "The provider block sets " + strings.Join(names, ", ") + " to a value that is known only after apply, so nothing was sent."
	if len(own) == 0 {
		return detail + " Set it to a value that is known in the plan."
	}
	if a.stored && slices.ContainsFunc(own, func(in input) bool { return in.secret }) {
		return detail + " Set it to a value that is known in the plan, or use the ephemeral resource of the same name and write the value into its block: Terraform then waits for it."
	}
	return detail + " Written into this block itself, the same value makes Terraform wait until it is known."
}

func (a *accessToken) missingDetail(missing []input) string {
	detail := "Nothing was sent. Set, in this block, in the provider block's " + a.name + ", or as environment variable:"
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
		summary, detail := a.none("invalid "+fault.in.name), sentence(fault.in.named()+" "+fault.text)+" Nothing was sent."+more("invalid attribute")
		if fault.in.secret || fault.in.name == a.url {
			diags.AddError(summary, detail)
		} else {
			diags.AddAttributeError(path.Root(fault.in.name), summary, detail)
		}
	}
	return diags
}

// remedy words one kind of failure. In what to do, {url} and {credentials} stand for the platform's inputs of that kind,
// {platform} for its name, and {rejected} for what to know about it when it has rejected credentials.
type remedy struct {
	why, what string
	input     string // to which the diagnostic belongs; "": to the block
}

var remedies = map[clients.Fault]remedy{
	clients.InvalidInput:         {"invalid settings", "", ""},
	clients.CredentialsRejected:  {"credentials rejected", "Check {credentials}, and that they belong to this {url}. They were sent once and are not sent again in this run. {rejected}", "client_id"},
	clients.GrantRejected:        {"grant type not allowed", "Ask {platform} to allow the grant type to this client, or choose another one.", "client_id"},
	clients.ScopeRejected:        {"scope not allowed", "Ask for fewer scopes, or for none: then {platform} grants all that the client may have.", "scopes"},
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

// explain words a failure of the client.
func (a *accessToken) explain(err error) diag.Diagnostic {
	failure := &clients.Error{Fault: clients.Internal}
	errors.As(err, &failure)
	how := remedies[failure.Fault]
	what := strings.NewReplacer(
		"{url}", a.named(a.url),
		"{credentials}", a.named("client_id", "client_secret"),
		"{platform}", a.title,
		"{rejected}", a.rejected,
	).Replace(how.what)
	summary, detail := a.none(how.why), strings.TrimSpace(sentence(failure.Error())+"\n\n"+what)+more(how.why)
	if how.input == "" {
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(path.Root(strings.ReplaceAll(how.input, "{url}", a.url)), summary, detail)
}

// remarksOnSettings are what users should know about what they send, whatever the platform says to it.
func (a *accessToken) remarksOnSettings(found settings) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, in := range a.inputs {
		if in.secret && strings.HasSuffix(found.text(in.name), "\n") {
			diags.AddWarning(a.title+": "+in.name+" ends in a line break", "It was sent as it is. If the line break comes from file(), use trimspace(file(…)).")
		}
	}
	if found.grantType() == clients.Password {
		diags.AddWarning("Equinix retired the password grant", "It is deprecated since 2024-01-08, and its end of life was on 2025-01-07. Use the client credentials: leave out grant_type, user_name and user_password.")
	}
	return diags
}

// remarksOnToken are what users should know about the token that they got.
func (a *accessToken) remarksOnToken(found settings, token clients.Token) diag.Diagnostics {
	var diags diag.Diagnostics
	if token.Fallback != nil {
		diags.AddWarning(a.title+" did not take the refresh token", sentence(token.Fallback.Error())+" The token was obtained with the client credentials instead. A refresh token can be used once, and Terraform opens a block in the plan and again in the apply.")
	}
	switch left := time.Until(token.Expiry); {
	case token.Expiry.IsZero():
		diags.AddWarning(a.title+" names no lifetime for the token", "It may end at any time. It is not shared with blocks that are opened later.")
	case left < found.leastValidity():
		diags.AddWarning("The "+a.title+" access token is valid for less than min_validity", fmt.Sprintf("It is valid for another %s, and min_validity asks for %s: %s grants no more. It is not shared with blocks that are opened later.", brief(max(0, left).Round(time.Second)), brief(found.leastValidity()), a.title))
	}
	if lacking := missingScopes(found.text("scopes"), token.Scope); len(lacking) > 0 {
		diags.AddWarning(a.title+" granted fewer scopes than were asked for", "Not granted: "+strings.Join(lacking, ", ")+".")
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
	return diag.NewWarningDiagnostic("The "+a.title+" access token ended while it was in use",
		fmt.Sprintf("It ended at %s, before Terraform closed the block; what used it after that, if anything did, was refused. Terraform cannot replace a token while a block is open: ask for a longer min_validity, or open a second block later.", expiry.UTC().Format(time.RFC3339)))
}
