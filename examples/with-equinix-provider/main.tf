# A token for the official provider equinix/equinix, which makes one login of
# many: that provider logs in for every Fabric operation otherwise, and sends a
# wrong secret eleven times for each. In runs that take longer than a token
# lasts, leave the token out: its own login refreshes. Set max_retries = 0 then.

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
