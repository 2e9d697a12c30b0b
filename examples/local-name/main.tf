# Under a local name that is the prefix of the type, no block needs a "provider"
# line. That suits a configuration that uses one platform. Leave "equinix" to
# the official provider equinix/equinix, whose types have the same prefix.

terraform {
  required_providers {
    interxion = {
      source = "ixtoken/ixtoken"
    }
  }
}

# The provider goes by its local name here, too.
provider "interxion" {
  min_validity = "10m"
}

# INTERXION_LOGIN_URL, INTERXION_CLIENT_ID and INTERXION_CLIENT_SECRET are set.
ephemeral "interxion_access_token" "main" {}
