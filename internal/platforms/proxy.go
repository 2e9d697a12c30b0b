// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file describes API proxies: the platform's inputs and some more, their outputs, and their own messages.

// The descriptions of a proxy's outputs.
const (
	ProxyURL     = "The URL to use instead of the API's, such as `http://127.0.0.1:41234/<secret>`. It works on this machine while the block is open."
	ProxyAddress = "The same URL without the secret, such as `http://127.0.0.1:41234`, for programs that drop the path of a base URL. It works only together with `secret`."
	ProxySecret  = "What a program sends to `address` as its bearer token, or as its password with HTTP Basic. The API proxy replaces it by a valid token."
)

// The inputs of every API proxy that limit what it sends. Both are off unless they are set.
var (
	MaxRequestsPerSecond = Input{
		Name: "max_requests_per_second",
		Description: "How many requests the API proxy sends to the API in a second at most, such as `10` or `0.5`. It spaces them evenly, in the order in which they come. " +
			"Proxies of one process with the same `upstream`, client and limit share it. If it is not set, there is no limit.",
		Number:   true,
		OneToken: true,
		Optional: true,
		Check:    checkRate,
	}
	ThrottleWait = Input{
		Name: "throttle_wait",
		Description: "How long the API proxy may hold a request in all if the API answers 429, such as `2m`; at most `24h`. It sends the request again after the pause that the API asks for. " +
			"If it is not set, the 429 goes to the caller at once.",
		OneToken: true,
		Optional: true,
		Check:    checkDuration(0, 24*time.Hour, 2*time.Minute),
	}
)

// APIProxy returns the description of the platform's API proxy.
func (p Platform) APIProxy() Platform {
	upstream := Input{
		Name:        "upstream",
		Description: "The URL of the API that the API proxy forwards requests to, with or without a path.",
		URL:         true,
		OneToken:    true,
		Optional:    p.Upstream != "",
		Check:       clients.CheckURL,
	}
	if upstream.Optional {
		upstream.Description += " Default: `" + p.Upstream + "`."
	} else {
		upstream.Description += " Required: it does not follow from the other settings."
	}
	p.Inputs = append([]Input{upstream}, slices.Clone(p.Inputs)...)
	for i, in := range p.Inputs {
		if in.is(MinValidity) {
			p.Inputs[i].Default = Brief(defaultMinValidityProxy)
			p.Inputs[i].Description = "The least time that the token on a request must still be valid, such as `" + Brief(defaultMinValidityProxy) + "`; at most `24h`. If the platform grants less, the API proxy uses each token for nine tenths of its lifetime."
		}
	}
	p.Inputs = append(p.Inputs, MaxRequestsPerSecond, ThrottleWait)
	p.Outputs, p.result = nil, "API proxy"
	return p
}

// UpstreamURL returns the URL that a proxy with these settings forwards to.
func (p Platform) UpstreamURL(found Settings) string {
	if found.has("upstream") {
		return found.Text("upstream")
	}
	return found.Text(p.Upstream)
}

// Limits returns the limits of a proxy with these settings. They are zero if it has none.
func (s Settings) Limits() (perSecond float64, throttleWait time.Duration) {
	perSecond, _ = strconv.ParseFloat(s.Text(MaxRequestsPerSecond.Name), 64)
	throttleWait, _ = time.ParseDuration(s.Text(ThrottleWait.Name))
	return perSecond, throttleWait
}

// ClientID returns what identifies the client at the platform, or "" if the grant needs no client.
func (p Platform) ClientID(found Settings) string {
	for _, in := range p.credentials(found) {
		if !in.Secret && in.Grant == "" {
			return found.Text(in.Name)
		}
	}
	return ""
}

// ExplainNoListener returns the error of a proxy that cannot listen.
func (p Platform) ExplainNoListener(err error) Message {
	const why = "no port to listen on"
	return Message{Summary: p.None(why), Detail: Sentence(err.Error()) + " The API proxy listens on 127.0.0.1, on a port that the system chooses. Check whether something on this machine forbids that." + More(why)}
}

// ExplainNoAnswer returns the error for a program whose request the API has not answered.
func (p Platform) ExplainNoAnswer(cause string, terms Terms) Message {
	const why = "no answer from the API"
	places := []string{"upstream"}
	if p.Upstream != "" {
		places = append(places, terms.Input(p.Input(p.Upstream)))
	}
	return Message{
		Summary: p.Title + " API proxy: " + why,
		Detail:  Sentence(cause) + " Check " + strings.Join(places, " or ") + ", the network, and whether a network proxy is needed (HTTPS_PROXY, NO_PROXY). For an authority of your own, set " + terms.Setting(CACertPEM) + "." + More(why),
	}
}

// RemarksOnHolds returns the warning about an API that has answered 429 to a number of requests. longest is how long one of
// them was held at most.
func (p Platform) RemarksOnHolds(held int, longest time.Duration) []Message {
	if held == 0 {
		return nil
	}
	return []Message{warn("The "+p.Title+" API", "asked for fewer requests", fmt.Sprintf("Number of requests that the API proxy held: %d. It held one of them for %s, and no other one for longer. Set %s to what the API allows.", held, Brief(longest.Round(time.Second)), MaxRequestsPerSecond.Name))}
}

// RemarksOnRefusals returns the warnings about an API that has answered 401: fresh times to a token that was less than a
// minute old, kept times to a token that is not replaced.
func (p Platform) RemarksOnRefusals(fresh, kept int) (said []Message) {
	if fresh > 0 {
		said = append(said, warn("The "+p.Title+" API", "refused fresh tokens", fmt.Sprintf("Number of answers with 401 to a token that was less than a minute old: %d. A new token does not help then, and the API proxy obtains one at most once a minute. Check that upstream belongs to the platform and the environment that issue the token, and what the client may do there.", fresh)))
	}
	if kept > 0 {
		said = append(said, warn("The "+p.Title+" API", "refused the token of a user", fmt.Sprintf("Number of answers with 401: %d. The API proxy passed them on. It did not obtain another token: this one came from a password or from previous_refresh_token, and a token of the client credentials may belong to somebody else. Check what the user may do at the API. If the token was revoked, start again with a new refresh token.", kept)))
	}
	return said
}
