// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file describes API proxies: the platform's inputs and one more, one output, and their own messages.

// ProxyURL is the description of a proxy's output.
const ProxyURL = "The URL to use instead of the API's, such as `http://127.0.0.1:41234/<secret>`. It works on this machine while the block is open."

// Proxy returns the description of the platform's API proxy.
func (p Platform) Proxy() Platform {
	upstream := Input{
		Name:        "upstream",
		Description: "The URL of the API that the proxy forwards requests to, with or without a path.",
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
			p.Inputs[i].Description = "The least time that the token on a request must still be valid, such as `" + Brief(defaultMinValidityProxy) + "`; at most `24h`. If the platform grants less, the proxy uses each token for nine tenths of its lifetime."
		}
	}
	p.Outputs, p.thing = nil, "API proxy"
	return p
}

// UpstreamURL returns the URL that a proxy with these settings forwards to.
func (p Platform) UpstreamURL(found Settings) string {
	if found.has("upstream") {
		return found.Text("upstream")
	}
	return found.Text(p.Upstream)
}

// ExplainNoListener returns the error of a proxy that cannot listen.
func (p Platform) ExplainNoListener(err error) Message {
	const why = "no port to listen on"
	return Message{Summary: p.None(why), Detail: Sentence(err.Error()) + " The proxy listens on 127.0.0.1, on a port that the system chooses. Check whether something on this machine forbids that." + More(why)}
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
		Detail:  Sentence(cause) + " Check " + strings.Join(places, " or ") + ", the network, and whether a proxy is needed (HTTPS_PROXY, NO_PROXY). For an authority of your own, set " + terms.Setting(CACertPEM) + "." + More(why),
	}
}

// RemarksOnRefusals returns the warnings about an API that has answered 401: fresh times to a token that was less than a
// minute old, kept times to a token that is not replaced.
func (p Platform) RemarksOnRefusals(fresh, kept int) (said []Message) {
	if fresh > 0 {
		said = append(said, warn("The "+p.Title+" API", "refused fresh tokens", fmt.Sprintf("Number of answers with 401 to a token that was less than a minute old: %d. A new token does not help then, and the proxy obtains one at most once a minute. Check that upstream belongs to the platform and the environment that issue the token, and what the client may do there.", fresh)))
	}
	if kept > 0 {
		said = append(said, warn("The "+p.Title+" API", "refused the token of a user", fmt.Sprintf("Number of answers with 401: %d. The proxy passed them on. It did not obtain another token: this one came from a password or from previous_refresh_token, and a token of the client credentials may belong to somebody else. Check what the user may do at the API. If the token was revoked, start again with a new refresh token.", kept)))
	}
	return said
}
