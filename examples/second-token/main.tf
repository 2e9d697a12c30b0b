# A run that takes longer than a token lasts. Terraform takes no new token for
# a block that is open, but it opens a block late that has to wait for a step.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
ephemeral "equinix_access_token" "first" {
  provider     = ixtoken
  min_validity = "45m"
}

resource "terraform_data" "long_step" {
  provisioner "local-exec" {
    command = "true # takes 40 minutes"
    environment = {
      AUTHORIZATION = ephemeral.equinix_access_token.first.authorization
    }
  }
}

# Opened after the long step. The first token is not valid for another 45
# minutes by then, so this is a new one.
ephemeral "equinix_access_token" "second" {
  provider     = ixtoken
  min_validity = "45m"
  depends_on   = [terraform_data.long_step]
}

resource "terraform_data" "next_step" {
  provisioner "local-exec" {
    command = "true # takes another 40 minutes"
    environment = {
      AUTHORIZATION = ephemeral.equinix_access_token.second.authorization
    }
  }
}
