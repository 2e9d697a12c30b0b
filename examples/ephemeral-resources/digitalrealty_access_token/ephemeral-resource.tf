terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# DIGITALREALTY_CLIENT_ID and DIGITALREALTY_CLIENT_SECRET are set.
ephemeral "digitalrealty_access_token" "example" {
  provider = ixtoken
}

# The same client, for a run that takes longer. Both blocks share one token as
# long as it is valid for another 30 minutes.
ephemeral "digitalrealty_access_token" "long_run" {
  provider     = ixtoken
  min_validity = "30m"
}
