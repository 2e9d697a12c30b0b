// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// escapings are the ways in which servers, gateways, proxies and programs escape the characters of a value.
var escapings = map[string]func(string) string{
	"plain":                 func(s string) string { return s },
	"upper case":            upper.Replace,
	"lower case":            asciiLower,
	"query":                 url.QueryEscape,
	"query, lower case":     func(s string) string { return asciiLower(url.QueryEscape(s)) },
	"query, twice":          func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"path":                  url.PathEscape,
	"percent, JavaScript":   func(s string) string { return encodeURIComponent.Replace(url.PathEscape(s)) },
	"percent, every byte":   func(s string) string { return each(s, "%%%02X", "") },
	"JSON":                  inJSON,
	"JSON in JSON":          func(s string) string { return inJSON(inJSON(s)) },
	"JSON, slashes escaped": func(s string) string { return strings.ReplaceAll(inJSON(s), "/", `\/`) },
	"JSON, every character": func(s string) string { return eachRune(s, `\u%04x`) },
	"JSON in a URL":         func(s string) string { return url.QueryEscape(inJSON(s)) },
	"Go":                    func(s string) string { return unquote(strconv.Quote(s)) },
	"Go, ASCII":             func(s string) string { return unquote(strconv.QuoteToASCII(s)) },
	"C, hexadecimal":        func(s string) string { return each(s, `\x%02x`, "") },
	"C, octal":              func(s string) string { return each(s, `\%03o`, "") },
	"shell":                 shell.Replace,
	"HTML":                  html.EscapeString,
	"HTML, named":           entities.Replace,
	"HTML, every character": func(s string) string { return eachRune(s, "&#%d;") },
	"HTML in a URL":         func(s string) string { return url.QueryEscape(html.EscapeString(s)) },
	"HTML in JSON":          func(s string) string { return inJSON(html.EscapeString(s)) },
	"HTML in HTML":          func(s string) string { return html.EscapeString(entities.Replace(s)) },
	"XML":                   inXML,
	"XML, every character":  func(s string) string { return eachRune(s, "&#x%X;") },
	"XML in JSON in a URL":  func(s string) string { return url.QueryEscape(inJSON(inXML(s))) },
	"Go in Go":              func(s string) string { return unquote(strconv.Quote(unquote(strconv.Quote(s)))) },
}

// encoders encode a whole value in digits.
var encoders = map[string]func(string) string{
	"hexadecimal":             func(s string) string { return hex.EncodeToString([]byte(s)) },
	"hexadecimal, upper case": func(s string) string { return fmt.Sprintf("%X", s) },
	"hexadecimal with blanks": func(s string) string { return fmt.Sprintf("% x", s) },
	"hexadecimal with colons": func(s string) string { return each(s, "%02X", ":") },
	"decimal bytes":           func(s string) string { return fmt.Sprintf("%d", []byte(s)) },
	"decimal bytes in Java":   func(s string) string { return strings.ReplaceAll(fmt.Sprintf("%d", []byte(s)), " ", ", ") },
	"hexadecimal, dashes":     func(s string) string { return strings.ReplaceAll(fmt.Sprintf("% x", s), " ", "-") },
	"decimal bytes in JSON":   func(s string) string { return strings.ReplaceAll(fmt.Sprintf("%d", []byte(s)), " ", ",") },
	"base64":                  func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
	"base64 for URLs":         func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 in a URL":         func(s string) string { return url.QueryEscape(base64.RawStdEncoding.EncodeToString([]byte(s))) },
	"base64 in JSON": func(s string) string {
		return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString([]byte(s)), "/", `\/`)
	},
	"base32": func(s string) string { return strings.TrimRight(base32.StdEncoding.EncodeToString([]byte(s)), "=") },
	"base32, lower case": func(s string) string {
		return strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString([]byte(s)), "="))
	},
}

var (
	upper              = strings.NewReplacer("a", "A", "b", "B", "c", "C", "d", "D", "x", "X", "y", "Y", "z", "Z")
	encodeURIComponent = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")
	shell              = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", " ", `\ `, "'", `\'`, "&", `\&`)
	entities           = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;", "é", "&eacute;")
)

func inJSON(text string) string {
	marshalled, _ := json.Marshal(text) // a string always marshals
	return unquote(string(marshalled))
}

func unquote(text string) string { return text[1 : len(text)-1] }

func inXML(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // never fails for a Builder
	return out.String()
}

func eachRune(text, format string) string {
	var out strings.Builder
	for _, r := range text {
		fmt.Fprintf(&out, format, r)
	}
	return out.String()
}

// nasty returns a random secret with all kinds of characters.
func nasty(random *rand.Rand, length int) string {
	alphabet := []rune("abcdefghijkLMNOPQRSTUVWXYZ0123456789" + "abcxyz019" + `"'<>&%+=/\$!~*()[]{};:,.?#@-_|^` + "` \t\néß")
	var out strings.Builder
	for range length {
		out.WriteRune(alphabet[random.IntN(len(alphabet))])
	}
	return strings.TrimSpace(out.String())
}

// survives returns six consecutive characters of the written secret that are still in text; empty: there are none.
func survives(text, secret string, write func(string) string) string {
	text = strings.ReplaceAll(text, redacted, "\x00")
	runes := []rune(secret)
	for i := 0; i+6 <= len(runes); i++ {
		piece := string(runes[i : i+6])
		if utf8.RuneCountInString(printable.OneLine(piece)) < 6 { // consecutive blanks become one
			continue
		}
		if written := printable.OneLine(write(piece)); strings.Contains(text, written) {
			return written
		}
	}
	return ""
}

// TestScrubberFindsEverySecret is H20 for the scrubber. Random secrets in every encoding, whole or cut in half, are in the middle
// of a sentence. No six consecutive characters survive.
func TestScrubberFindsEverySecret(t *testing.T) {
	sentences := []string{"%s", "the secret '%s' is wrong", `{"error":"%s"}`, "client_secret=%s&grant_type=password", "x%sx"}
	random := rand.New(rand.NewPCG(1, 2))
	verbatim := escapings["plain"]
	try := func(t *testing.T, write, piece func(string) string, digits bool) {
		for range 10 {
			secret := nasty(random, 12+random.IntN(40))
			scrubber := newScrubber(NewSecret("another secret"), NewSecret(secret))
			written := write(secret)
			middle := len(printable.Clip(written, len(written)/2))
			for _, part := range []string{written, written[:middle], written[middle:]} {
				text := fmt.Sprintf(sentences[random.IntN(len(sentences))], part)
				hidden := secret
				if digits {
					hidden = part
				}
				if left := survives(scrubber.scrub(text, 4096), hidden, piece); left != "" {
					t.Fatalf("secret %q in %q: %q survives in %q", secret, text, left, scrubber.scrub(text, 4096))
				}
			}
		}
	}
	for name, write := range escapings {
		t.Run(name, func(t *testing.T) { try(t, write, write, false) })
	}
	for name, write := range encoders {
		t.Run(name, func(t *testing.T) { try(t, write, verbatim, true) })
	}
}

// TestScrubberFindsBasicCredentials tests the base64 of "id:secret": no six digits that encode the secret survive.
func TestScrubberFindsBasicCredentials(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		id, secret := nasty(random, 1+random.IntN(20)), nasty(random, 8+random.IntN(40))
		for name, encoding := range map[string]*base64.Encoding{"standard": base64.StdEncoding, "URL": base64.URLEncoding} {
			written := encoding.EncodeToString([]byte(id + ":" + secret))
			hidden := strings.TrimRight(written[((len(id)+1)*8+5)/6:], "=")
			for _, part := range []string{hidden, hidden[:len(hidden)/2], hidden[len(hidden)/2:]} {
				text := "Authorization: Basic " + strings.Replace(written, hidden, part, 1) + " was refused"
				if left := survives(newScrubber(NewSecret(secret)).scrub(text, 4096), part, escapings["plain"]); left != "" {
					t.Fatalf("%s: id %q, secret %q in %q: %q survives", name, id, secret, text, left)
				}
			}
		}
	}
}

func TestScrubberLeavesTheRest(t *testing.T) {
	scrubber := newScrubber(NewSecret("nykSBHIDynMHrwkGyXWzLFAXYbOVP3EKtk6pprOS"), NewSecret("jd1@#$"), NewSecret("12345é"), NewSecret(""))
	tests := []struct{ text, want string }{
		{"", ""},
		{"Login Failure, the client secret is wrong", "Login Failure, the client secret is wrong"},
		{`a "quoted" 100% &amp; \"escaped\" %41 text`, `a "quoted" 100% &amp; \"escaped\" %41 text`},
		{"the secret nykSBHIDynMHrwkGyXWzLFAXYbOVP3EKtk6pprOS is wrong", redacted},
		{"the secret nykSBHID… is wrong", redacted},
		{"the secret …6pprOS is wrong", redacted},
		{"five are too few: nykSB", "five are too few: nykSB"},
		{"user jd1%40%23%24", redacted},
		{"JD1@#$", redacted},
		{strings.Repeat("x", 298) + "nykSBHID", redacted}, // otherwise the cut text would show its first letters
		{"café\u202e\x1b[31m\r\n\t 1\xff2", "café [31m 1 2"},
	}
	for _, test := range tests {
		if got := scrubber.scrub(test.text, 300); got != test.want {
			t.Errorf("%q was scrubbed to %q, want %q", test.text, got, test.want)
		}
	}
}

// TestScrubberLeavesStandardCodes tests that standard error codes stay, even if a secret consists of the same words.
func TestScrubberLeavesStandardCodes(t *testing.T) {
	scrubber := newScrubber(NewSecret("unauthorized_client"), NewSecret("invalid_grant-type-scope-request-error"))
	for code := range standardCodes {
		if got := scrubber.scrub(code, 300); got != code {
			t.Errorf("%s was scrubbed to %q", code, got)
		}
	}
	if got := scrubber.scrub("unauthorized_client!", 300); got != redacted {
		t.Errorf("more than a code was scrubbed to %q", got)
	}
}

// TestScrubberJoinsNothing tests that the removal of a secret does not join the surrounding text to a secret.
func TestScrubberJoinsNothing(t *testing.T) {
	const secret = "abcdefghijkl"
	for _, between := range []string{"\xff", "\x00", "\u200b", "\xc3", "\u0085", "\ufeff"} {
		text := newScrubber(NewSecret(secret)).scrub("abcde"+between+"fghij"+between+"kl", 300)
		if strings.Contains(text, "ef") || strings.Contains(text, "jk") {
			t.Errorf("joined to %q", text)
		}
	}
}

func TestScrubberHidesShortSecrets(t *testing.T) {
	writings := maps.Clone(escapings)
	maps.Copy(writings, encoders)
	for _, secret := range []string{"?", "ab", "abc", "abcd", "abcde", "é"} {
		for name, write := range writings {
			text := newScrubber(NewSecret(secret)).scrub("-- "+write(secret)+" --", 300)
			if strings.Contains(text, write(secret)) {
				t.Errorf("%s: %q was scrubbed to %q", name, secret, text)
			}
		}
	}
}

func TestScrubberCuts(t *testing.T) {
	scrubber := newScrubber(NewSecret("secret-secret"))
	for _, text := range []string{strings.Repeat("é", 400), strings.Repeat("secret-secret ", 10_000), strings.Repeat("x", 1<<20)} {
		got := scrubber.scrub(text, 301)
		if len(got) > 301+len("…") || !utf8.ValidString(got) || len(text) < 2000 && !strings.HasSuffix(got, "…") {
			t.Errorf("%.20q… of %d bytes was cut to %q", text, len(text), got)
		}
	}
}

// TestScrubberIsBounded tests that the longest text and the longest secret take little time.
func TestScrubberIsBounded(t *testing.T) {
	long := strings.Repeat("k", maxInput-1) + "!"
	for name, text := range map[string]string{
		"the same letter": strings.Repeat("k", maxBody),
		"escapes":         strings.Repeat("%2525252525252541", maxBody/17),
		"all in layers":   strings.Repeat(`%25255c&amp;amp;amp;\\\\\\\\`, maxBody/31),
	} {
		began := time.Now()
		newScrubber(NewSecret(long), NewSecret(text[:maxInput])).scrub(text, 300)
		took := time.Since(began)
		t.Log(name, took)
		if took > 20*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}
