// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/troubleshooting"
)

// fence is a block of a page that users copy.
type fence struct{ language, text string }

// fences returns the blocks of a page.
func fences(page string) []fence {
	var found []fence
	for _, match := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)\n```").FindAllStringSubmatch(page, -1) {
		found = append(found, fence{match[1], match[2] + "\n"})
	}
	return found
}

// section returns the part of a page below a heading.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(read(t, page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// The guide quotes the CLI's own messages about mistakes that users of this provider make.
func TestTheGuideExplainsWhatTheCLISays(t *testing.T) {
	t.Parallel()
	const token = "ephemeral.equinix_access_token.t.authorization"
	page := strings.Join(strings.Fields(section(t, "docs/guides/troubleshooting.md", "## Errors of Terraform and OpenTofu")), " ")
	guide, err := troubleshooting.Read()
	if err != nil {
		t.Fatal(err)
	}
	beside := strings.Replace(preamble, "ixtoken =", `equinix = { source = "equinix/equinix" }`+"\n    ixtoken =", 1)
	for name, config := range map[string]string{
		"the line is missing beside the official provider": beside + `ephemeral "equinix_access_token" "t" {}`,
		"so is it in a data source":                        beside + `data "equinix_access_token" "t" {}`,
		"a data source takes no secret":                    preamble + "data \"equinix_access_token\" \"t\" {\n  provider = ixtoken\n  client_secret = \"\"\n}",
		"a reference lacks its first word":                 preamble + equinixBlock("") + `locals { t = equinix_access_token.t.authorization }`,
		"an argument":                                      preamble + equinixBlock("") + `resource "terraform_data" "t" { input = ` + token + ` }`,
		"an output":                                        preamble + equinixBlock("") + `output "t" { value = ` + token + ` }`,
		"an ephemeral output of the root module":           preamble + equinixBlock("") + "output \"t\" {\n  ephemeral = true\n  value = " + token + "\n}",
		"a number of blocks":                               preamble + equinixBlock("count = terraform.applying ? 1 : 0"),
		"a step of destroy":                                preamble + equinixBlock("") + "resource \"terraform_data\" \"t\" {\n  provisioner \"local-exec\" {\n    when = destroy\n    command = " + token + "\n  }\n}",
		"a message with a value": preamble + equinixBlock("") + `resource "terraform_data" "t" {
  lifecycle {
    precondition {
      condition     = ephemeral.equinix_access_token.t.expires_in > 1e9
      error_message = "${ephemeral.equinix_access_token.t.expires_in} is too short"
    }
  }
}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			if name == "a number of blocks" && openTofu111(t) {
				t.Skip("OpenTofu 1.11 accepts it")
			}
			if err := s.Write("main.tf", config); err != nil {
				t.Fatal(err)
			}
			r := s.report("plan")
			if len(r.errors) == 0 {
				t.Errorf("no error: %s", r.Stdout)
			}
			for _, d := range append(r.errors, r.warnings...) {
				if d.Summary != "Resource precondition failed" && !strings.Contains(page, "Error: "+d.Summary+" ") &&
					!strings.Contains(page, "`"+d.Summary+"`") && !strings.Contains(page, "### "+d.Summary+" ") {
					t.Errorf("the guide does not quote %q", d.Summary)
				}
				if !slices.ContainsFunc(guide.Index, func(row troubleshooting.Row) bool {
					first, _, _ := strings.Cut(row.Text, "…")
					return strings.Contains(d.Summary, first)
				}) && d.Summary != "Resource precondition failed" {
					t.Errorf("the index of the guide has no row for %q", d.Summary)
				}
			}
		})
	}
}

// X11: a refresh-only plan opens the blocks. OpenTofu 1.11 cannot make one, which the guide says.
func TestARefreshOnlyPlanWorksOrIsExplained(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(equinixBlock(""))
	r := s.report("plan", "-refresh-only")
	if !openTofu111(t) {
		if r.Status != 0 {
			t.Errorf("status %d, errors %v", r.Status, r.errors)
		}
		return
	}
	guide := section(t, "docs/guides/troubleshooting.md", "### Invalid refresh-only plan")
	if len(r.errors) != 1 || !strings.Contains(guide, r.errors[0].Summary+"\n"+r.errors[0].Detail) {
		t.Errorf("errors %v", r.errors)
	}
}

// With the recipe, the plan needs no credentials, and the apply obtains one token.
func TestTheRecipeForTheApplyAloneWorks(t *testing.T) {
	t.Parallel()
	recipe := fenced.FindStringSubmatch(section(t, "docs/guides/recipes.md", "## Obtain a token in the apply alone"))[1]
	s := newFixture(t)
	s.configure(recipe + `
resource "terraform_data" "use" {
  triggers_replace = plantimestamp()
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.equinix_access_token.main.authorization }
  }
}`)
	put(t, s.Dir+"/step", "#!/bin/sh\n") // the reader's own command
	if err := os.Chmod(s.Dir+"/step", 0o700); err != nil {
		t.Fatal(err)
	}
	id, secret := s.Equinix.Credentials().ClientID, s.Equinix.Credentials().ClientSecret
	s.setenv("EQUINIX_API_CLIENTID", "")
	s.setenv("EQUINIX_API_CLIENTSECRET", "")
	s.must("plan", "-out=saved")
	if got := len(tokenRequests(s.Equinix)); got != 0 {
		t.Errorf("the plan made %d token requests", got)
	}
	s.setenv("EQUINIX_API_CLIENTID", id)
	s.setenv("EQUINIX_API_CLIENTSECRET", secret)
	s.must("apply", "saved")
	if got := len(tokenRequests(s.Equinix)); got != 1 {
		t.Errorf("the apply made %d token requests, want 1", got)
	}
}

// The recipe's two files are a test that passes without credentials.
func TestTheRecipeForTestsWorks(t *testing.T) {
	t.Parallel()
	files := fenced.FindAllStringSubmatch(section(t, "docs/guides/recipes.md", "## Test without credentials"), -1)
	if len(files) != 2 {
		t.Fatalf("the recipe has %d files", len(files))
	}
	s := newFixture(t)
	s.Env = nil
	put(t, s.Dir+"/ports/main.tf", files[0][1]+`
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = var.header }
  }
}`)
	put(t, s.Dir+"/tests/ports.tftest.hcl", files[1][1])
	put(t, s.Dir+"/main.tf", "")
	s.must("init")
	if r := s.must("test", "-no-color"); !strings.Contains(r.Stdout, "1 passed, 0 failed") {
		t.Error(r.Stdout)
	}
}

// The pages repeat some defaults in their texts. Each is that of the setting.
func TestThePagesKnowTheDefaults(t *testing.T) {
	t.Parallel()
	validity, proxy := platforms.MinValidity.Default, ""
	for _, in := range platforms.Equinix.APIProxy().Inputs {
		if in.Name == platforms.MinValidity.Name {
			proxy = in.Default
		}
	}
	for said, want := range map[string]string{
		"default `min_validity` of `([^`]+)`":                     validity,
		"never meets the default, which is `([^`]+)`":             validity,
		"`min_validity`, which is `([^`]+)` if you do not set it": validity,
		"The default of `min_validity` is now `([^`]+)`":          proxy,
		"`min_validity`, which is `([^`]+)` here":                 proxy,
		"`request_timeout` \\(`([^`]+)` by default\\)":            platforms.RequestTimeout.Default,
		"It tries (\\d+) more times \\(`max_retries`\\)":          platforms.MaxRetries.Default,
	} {
		found := 0
		for _, path := range files(t) {
			if !strings.HasPrefix(path, "docs/") {
				continue
			}
			text := strings.Join(strings.Fields(read(t, path)), " ")
			for _, value := range regexp.MustCompile(said).FindAllStringSubmatch(text, -1) {
				found++
				if value[1] != want {
					t.Errorf("%s says that a default is %s, and it is %s: %s", path, value[1], want, value[0])
				}
			}
		}
		if found == 0 {
			t.Errorf("no page says %s", said)
		}
	}
}
