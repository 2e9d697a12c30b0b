// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// This file makes all diagnostics: from the messages that provider and command share, and for the faults that only Terraform
// users can meet. A diagnostic is attached to an attribute only if the attribute is not secret, because Terraform prints
// the attribute's source line.

// diagnostics converts messages to Terraform's diagnostics.
func diagnostics(messages ...platforms.Message) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, m := range messages {
		switch {
		case m.Warning:
			diags.AddWarning(m.Summary, m.Detail)
		case m.Input == "":
			diags.AddError(m.Summary, m.Detail)
		default:
			diags.AddAttributeError(path.Root(m.Input), m.Summary, m.Detail)
		}
	}
	return diags
}

// warning returns a warning. Its summary ends with heading, which is also the heading of its section in the guide.
func warning(about, heading, detail string) diag.Diagnostic {
	return diag.NewWarningDiagnostic(strings.TrimSpace(about+" "+heading), detail+platforms.More(heading))
}

// terms returns the words of messages in Terraform.
func (a *accessToken) terms() platforms.Terms {
	return platforms.Terms{
		Input:   inputName,
		Setting: func(in platforms.Input) string { return in.Name + " in the provider block" },
		Places: func(p platforms.Platform, also platforms.Places) string {
			places := []string{"in this block"}
			if also.ProviderBlock {
				places = append(places, "in "+p.Name+" = { … } of the provider block")
			}
			if also.Environment {
				places = append(places, "in the environment")
			}
			if last := len(places) - 1; last > 0 {
				return strings.Join(places[:last], ", ") + ", or " + places[last]
			}
			return places[0]
		},
		Notes: a.inputNotes,
		Words: words,
	}
}

// words are Terraform's words in the texts of the platforms.
var words = platforms.Words{
	Program: "the provider",
	Trim:    "If it comes from file(), use trimspace(file(…)).",
	Encode:  "The function `provider::ixtoken::md5_b64` encodes a password in this way.",
	Home:    `use pathexpand("~/…"), or $HOME in a shell`,
	File:    `; use file("ca.pem") for a file that does`,
	Lines:   ", as in `join(\"\\n\", [\"https://a.example\", \"https://b.example\"])`",
	Reused:  "A refresh token works once, and Terraform uses it in the plan and in the apply.",
}

// inputName returns the attribute's name with the environment variable, if there is one.
func inputName(in platforms.Input) string {
	if in.Environment == "" {
		return in.Name
	}
	return in.Name + " (" + in.Environment + ")"
}

// explainSetting returns the error for an invalid value in the provider block or in the environment.
func explainSetting(name, text string) diag.Diagnostic {
	const why = "Invalid provider configuration"
	section := why
	if strings.HasPrefix(name, platforms.TokenCacheURL.Name) {
		section = platforms.BucketURL
	}
	return diag.NewErrorDiagnostic(why+": "+name, platforms.Sentence(name+" "+words.Fill(text))+" Nothing was sent."+platforms.More(section))
}

// explainProtocolDump returns the warning about the variable that makes the plugin library write every message to disk.
func explainProtocolDump(variable string) diag.Diagnostic {
	return warning("", variable+" was ignored", "It would write every secret and token to disk, unencrypted and readable by every user. Unset it. To get a log, set TF_LOG=DEBUG.")
}

// explainPanic returns the error for a panic. origin has the lines of the stack trace, without values.
func explainPanic(origin []string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Internal fault of the provider ixtoken", "The provider could not finish the operation. Please report this at "+platforms.Issues+
		" with the following lines, which contain none of your values:\n  "+strings.Join(origin, "\n  ")+platforms.More("internal fault"))
}

// explainProblems returns one diagnostic for each reason why a block has no complete settings.
func (a *accessToken) explainProblems(bad platforms.Problems) diag.Diagnostics {
	var diags diag.Diagnostics
	if a.provider.blockError != nil {
		diags.Append(a.provider.blockError)
	}
	if len(a.provider.unknown)+len(bad.Unknown) > 0 {
		diags.AddError(a.None(notKnown), a.unknownDetail(a.provider.unknown, bad.Unknown)+platforms.More(notKnown))
	}
	if len(bad.Missing) > 0 {
		diags.Append(diagnostics(a.ExplainMissing(bad.Missing, a.terms()))...)
	}
	if len(bad.Invalid) > 0 {
		diags.Append(diagnostics(a.ExplainInvalid(bad.Invalid, a.terms())...)...)
	}
	return diags
}

// notKnown is why a block with a setting that is not known yet has no result.
const notKnown = "a setting is not known yet"

// explainUnknownEnabled returns the error of a block that may be disabled or not.
func (a *accessToken) explainUnknownEnabled() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root(enabledName), a.None(notKnown),
		"In this block, enabled is known only after apply, and it decides whether anything is sent. Nothing was sent. Set enabled to a value that is known when Terraform opens the block, such as terraform.applying."+platforms.More(notKnown))
}

// unknownDetail words the error for settings in the provider block that are not known yet: general settings, and own
// settings of the platform.
func (a *accessToken) unknownDetail(general, own []platforms.Input) string {
	var early, late []string // must be known in the plan; can be set in the block instead
	for _, in := range general {
		early = append(early, in.Name)
	}
	for _, in := range own {
		if in.OneToken { // min_validity: not inside the platform's object
			late = append(late, in.Name)
		} else {
			late = append(late, a.Name+"."+in.Name)
		}
	}
	detail := "In the provider block, the following is known only after apply: " + platforms.Enumerate(slices.Concat(early, late)) + ". Nothing was sent."
	if len(early) > 0 {
		detail += " Set " + platforms.Enumerate(early) + " to a value that is known in the plan."
	}
	switch {
	case len(late) == 0:
	case a.stored && slices.ContainsFunc(own, func(in platforms.Input) bool { return in.Secret }):
		detail += " Set " + platforms.Enumerate(late) + " to a value that is known in the plan. Or use the ephemeral resource of the same name and set it there: Terraform then waits for the value."
	default:
		detail += " Set " + platforms.Enumerate(late) + " in this block instead: Terraform then waits for the value."
	}
	return detail
}

// inputNotes returns the input's variable, and notes about where the input can be set.
func (a *accessToken) inputNotes(in platforms.Input) []string {
	var notes []string
	if in.Environment != "" {
		notes = append(notes, in.Environment)
	}
	if in.OneToken {
		notes = append(notes, "only in this block")
	}
	if a.stored && in.Secret {
		notes = append(notes, "not in a data source")
	}
	return notes
}

// explainExpired returns the warning about a token that ended before its block was closed.
func (a *accessToken) explainExpired(expiry time.Time) diag.Diagnostic {
	return warning("The "+a.Title+" access token", "ended while it was in use",
		fmt.Sprintf("It ended at %s, before Terraform closed the block. Later requests with it were refused. Terraform cannot replace a token while a block is open. For a run that takes longer than a token lasts, use %s_api_proxy.", expiry.UTC().Format(time.RFC3339), a.Name))
}
