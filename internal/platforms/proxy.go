// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file is what users see of an API proxy: a platform's inputs and one more, one output, and messages of its own.

// ProxyURL describes the output of a proxy.
const ProxyURL = "The URL to use in the place of the API's, such as `http://127.0.0.1:41234/<secret>`. It is of use on this machine, and as long as the block is open."

// Proxy describes the API proxy of the platform.
func (p Platform) Proxy() Platform {
	upstream := Input{
		Name:        "upstream",
		Description: "The URL of the API to which requests are forwarded, with or without a path.",
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
			p.Inputs[i].Default = "1m"
			p.Inputs[i].Description = "The least time that the token on a request must still be valid, such as `1m`; at most `24h`. A platform may grant less: then a token is used for nine tenths of its life."
		}
	}
	p.Outputs, p.thing = nil, "API proxy"
	return p
}

// UpstreamURL is where a proxy with the settings forwards to.
func (p Platform) UpstreamURL(found Settings) string {
	if found.has("upstream") {
		return found.Text("upstream")
	}
	return found.Text(p.Upstream)
}

// ExplainNoListener is about a proxy that could not listen.
func (p Platform) ExplainNoListener(err error) Message {
	const why = "no port to listen on"
	return Message{Summary: p.None(why), Detail: Sentence(err.Error()) + " The proxy listens on 127.0.0.1, on a port that the system chooses. Check whether something on this machine forbids that." + More(why)}
}

// ExplainNoAnswer is about an API that has not answered, for the program that has sent the request.
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

// RemarkOnRefusals is about an API that has answered 401 although the token was fresh.
func (p Platform) RemarkOnRefusals(times int) Message {
	return warn("The "+p.Title+" API", "refused fresh tokens", fmt.Sprintf("It answered 401 so often to a token that was obtained within the last minute: %d. A new token does not help then, and the proxy asks for one at most once a minute. Check that upstream belongs to the platform and the environment that issue the token, and what the client may do there.", times))
}
