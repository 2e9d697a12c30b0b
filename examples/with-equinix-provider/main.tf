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

variable "api_url" {
  description = "The URL of the Equinix API."
  type        = string
  default     = "https://sandboxapi.equinix.com"
}

variable "port" {
  description = "The UUID of a Fabric port."
  type        = string
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are those of a sandbox app.
ephemeral "equinix_access_token" "sandbox" {
  provider = ixtoken # the local name equinix is the official provider's
  base_url = var.api_url
}

provider "equinix" {
  endpoint = var.api_url
  token    = ephemeral.equinix_access_token.sandbox.access_token
}

data "equinix_fabric_port" "main" {
  uuid = var.port
}

output "state" {
  value = data.equinix_fabric_port.main.state
}
