terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# Without any setting, everything comes from the environment, such as
# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET. A platform that is not used
# needs no settings at all.
provider "ixtoken" {
  # For all platforms.
  min_validity    = "15m"
  request_timeout = "20s"
  max_retries     = 2

  # For one of them. What is left out here, the secret above all, still comes
  # from the environment.
  equinix = {
    base_url = var.equinix_api_url
  }
}

variable "equinix_api_url" {
  description = "That of production or of the sandbox."
  type        = string
  default     = null # EQUINIX_API_ENDPOINT, or production
}

ephemeral "equinix_access_token" "example" {
  provider = ixtoken
}
