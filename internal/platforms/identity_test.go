// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// environment is the source of the environment, given as NAME=value.
func environment(set ...string) Source {
	return Environment(func(name string) string {
		for _, pair := range set {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	})
}

// idToken is an identity token with an issuer and a subject.
const idToken = "e30.eyJpc3MiOiJhIiwic3ViIjoiYiJ9.c2ln"

const (
	scopeSet  = "EQUINIX_TOKEN_EXCHANGE_SCOPE=roleassignments:1"
	tokenSet  = "EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN=" + idToken
	nameSet   = "EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN_ENV_VAR=CI_ID_TOKEN"
	idSet     = "EQUINIX_API_CLIENTID=id"
	secretSet = "EQUINIX_API_CLIENTSECRET=secret"
	hcpSet    = "TFC_WORKLOAD_IDENTITY_TOKEN=" + idToken
	taggedSet = "TFC_WORKLOAD_IDENTITY_TOKEN_EQUINIX=" + idToken
)

// Which grant is used, and which identity token, follows from the first source that says something about it. A client secret
// never stands in for an identity token that is missing, and an identity token never for a client secret in a block.
func TestTheFirstSourceDecidesAboutAnExchange(t *testing.T) {
	identities := []string{subjectToken, subjectTokenVariable, subjectTokenFile, exchangeAudience}
	scope := []string{exchangeScope, "roleassignments:1"}
	for name, row := range map[string]struct {
		block, provider, environment []string
		grant                        string
		identity                     string // the inputs in use, with their values if they are no secret
		missing, wrong, unknown      string
	}{
		"nothing":                                   {nil, nil, nil, "client_credentials", "", "client_id and client_secret", "", ""},
		"a scope alone":                             {nil, nil, []string{scopeSet}, "token_exchange", "", subjectToken, "", ""},
		"a scope beside a secret":                   {nil, nil, []string{scopeSet, idSet, secretSet}, "token_exchange", "", subjectToken, "", ""},
		"an identity token beside a secret":         {nil, nil, []string{tokenSet, idSet, secretSet}, "token_exchange", subjectToken, exchangeScope, "", ""},
		"another URL of the service":                {nil, nil, []string{"EQUINIX_STS_ENDPOINT=https://sts.example", idSet, secretSet}, "client_credentials", "", "", "", ""},
		"a user's password":                         {nil, nil, []string{"EQUINIX_USER_NAME=u", "EQUINIX_USER_PASSWORD=p", idSet, secretSet}, "client_credentials", "", "", "", ""},
		"a secret in the block":                     {[]string{"client_secret", "s"}, nil, []string{scopeSet, tokenSet, idSet}, "client_credentials", "", "", "", ""},
		"a secret in the block, known later":        {[]string{"client_secret", "?"}, nil, []string{scopeSet, tokenSet, idSet}, "client_credentials", "", "", "", "client_secret"},
		"a secret in the provider block":            {nil, []string{"client_secret", "s"}, []string{scopeSet, tokenSet, idSet}, "client_credentials", "", "", "", ""},
		"a secret behind a scope in the block":      {scope, []string{"client_secret", "s"}, []string{tokenSet, idSet}, "token_exchange", subjectToken, "", "", ""},
		"an ID in the block":                        {[]string{"client_id", "id"}, nil, []string{scopeSet, tokenSet, secretSet}, "token_exchange", subjectToken, "", "", ""},
		"a secret of no use, known later":           {append([]string{"grant_type", "token_exchange", exchangeAudience, "lab"}, scope...), []string{"client_secret", "?"}, nil, "token_exchange", exchangeAudience + "=lab", "", "", ""},
		"a refresh token in the block":              {[]string{"previous_refresh_token", "r"}, nil, []string{scopeSet, tokenSet, idSet, secretSet}, "refresh_token", "", "", "", ""},
		"the grant type in the block":               {[]string{"grant_type", "client_credentials"}, nil, []string{scopeSet, tokenSet, idSet, secretSet}, "client_credentials", "", "", "", ""},
		"an identity token, known later":            {[]string{subjectToken, "?"}, nil, []string{scopeSet, nameSet, idSet, secretSet}, "token_exchange", "", "", "", subjectToken},
		"a file, known later":                       {[]string{subjectTokenFile, "?"}, nil, []string{scopeSet, tokenSet}, "token_exchange", "", "", "", subjectTokenFile},
		"an audience before a token":                {[]string{exchangeAudience, "lab"}, nil, []string{scopeSet, tokenSet}, "token_exchange", exchangeAudience + "=lab", "", "", ""},
		"a variable before a token":                 {nil, []string{subjectTokenVariable, "NAME"}, []string{scopeSet, tokenSet}, "token_exchange", subjectTokenVariable + "=NAME", "", "", ""},
		"a file before an audience":                 {[]string{subjectTokenFile, "f"}, []string{exchangeAudience, "lab"}, []string{scopeSet}, "token_exchange", subjectTokenFile + "=f", "", "", ""},
		"two in one place":                          {nil, nil, []string{scopeSet, tokenSet, nameSet}, "token_exchange", subjectToken + " and " + subjectTokenVariable + "=CI_ID_TOKEN", "", subjectTokenVariable, ""},
		"HCP Terraform":                             {scope, nil, []string{hcpSet, idSet, secretSet}, "token_exchange", subjectTokenVariable + "=TFC_WORKLOAD_IDENTITY_TOKEN", "", "", ""},
		"HCP Terraform, tagged":                     {scope, nil, []string{hcpSet, taggedSet}, "token_exchange", subjectTokenVariable + "=TFC_WORKLOAD_IDENTITY_TOKEN_EQUINIX", "", "", ""},
		"HCP Terraform, tagged for another":         {scope, nil, []string{hcpSet, "TFC_WORKLOAD_IDENTITY_TOKEN_OAUTH2=" + idToken}, "token_exchange", subjectTokenVariable + "=TFC_WORKLOAD_IDENTITY_TOKEN", "", "", ""},
		"HCP Terraform behind an audience":          {scope, []string{exchangeAudience, "lab"}, []string{taggedSet}, "token_exchange", exchangeAudience + "=lab", "", "", ""},
		"HCP Terraform behind a token":              {scope, nil, []string{tokenSet, taggedSet}, "token_exchange", subjectToken, "", "", ""},
		"HCP Terraform behind a file, known later":  {[]string{subjectTokenFile, "?", exchangeScope, "roleassignments:1"}, nil, []string{hcpSet}, "token_exchange", "", "", "", subjectTokenFile},
		"HCP Terraform does not imply the exchange": {nil, nil, []string{hcpSet, taggedSet, idSet, secretSet}, "client_credentials", "", "", "", ""},
	} {
		found, bad := Equinix.Resolve(of("block", row.block...), of("provider", row.provider...), environment(row.environment...), Defaults())
		var used, missing, wrong, unknown []string
		for _, identity := range identities {
			switch in := Equinix.Input(identity); {
			case !found.has(identity):
			case in.Secret:
				used = append(used, identity)
			default:
				used = append(used, identity+"="+found.Text(identity))
			}
		}
		for _, in := range bad.Missing {
			missing = append(missing, in.Name)
		}
		for _, invalid := range bad.Invalid {
			wrong = append(wrong, invalid.Input.Name)
		}
		for _, in := range bad.Unknown {
			unknown = append(unknown, in.Name)
		}
		if found.GrantType() != row.grant || Enumerate(used) != row.identity || Enumerate(missing) != row.missing || Enumerate(wrong) != row.wrong || Enumerate(unknown) != row.unknown {
			t.Errorf("%s: grant type %s, identity tokens %q, missing %q, wrong %q, unknown %q", name, found.GrantType(), used, missing, wrong, unknown)
		}
		if url := found.Text("sts_url"); row.grant == clients.TokenExchange && url != "https://sts.eqix.equinix.com" {
			t.Errorf("%s: the exchange is sent to %s", name, url)
		}
		if exchanging := row.grant == clients.TokenExchange; exchanging && (found.has("client_id") || found.has("client_secret")) || !exchanging && found.has(exchangeScope) {
			t.Errorf("%s: settings of another grant are left", name)
		}
	}
}

// What one place sets for two grants, or for two identity tokens, is refused there, in words that say what to leave out.
func TestOnePlaceSetsOneGrant(t *testing.T) {
	for _, platform := range []Platform{Equinix, OAuth2} {
		noClient := func(input string) []string {
			if platform.Name == OAuth2.Name {
				return nil // its client may authenticate a token exchange
			}
			return []string{input, `is not used by grant_type = "token_exchange", which needs no client credentials`}
		}
		for name, row := range map[string]struct {
			set  []string
			want []string // the input and what is wrong with it
		}{
			"an exchange":                     {[]string{subjectTokenFile, "f"}, nil},
			"an audience for another grant":   {[]string{exchangeAudience, "a", "grant_type", "client_credentials"}, []string{exchangeAudience, `is for grant_type = "token_exchange" alone`}},
			"two identity tokens":             {[]string{exchangeAudience, "a", subjectTokenFile, "f"}, []string{exchangeAudience, "is set beside " + subjectTokenFile}},
			"a token beside a variable":       {[]string{subjectToken, idToken, subjectTokenVariable, "V"}, []string{subjectTokenVariable, "is set beside " + subjectToken}},
			"a secret, the token known later": {[]string{subjectToken, "?", "client_secret", "s"}, nil}, // Terraform asks again
			"an opaque token":                 {[]string{subjectToken, "opaque"}, []string{subjectToken, "is not a JSON Web Token"}},
			"a token for a name":              {[]string{subjectTokenVariable, idToken}, []string{subjectTokenVariable, "is not the name of an environment variable"}},
			"a name with $":                   {[]string{subjectTokenVariable, "$NAME"}, []string{subjectTokenVariable, "is not the name of an environment variable"}},
			"two lines of an audience":        {[]string{exchangeAudience, "a\nb"}, []string{exchangeAudience, "has a line break"}},
			"a token for a file":              {[]string{subjectTokenFile, "eyJ9.e30.x"}, []string{subjectTokenFile, "is an identity token: write the path of a file"}},
			"standard input":                  {[]string{subjectTokenFile, "-"}, []string{subjectTokenFile, "is standard input"}},
			"a URL for a file":                {[]string{subjectTokenFile, "https://host/x"}, []string{subjectTokenFile, "is a URL: write the path of a file"}},
			"a file in the home directory":    {[]string{subjectTokenFile, "~/token"}, []string{subjectTokenFile, `starts with "~"`}},
			"a secret beside an audience":     {[]string{exchangeAudience, "a", "client_secret", "s"}, noClient("client_secret")},
			"an ID beside an audience":        {[]string{exchangeAudience, "a", "client_id", "i"}, noClient("client_id")},
		} {
			_, faults, _ := platform.Validate(of("block", row.set...))
			if len(faults) == 0 && row.want == nil {
				continue
			}
			if len(faults) != 1 || row.want == nil || faults[0].Input.Name != row.want[0] || !strings.Contains(faults[0].Text, row.want[1]) {
				t.Errorf("%s, %s: %d faults: %v", platform.Name, name, len(faults), faults)
			}
		}
	}
}

// A message about a token exchange names the inputs in use, and where the request was sent.
func TestMessagesAboutAnExchangeNameItsInputs(t *testing.T) {
	found := Settings{"grant_type": {clients.NewSecret(clients.TokenExchange), here}, subjectTokenFile: {clients.NewSecret("f"), here}, "sts_url": {clients.NewSecret("https://sts.example"), FromDefault}}
	for kind, want := range map[clients.Kind]string{
		clients.CredentialsRejected: "Check token_exchange_subject_token_file () and sts_url (EQUINIX_STS_ENDPOINT), and which issuers, audiences and subjects Equinix trusts there.",
		clients.NoIdentityToken:     "Check token_exchange_subject_token_file ().",
		clients.NotFound:            "Check sts_url (EQUINIX_STS_ENDPOINT)",
		// No token service is known to answer so, but no message may ask for a client secret.
		clients.RejectionNotUnderstood: "If token_exchange_scope (EQUINIX_TOKEN_EXCHANGE_SCOPE) and token_exchange_subject_token_file (",
		clients.GrantRejected:          "Check sts_url (EQUINIX_STS_ENDPOINT), and ask Equinix to allow the token exchange.",
		clients.ScopeRejected:          "Ask Equinix which scopes this identity may have.",
	} {
		m := Equinix.Explain(&clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: kind}, found, terms)
		if !strings.Contains(m.Detail, want) || strings.Contains(m.Detail, "client_") {
			t.Errorf("%d: %s; want %q", kind, m.Detail, want)
		}
	}
	found[subjectToken] = Setting{clients.NewSecret(idToken + "\n"), here} // the line break is not sent
	if said := Equinix.RemarksOnSettings(found, terms); len(said) != 0 {
		t.Error(said)
	}
	found["grant_type"] = Setting{clients.NewSecret(clients.ClientCredentials), here}
	m := Equinix.Explain(&clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.NotFound}, found, terms)
	if !strings.Contains(m.Detail, "Check base_url (EQUINIX_API_ENDPOINT)") {
		t.Error(m.Detail)
	}
}
