# A token must last for the step that uses it, or the step does not begin.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# INTERXION_LOGIN_URL, INTERXION_CLIENT_ID and INTERXION_CLIENT_SECRET are set.
ephemeral "interxion_access_token" "main" {
  provider     = ixtoken
  min_validity = "30m"
}

resource "terraform_data" "order" {
  lifecycle {
    # min_validity alone warns where the platform grants less. This is an error,
    # in the plan already. A platform may name no lifetime: then it is null.
    # A postcondition in the ephemeral block would do the same, but with it
    # "terraform show -json" crashes before Terraform 1.15.
    precondition {
      condition     = coalesce(ephemeral.interxion_access_token.main.expires_in, 0) >= 1800
      error_message = "Interxion grants tokens for less than 30 minutes; ask for a longer expiry."
    }

    # Checked when this step is about to begin: other steps may have taken long.
    precondition {
      condition     = timecmp(ephemeral.interxion_access_token.main.expires_at, timeadd(timestamp(), "10m")) > 0
      error_message = "The token ends in less than 10 minutes; run apply again."
    }
  }

  provisioner "local-exec" {
    command = "true # what takes its time"
    environment = {
      AUTHORIZATION = ephemeral.interxion_access_token.main.authorization
    }
  }
}
