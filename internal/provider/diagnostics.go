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

// This file makes every diagnostic: those that any front end may give, from their messages, and those that only Terraform
// needs. Terraform prints the source line of the attribute to which a diagnostic is attached.

// diagnostics are the messages as Terraform takes them.
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

// warning is a diagnostic that stops nothing. Its summary ends in the heading of its section.
func warning(about, heading, detail string) diag.Diagnostic {
	return diag.NewWarningDiagnostic(strings.TrimSpace(about+" "+heading), detail+platforms.More(heading))
}

// terms are what Terraform calls things.
func (a *accessToken) terms() platforms.Terms {
	return platforms.Terms{
		Input:   inputName,
		Setting: func(in platforms.Input) string { return in.Name + " in the provider block" },
		Places: func(p platforms.Platform) string {
			return "in this block, in " + p.Name + " = { … } of the provider block, or in the environment"
		},
		Notes: a.inputNotes,
		Trim:  "If it comes from file(), use trimspace(file(…)).",
	}
}

// inputName is an input as users know it: the attribute and the environment variable.
func inputName(in platforms.Input) string {
	if in.Environment == "" {
		return in.Name
	}
	return in.Name + " (" + in.Environment + ")"
}

// explainSetting is about a value in the provider block, or in the environment.
func explainSetting(name, text string) diag.Diagnostic {
	const why = "Invalid provider configuration"
	return diag.NewErrorDiagnostic(why+": "+name, platforms.Sentence(name+" "+text)+" Nothing was sent."+platforms.More(why))
}

// explainProtocolDump is about the variable that makes the plugin library write every message to disk.
func explainProtocolDump(variable string) diag.Diagnostic {
	return warning("", variable+" was ignored", "It would write every secret and token to disk, in clear and readable by all. Unset it. For a log, TF_LOG=DEBUG is enough.")
}

// explainPanic is about a fault of the provider, found at the places in origin.
func explainPanic(origin []string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Internal fault of the provider ixtoken", "It could not finish what it was asked for. Please report this at "+platforms.Issues+
		" with these lines, which hold none of your values:\n  "+strings.Join(origin, "\n  ")+platforms.More("internal fault"))
}

// explainProblems is about a block that cannot be resolved: one diagnostic a cause.
func (a *accessToken) explainProblems(bad platforms.Problems) diag.Diagnostics {
	var diags diag.Diagnostics
	if a.provider.blockError != nil {
		diags.Append(a.provider.blockError)
	}
	if len(a.provider.unknown)+len(bad.Unknown) > 0 {
		const why = "a setting is not known yet"
		diags.AddError(a.None(why), a.unknownDetail(a.provider.unknown, bad.Unknown)+platforms.More(why))
	}
	if len(bad.Missing) > 0 {
		diags.Append(diagnostics(a.ExplainMissing(bad.Missing, a.terms()))...)
	}
	diags.Append(diagnostics(a.ExplainInvalid(bad.Invalid, a.terms())...)...)
	return diags
}

// unknownDetail is about general settings of the provider block and about own ones of the platform.
func (a *accessToken) unknownDetail(general, own []platforms.Input) string {
	var early, late []string // to be known in the plan; or else to be written into the block
	for _, in := range general {
		early = append(early, in.Name)
	}
	for _, in := range own {
		if in.OneToken { // it stands beside the platforms' objects
			late = append(late, in.Name)
		} else {
			late = append(late, a.Name+"."+in.Name)
		}
	}
	detail := "Known only after apply, and therefore nothing was sent: what the provider block sets as " + platforms.Enumerate(slices.Concat(early, late)) + "."
	if len(early) > 0 {
		detail += " Set " + platforms.Enumerate(early) + " to what is known in the plan."
	}
	switch {
	case len(late) == 0:
	case a.stored && slices.ContainsFunc(own, func(in platforms.Input) bool { return in.Secret }):
		detail += " Set " + platforms.Enumerate(late) + " to what is known in the plan, or use the ephemeral resource of the same name and write it into its block: Terraform then waits for it."
	default:
		detail += " Write " + platforms.Enumerate(late) + " into this block itself: Terraform then waits for it."
	}
	return detail
}

// inputNotes names the variable, and the places where an input cannot be set.
func (a *accessToken) inputNotes(in platforms.Input) []string {
	var notes []string
	if in.Environment != "" {
		notes = append(notes, in.Environment)
	}
	if in.OneToken {
		notes = append(notes, "in this block alone")
	}
	if a.stored && in.Secret {
		notes = append(notes, "not in a data source")
	}
	return notes
}

// explainExpired is about a token that ended while it was still in use.
func (a *accessToken) explainExpired(expiry time.Time) diag.Diagnostic {
	return warning("The "+a.Title+" access token", "ended while it was in use",
		fmt.Sprintf("It ended at %s, before Terraform closed the block. Any request with it after that was refused. Terraform cannot replace a token while a block is open. For a run that takes longer than a token lasts, use %s_api_proxy.", expiry.UTC().Format(time.RFC3339), a.Name))
}
