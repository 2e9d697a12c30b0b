// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import "strings"

// Words are what differs between front ends in the texts of this package. A text has the name of a word in braces, and Fill
// replaces it.
type Words struct {
	Program string // {program}: what the user calls this program; {Program} is the same at the beginning of a sentence
	Trim    string // {trim}: a sentence that says how to remove blanks and line breaks from the content of a file
	Encode  string // {encode}: a sentence that says how to encode a password as md5-b64
	Home    string // {home}: says how to write a path in the home directory
	File    string // {file}: says how to give the content of a file, behind a sentence; it may be empty
	Lines   string // {lines}: an example of a value with several lines, behind a sentence; it may be empty
	Reused  string // {reused}: a sentence that says why a refresh token may have been used before
}

// Fill replaces the names of words in a text.
func (w Words) Fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	capital := strings.ToUpper(w.Program[:min(1, len(w.Program))]) + w.Program[min(1, len(w.Program)):]
	return strings.NewReplacer("{program}", w.Program, "{Program}", capital, "{trim}", w.Trim, "{encode}", w.Encode,
		"{home}", w.Home, "{file}", w.File, "{lines}", w.Lines, "{reused}", w.Reused).Replace(text)
}
