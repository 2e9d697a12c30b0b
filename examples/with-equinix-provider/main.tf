# Feeding a token to the official provider equinix/equinix. In production it
# obtains and refreshes its tokens itself, so this is for what it cannot do:
# Equinix's sandbox, where it takes tokens only, or one token for several tools.

terraform {
  required_providers {
    equinix = {
      source = "equinix/equinix"
    }
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

locals {
  sandbox = "https://sandboxapi.equinix.com"
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are those of a sandbox app.
ephemeral "equinix_access_token" "sandbox" {
  provider = ixtoken # the local name equinix is the official provider's
  base_url = local.sandbox
}

provider "equinix" {
  endpoint = local.sandbox
  token    = ephemeral.equinix_access_token.sandbox.access_token
}
