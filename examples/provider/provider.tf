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

  # For one of them. What is left out here still comes from the environment.
  cloudlx = {
    api_version = "v1"
  }
}

ephemeral "equinix_access_token" "example" {
  provider = ixtoken
}

ephemeral "cloudlx_access_token" "example" {
  provider = ixtoken
}
