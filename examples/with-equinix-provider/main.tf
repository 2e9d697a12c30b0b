# Feeding a token to the official provider equinix/equinix. It obtains and
# refreshes its tokens itself, so this is for what it does not do: one login for
# several tools and processes (with token_cache_dir), or a shorter way to an
# error that says what to set.

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
  default     = "https://api.equinix.com"
}

variable "port" {
  description = "The UUID of a Fabric port."
  type        = string
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
ephemeral "equinix_access_token" "main" {
  provider = ixtoken # the local name equinix is the official provider's
  base_url = var.api_url
}

provider "equinix" {
  endpoint = var.api_url
  token    = ephemeral.equinix_access_token.main.access_token
}

data "equinix_fabric_port" "main" {
  uuid = var.port
}

output "state" {
  value = data.equinix_fabric_port.main.state
}
