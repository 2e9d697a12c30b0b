terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# MEGAPORT_ENVIRONMENT, MEGAPORT_ACCESS_KEY and MEGAPORT_SECRET_KEY are set.
ephemeral "megaport_access_token" "example" {
  provider = ixtoken
}

# The same key, for a run that takes longer. Both blocks share one token as
# long as it is valid for another 30 minutes.
ephemeral "megaport_access_token" "long_run" {
  provider     = ixtoken
  min_validity = "30m"
}
