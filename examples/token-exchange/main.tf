# A token without a long-lived secret: the pipeline's identity token is exchanged for it.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

variable "organization" {
  description = "The ID of the Equinix organization."
  type        = string
  default     = "64eb2dae-f77a-4af9-967b-d9e3a2e4d2f0"
}

# No client id and no client secret. The pipeline has put its identity token into EQUINIX_ID_TOKEN.
ephemeral "equinix_access_token" "main" {
  provider                             = ixtoken
  grant_type                           = "token_exchange"
  token_exchange_scope                 = "roleassignments:${var.organization}"
  token_exchange_subject_token_env_var = "EQUINIX_ID_TOKEN"
}

# The same at another authorization server of RFC 8693.
ephemeral "oauth2_access_token" "main" {
  provider                             = ixtoken
  grant_type                           = "token_exchange"
  scopes                               = ["things.read"]
  token_exchange_subject_token_env_var = "OAUTH2_ID_TOKEN"
}

resource "terraform_data" "ports" {
  # Runs in every apply. Leave this out for a step that is to run once.
  triggers_replace = plantimestamp()

  provisioner "local-exec" {
    # The header reaches curl through its standard input, because every user of
    # the machine can read a command line.
    command = <<-EOT
      printf 'Authorization: %s\n' "$AUTHORIZATION" |
        curl --silent --show-error --fail --header @- --output ports.json \
          "$${EQUINIX_API_ENDPOINT:-https://api.equinix.com}/fabric/v4/ports"
    EOT
    environment = {
      AUTHORIZATION = ephemeral.equinix_access_token.main.authorization
    }
  }
}
